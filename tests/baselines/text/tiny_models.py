"""Small random checkpoints made in place: real architectures with real tokenizers, no pretrained weights."""

from pathlib import Path

TEXTS = [
    "NaCl is Halite structured and crystallizes in the cubic Fm-3m space group.",
    "All Na(1)–Cl(1) bond lengths are 2.82 Å. The corner-sharing octahedra are not tilted.",
    "Ti(1)–O(1) bond lengths range from 1.95–2.01 Å, with angles of 98.2 degrees and tilt angles of 3–11°.",
    "There are four shorter (2.82 Å) and one longer (2.85 Å) Y(1)–S(1) bond length.",
    "Fe2O3 MgAl2O4 Si GaN TiO2 PbTe Cs2O KMnO4 data_NaCl _cell_length_a 5.6402 loop_ _atom_site_label",
]


def tokenizer_of(special: dict[str, str]):
    """A word-piece tokenizer trained on a few sentences; ``special`` maps cls, sep, pad, unk, eos to their tokens."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.WordPiece(unk_token=special["unk"]))
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.train_from_iterator(
        TEXTS, trainers.WordPieceTrainer(vocab_size=300, special_tokens=list(special.values()), show_progress=False)
    )
    ids = {name: (token, tokenizer.token_to_id(token)) for name, token in special.items()}
    if "cls" in special:
        tokenizer.post_processor = processors.BertProcessing(ids["sep"], ids["cls"])
    else:
        token, number = ids["eos"]
        tokenizer.post_processor = processors.TemplateProcessing(single=f"$A {token}", special_tokens=[(token, number)])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, **{f"{name}_token": token for name, token in special.items()}
    )


def tiny_bert(folder: Path, seed: int = 0) -> Path:
    """A BERT of two layers and 32 features."""
    import torch
    from transformers import BertConfig, BertModel

    tokenizer = tokenizer_of({"pad": "[PAD]", "unk": "[UNK]", "cls": "[CLS]", "sep": "[SEP]"})
    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=128,
        pad_token_id=tokenizer.pad_token_id,
    )
    BertModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def tiny_t5(folder: Path, seed: int = 0) -> Path:
    """A T5, encoder and decoder, of two layers and 32 features."""
    import torch
    from transformers import T5Config, T5ForConditionalGeneration

    tokenizer = tokenizer_of({"pad": "<pad>", "eos": "</s>", "unk": "<unk>"})
    torch.manual_seed(seed)
    config = T5Config(
        vocab_size=len(tokenizer),
        d_model=32,
        d_kv=16,
        d_ff=64,
        num_layers=2,
        num_heads=2,
        feed_forward_proj="gated-gelu",
        tie_word_embeddings=False,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
        decoder_start_token_id=tokenizer.pad_token_id,
    )
    T5ForConditionalGeneration(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def tiny_llama(folder: Path) -> Path:
    """A decoder, which is no encoder."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer = tokenizer_of({"pad": "<pad>", "eos": "</s>", "unk": "<unk>"})
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=1,
        num_attention_heads=2,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def tiny_other(folder: Path, bert: Path, kind: str) -> Path:
    """Another architecture of transformers with the tokenizer of a BERT: distil, roberta, gaps, clip, longt5."""
    import shutil

    import torch
    import transformers as of

    for file in bert.glob("tokenizer*"):
        folder.mkdir(exist_ok=True)
        shutil.copy(file, folder)
    words = of.AutoTokenizer.from_pretrained(bert)
    few = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    torch.manual_seed(0)
    if kind == "distil":
        model = of.DistilBertModel(
            of.DistilBertConfig(vocab_size=len(words), dim=32, hidden_dim=32, n_layers=1, n_heads=2)
        )
    elif kind == "roberta":
        config = of.RobertaConfig(
            vocab_size=len(words), max_position_embeddings=40, pad_token_id=words.pad_token_id, **few
        )
        model = of.RobertaModel(config)
    elif kind == "gaps":
        model = of.BertForMaskedLM(of.BertConfig(vocab_size=len(words), **few))
    elif kind == "clip":
        picture = {**few, "image_size": 16, "patch_size": 8}
        text = {**few, "vocab_size": len(words)}
        model = of.CLIPModel(of.CLIPConfig(text_config=text, vision_config=picture, projection_dim=8))
    else:
        small = {"d_model": 32, "d_kv": 16, "d_ff": 32, "num_layers": 1, "num_heads": 2}
        model = of.LongT5Model(
            of.LongT5Config(vocab_size=len(words), pad_token_id=0, decoder_start_token_id=0, **small)
        )
    model.save_pretrained(folder)
    return folder


CHAT_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}<|{{ message['role'] }}|>{{ message['content'] }}</s>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
"""Begins a text itself, as Llama's does."""


def tiny_chat(folder: Path, template: str | None = CHAT_TEMPLATE) -> Path:
    """A decoder that can be asked: a token a character, one that begins a text, none for padding."""
    import string

    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    characters = sorted({*string.printable, *"–°Å"})
    special = ["<unk>", "<s>", "</s>", "<|system|>", "<|user|>", "<|assistant|>"]
    vocabulary = {token: at for at, token in enumerate([*special, *characters])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    tokenizer.decoder = decoders.Fuse()
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        unk_token="<unk>",
        bos_token="<s>",
        eos_token="</s>",
        additional_special_tokens=special[3:],
    )
    fast.chat_template = template
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(fast),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=512,
        tie_word_embeddings=True,
        initializer_range=0.3,  # of the usual 0.02 all tokens stay about as likely, whatever adapters learn
        bos_token_id=1,
        eos_token_id=2,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    fast.save_pretrained(folder)
    return folder
