"""Writes one of the benchmark models as a Hugging Face folder: random weights, a tokenizer that fills its vocabulary,
and prompts.jsonl, texts of exactly 32 tokens.

usage: make_model.py micro|small OUTPUT_DIR
"""

import json
import random
import sys
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

SHAPES = {
    "micro": {"hidden_size": 256, "num_hidden_layers": 4, "num_attention_heads": 4, "num_key_value_heads": 2,
              "intermediate_size": 768, "vocab_size": 512},
    "small": {"hidden_size": 512, "num_hidden_layers": 8, "num_attention_heads": 8, "num_key_value_heads": 2,
              "intermediate_size": 1536, "vocab_size": 4096},
}
PAD, EOS = "<|pad|>", "<|endoftext|>"
PROMPTS, PROMPT_TOKENS = 64, 32


def text(rng: random.Random) -> str:
    """Made-up words and numbers: enough distinct pieces for the merges of a vocabulary of thousands."""
    words = []
    for _ in range(16):
        length = rng.randint(2, 4)
        words.append("".join(rng.choice("bdfgklmnprstvz") + rng.choice("aeiou") for _ in range(length)))
    return " ".join(words) + f" {rng.randint(0, 9999)} + {rng.randint(0, 9999)}"


def make_tokenizer(size: int) -> PreTrainedTokenizerFast:
    rng = random.Random(0)
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=size, special_tokens=[PAD, EOS], show_progress=False,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator((text(rng) for _ in range(20000)), trainer)
    if tokenizer.get_vocab_size() != size:
        sys.exit(f"the tokenizer has {tokenizer.get_vocab_size()} tokens, expected {size}")
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token=PAD, eos_token=EOS)


def make_prompts(tokenizer: PreTrainedTokenizerFast) -> list[str]:
    """Cutting a text after a token can change how its end is cut into tokens: only those are taken that keep 32."""
    rng = random.Random(1)
    prompts: list[str] = []
    while len(prompts) < PROMPTS:
        ids = tokenizer(text(rng) + " " + text(rng))["input_ids"][:PROMPT_TOKENS]
        prompt = tokenizer.decode(ids)
        if tokenizer(prompt)["input_ids"] == ids and len(ids) == PROMPT_TOKENS:
            prompts.append(prompt)
    return prompts


def main(name: str, output: str) -> None:
    shape, folder = SHAPES[name], Path(output)
    torch.manual_seed(0)
    tokenizer = make_tokenizer(shape["vocab_size"])
    config = Qwen2Config(**shape, max_position_embeddings=8192, tie_word_embeddings=True, bos_token_id=None,
                         eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id)
    Qwen2ForCausalLM(config).to(torch.float32).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    lines = [json.dumps({"prompt": prompt}) + "\n" for prompt in make_prompts(tokenizer)]
    (folder / "prompts.jsonl").write_text("".join(lines))


if len(sys.argv) != 3 or sys.argv[1] not in SHAPES:
    sys.exit(__doc__)
main(*sys.argv[1:])
