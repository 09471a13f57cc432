"""What the parity scripts share: tiny models, running the program under test, and reporting."""

import json
import os
import subprocess
import sys
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForCausalLM,
)
from transformers.utils.logging import disable_progress_bar

REPOSITORY = Path(__file__).resolve().parents[2]
HONE = os.environ.get("HONE", str(REPOSITORY / "build" / "release" / "hone"))
disable_progress_bar()
EOS, PAD = "<eos>", "<pad>"


def make_tokenizer(folder: Path) -> PreTrainedTokenizerFast:
    """A byte-level BPE with a few merges, EOS and padding."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=270,
        special_tokens=[PAD, EOS],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    tokenizer.train_from_iterator(["the cat and the hat", "the answer is the answer"], trainer)
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=EOS, pad_token=PAD)
    fast.save_pretrained(folder)
    return fast


def make_model(folder: Path, family: str, tied: bool, seed: int) -> PreTrainedTokenizerFast:
    """A random fp32 model folder with a tokenizer. Weights are spread wide, so that probabilities differ."""
    torch.manual_seed(seed)
    tokenizer = make_tokenizer(folder)
    settings = dict(
        vocab_size=len(tokenizer),
        hidden_size=48,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=128,
        rms_norm_eps=1e-6,
        tie_word_embeddings=tied,
        initializer_range=0.1,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    kinds = {"llama": (LlamaConfig, LlamaForCausalLM), "qwen2": (Qwen2Config, Qwen2ForCausalLM)}
    config_class, model_class = kinds[family]
    model = model_class(config_class(**settings)).to(torch.float32)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "norm" in name or "bias" in name:  # ones and zeros would hide a mistake in them
                parameter.add_(0.1 * torch.randn_like(parameter))
    model.save_pretrained(folder)
    return tokenizer


def run_hone(*arguments: str, stdin: str | None = None) -> str:
    """Standard output of a command that must succeed."""
    done = subprocess.run([HONE, *arguments], input=stdin, capture_output=True, text=True)
    if done.returncode != 0:
        print(f"$ {HONE} {' '.join(arguments)}\nexit code {done.returncode}\n{done.stderr}", file=sys.stderr)
        raise SystemExit(1)
    return done.stdout


def read_lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def export(model: Path, output: Path, *flags: str) -> dict:
    return json.loads(run_hone("export", str(model), "--output", str(output), *flags))


class Report:
    failed = 0

    def __call__(self, ok: bool, text: str) -> None:
        self.failed += not ok
        print(f"{'ok  ' if ok else 'MISS'} {text}", flush=True)
