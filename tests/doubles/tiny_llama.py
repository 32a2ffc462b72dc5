"""A language model of random weights that says digits: small, made in place, the same each time.

It has read nothing. Its answers differ from prompt to prompt and end by themselves, which is all that is asked of it.
"""

from pathlib import Path

CHAT = (
    "{{ bos_token }}{% for message in messages %}{{ message['role'] }}: {{ message['content'] }}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant: {% endif %}"
)


def make_tiny_llama(place: Path, *, seed: int = 3, spoken: str | None = "0123456789.\n", **changes: object) -> Path:
    """Write a Llama of two layers that reads bytes and says nothing but some characters; anything where it is None."""
    import tokenizers
    import torch
    import transformers

    letters = sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())
    words = {word: number for number, word in enumerate(["<s>", "</s>", *letters])}
    model = tokenizers.Tokenizer(tokenizers.models.BPE(vocab=words, merges=[]))
    model.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    model.decoder = tokenizers.decoders.ByteLevel()
    model.post_processor = tokenizers.processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=model, bos_token="<s>", eos_token="</s>")
    tokenizer.chat_template = CHAT
    tokenizer.save_pretrained(place)
    torch.manual_seed(seed)
    settings = {"max_position_embeddings": 4096, "initializer_range": 0.3} | changes
    config = transformers.LlamaConfig(
        vocab_size=len(words),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        bos_token_id=0,
        eos_token_id=1,
        tie_word_embeddings=False,
        **settings,
    )
    llama = transformers.LlamaForCausalLM(config)
    if spoken is not None:
        kept = {1, *tokenizer.convert_tokens_to_ids(tokenizer.tokenize(spoken))}
        with torch.no_grad():
            for row in set(range(len(words))) - kept:
                llama.lm_head.weight[row] = 0
    llama.save_pretrained(place)
    return place
