"""Make a small T5 with random weights and a tokenizer of its own: LLM-Prop's architecture, to be trained from scratch.

    python scripts/make_small_t5.py models/t5-small-random

The tokenizer (4,000 word pieces) is trained on the training descriptions of the embedded sample's band gaps; the model
is 2 layers of 64 features, a seeded draw. It knows nothing: what a run with it scores was learnt from the task's rows.
"""

import sys
from pathlib import Path

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast, T5Config, T5ForConditionalGeneration

from llm4mat_bench import load_task


def main() -> None:
    """Write the folder that is named."""
    folder = Path(sys.argv[1])
    tokenizer = Tokenizer(models.WordPiece(unk_token="<unk>"))  # noqa: S106
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["<pad>", "</s>", "<unk>"]
    texts = (text for text in load_task("sample/band_gap", modality="description")["train"]["text"] if text)
    tokenizer.train_from_iterator(
        texts, trainers.WordPieceTrainer(vocab_size=4000, special_tokens=special, show_progress=False)
    )
    end = tokenizer.token_to_id("</s>")
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", end)])
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>", unk_token="<unk>")  # noqa: S106
    fast.save_pretrained(folder)
    torch.manual_seed(0)
    config = T5Config(
        vocab_size=len(fast),
        d_model=64,
        d_kv=16,
        d_ff=128,
        num_layers=2,
        num_heads=4,
        feed_forward_proj="gated-gelu",
        tie_word_embeddings=False,
        pad_token_id=fast.pad_token_id,
        eos_token_id=fast.eos_token_id,
        decoder_start_token_id=fast.pad_token_id,
    )
    T5ForConditionalGeneration(config).save_pretrained(folder)
    print(folder)


if __name__ == "__main__":
    main()
