"""Holds `hone train-tokenizer` against Hugging Face's BpeTrainer: the same file from the same text.

usage: train_tokenizer_parity.py [HONE]      (needs: tokenizers)
Text: Python's own library, and some of other scripts. Prints a line for each pattern, and exits with 1 when a file
differs in more than its layout.
"""
import json
import os
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

REPOSITORY = Path(__file__).resolve().parents[2]
QWEN2 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
         r"|\s+(?!\S)|\s+")
LLAMA3 = QWEN2.replace(r"|\p{N}|", r"|\p{N}{1,3}|")
SPECIAL = ["<|endoftext|>", "<b>"]
OTHER_SCRIPTS = "日本語 テスト été n\u0303andu\u0301 🙂\r\n\n\n  x aaaaaaaa aaa\taa 12345\n" * 50


def split(pattern):
    cut = pre_tokenizers.Split(Regex(pattern), "isolated")
    return pre_tokenizers.Sequence([cut, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


# pattern: pre-tokenizer, normalizer, vocabulary size, min_frequency
CASES = {
    "gpt2": (pre_tokenizers.ByteLevel(add_prefix_space=False), None, 3000, 0),
    "qwen2": (split(QWEN2), normalizers.NFC(), 6000, 2),
    "llama3": (split(LLAMA3), None, 1000, 50),
}


def write_corpus(folder):
    sources = sorted(Path(sysconfig.get_paths()["stdlib"]).glob("*.py"))[:60]
    text = "".join(path.read_text(encoding="utf-8", errors="ignore") for path in sources)
    (folder / "a.txt").write_text(text + OTHER_SCRIPTS, encoding="utf-8", newline="")
    (folder / "b.jsonl").write_text(json.dumps({"text": OTHER_SCRIPTS, "id": 1}) + "\n", encoding="utf-8")


def peer(folder, case):
    pre_tokenizer, normalizer, size, frequency = case
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizer, decoders.ByteLevel()
    if normalizer:
        tokenizer.normalizer = normalizer
    trainer = trainers.BpeTrainer(vocab_size=size, min_frequency=frequency, special_tokens=SPECIAL, show_progress=False,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    texts = (folder / "a.txt").read_bytes().decode().split("\n")
    texts = [line + "\n" for line in texts[:-1]] + ([texts[-1]] if texts[-1] else [])
    tokenizer.train_from_iterator(texts + [OTHER_SCRIPTS], trainer)
    return json.loads(tokenizer.to_str())


def ours(program, folder, pattern, case):
    output = folder / f"{pattern}.json"
    command = [program, "train-tokenizer", "--input", folder / "a.txt", "--input", folder / "b.jsonl", "--output", output,
               "--vocab-size", case[2], "--min-frequency", case[3], "--pattern", pattern]
    command += [flag for token in SPECIAL for flag in ("--special-token", token)]
    run = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
    if run.returncode != 0:
        sys.exit(f"hone train-tokenizer exits with {run.returncode}: {run.stderr}")
    return json.loads(output.read_text(encoding="utf-8"))


def main():
    program = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("HONE", str(REPOSITORY / "build/release/hone"))
    wrong = 0
    with tempfile.TemporaryDirectory() as root:
        write_corpus(Path(root))
        for pattern, case in CASES.items():
            begin = time.perf_counter()
            theirs = peer(Path(root), case)
            middle = time.perf_counter()
            mine = ours(program, Path(root), pattern, case)
            end = time.perf_counter()
            same = mine == theirs
            wrong += not same
            print(f"{'ok  ' if same else 'MISS'} {pattern}: {len(mine['model']['merges'])} merges; "
                  f"{end - middle:.1f} s, theirs {middle - begin:.1f} s")
    return wrong


if __name__ == "__main__":
    sys.exit(1 if main() else 0)
