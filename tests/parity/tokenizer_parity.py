"""Holds `hone tokenize` against Hugging Face's tokenizers on texts made to differ.

usage: tokenizer_parity.py [HONE [MODEL_FOLDER]] [--count N] [--seed N]      (needs: tokenizers)
HONE is by default what the environment says, else build/release/hone. Without a folder, tokenizers of
every kind that is supported are trained first. Prints a line for each, and exits with 1 when an id or
a decoded text differs.
"""
import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path

from tokenizers import (AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers,
                        trainers)

REPOSITORY = Path(__file__).resolve().parents[2]

WORDS = ["the", " The", "don't", "I'LL", "we'Ve", "'s", "'ſ", "12345", " 3.14", "½", "Ⅷ", "x^2+1=0", "\n", "\r\n",
         "\n\n  \n", "\t", "   ", " ", "\u00a0", "\u3000", "\u180e", "\u0085", "\u200b", "!!!", " ...", "\"'", "_a_", "日本語",
         "カタカナ", "한국어", "हिन्दी", "ไทย", "עברית", "العربية", "e\u0301", "é", "Å", "\u212b", "a\u0323\u0307", "ﬁ", "🙂", "👩‍👩‍👧",
         "🇩🇪", "\x00", "\x7f", "Ǆ", "ß", "İ", "def f(x):\n    return x", "aaaaaaaaaaaaaaaa", "\ufffd", "ĠĊ", "\U0001f9ff"]


LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
          r"|\s+(?!\S)|\s+")
O200K = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
         r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")
DEEPSEEK = (r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+"
            r"| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")


def byte_level(use_regex=False, prefix=False):
    return pre_tokenizers.ByteLevel(add_prefix_space=prefix, use_regex=use_regex)


def split(pattern, behavior="isolated", invert=False):
    return pre_tokenizers.Split(Regex(pattern), behavior, invert)


# name: pre-tokenizer steps, and what differs from the default
KINDS = {
    "gpt2": ([byte_level(True)], {}),
    "gpt2 with a prefix space": ([byte_level(True, True)], {"odd": True}),
    "llama3": ([split(LLAMA3), byte_level()], {"ignore_merges": True}),
    "qwen2": ([split(LLAMA3.replace("{1,3}", "")), byte_level()], {"nfc": True, "odd": True}),
    "o200k": ([split(O200K), byte_level(prefix=True)], {"nfc": True}),
    "deepseek": ([split(r"\p{N}{1,3}"), split("[一-龥ぁ-ゟ゠-ヿ]+"), split(DEEPSEEK), byte_level()], {"odd": True}),
    "digits": ([pre_tokenizers.Digits(individual_digits=True), byte_level(True)], {}),
    "removed": ([split(r"\w+", "removed", True), byte_level()], {}),
    "contiguous": ([split(r"\w\d|\W|^x|.$", "contiguous"), byte_level()], {}),
    "merged": ([split(r"\s", "merged_with_previous"), split(r"\p{Lu}|x*", "merged_with_next"), byte_level()], {}),
    "unknown bytes": ([byte_level(True)], {"alphabet": [], "unk_token": "<unk>", "fuse_unk": True}),
}
ODD_TOKENS = [AddedToken("[MASK]", lstrip=True, special=True, normalized=False), AddedToken("<r>", rstrip=True, normalized=False),
              AddedToken("cat", single_word=True), AddedToken("é"), AddedToken("caf\u00e9", normalized=False),
              AddedToken("e\u0301x", special=True, normalized=True), AddedToken("  ", normalized=False),
              AddedToken("\n\n", lstrip=True, rstrip=True), AddedToken("日", single_word=True, normalized=False)]


def make(folder, steps, options):
    settings = {key: options[key] for key in ("ignore_merges", "unk_token", "fuse_unk") if key in options}
    tokenizer = Tokenizer(models.BPE(**settings))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(steps)
    tokenizer.decoder = decoders.ByteLevel()
    if options.get("nfc"):
        tokenizer.normalizer = normalizers.NFC()
    special = [token for token in [options.get("unk_token")] if token] + ["<|pad|>", "<|endoftext|>"]
    trainer = trainers.BpeTrainer(vocab_size=2000, special_tokens=special, show_progress=False,
                                  initial_alphabet=options.get("alphabet", pre_tokenizers.ByteLevel.alphabet()))
    corpus = [Path(__file__).read_text(encoding="utf-8")] if "alphabet" not in options else ["hello world, it's abc"]
    tokenizer.train_from_iterator(corpus * 3, trainer)
    tokenizer.add_tokens([AddedToken("<think>", normalized=False), AddedToken("<thin")] + (ODD_TOKENS if options.get("odd") else []))
    folder.mkdir()
    tokenizer.save(str(folder / "tokenizer.json"))


def texts(count, rng, added):
    """Random joins of words, added tokens with white space around them, and any code points."""
    def piece():
        kind = rng.random()
        if kind < 0.55:
            return rng.choice(WORDS)
        if kind < 0.75 and added:
            token = rng.choice(added)
            return rng.choice(["", " ", "\n", "a"]) + token[: rng.choice([None, None, -1])] + rng.choice(["", " ", "é"])
        if kind < 0.9:
            return "".join(chr(rng.randint(32, 126)) for _ in range(rng.randint(1, 8)))
        limit = rng.choice([0x250, 0x3000, 0x10000, 0x110000])
        return "".join(chr(c) for c in (rng.randrange(limit) for _ in range(rng.randint(1, 5)))
                       if not 0xD800 <= c < 0xE000)
    yield ""
    for _ in range(count):
        yield "".join(piece() for _ in range(rng.randint(1, 12)))


def hone(program, folder, lines, *flags):
    stdin = "".join(json.dumps(line) + "\n" for line in lines)
    run = subprocess.run([program, "tokenize", "--model", folder, *flags], input=stdin, text=True,
                         encoding="utf-8", capture_output=True, check=False)
    if run.returncode != 0:
        sys.exit(f"hone tokenize exits with {run.returncode}: {run.stderr}")
    return [json.loads(line) for line in run.stdout.split("\n")[:-1]]


def differences(what, inputs, ours, theirs):
    assert len(ours) == len(theirs) == len(inputs), (what, len(ours), len(theirs))
    wrong = [(i, o, t) for i, o, t in zip(inputs, ours, theirs) if o != t]
    for i, o, t in wrong[:3]:
        print(f"{what} {json.dumps(i)}\n  hone  {json.dumps(o)}\n  theirs {json.dumps(t)}")
    return len(wrong)


def compare(program, folder, name, count, seed):
    rng = random.Random(seed)
    peer = Tokenizer.from_file(str(Path(folder) / "tokenizer.json"))
    peer.no_truncation()
    peer.no_padding()
    added = [token.content for token in peer.get_added_tokens_decoder().values()]
    size = max(peer.get_vocab(with_added_tokens=True).values()) + 1

    inputs = list(texts(count, rng, added))
    wrong = differences("encode", inputs, hone(program, folder, inputs),
                        [peer.encode(text, add_special_tokens=False).ids for text in inputs])
    ids = [[rng.randrange(size) for _ in range(rng.randint(0, 30))] for _ in range(count)]
    for flags, skip in (((), False), (("--skip-special",), True)):
        wrong += differences("decode", ids, hone(program, folder, ids, "--decode", *flags),
                             [peer.decode(line, skip_special_tokens=skip) for line in ids])
    print(f"{'ok  ' if not wrong else 'MISS'} {name}: {len(inputs)} texts, {2 * len(ids)} lists of ids, {wrong} differ")
    return wrong


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("hone", nargs="?", default=os.environ.get("HONE", str(REPOSITORY / "build/release/hone")))
    parser.add_argument("folder", nargs="?")
    parser.add_argument("--count", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    if args.folder:
        return compare(args.hone, args.folder, args.folder, args.count, args.seed)
    wrong = compare(args.hone, str(REPOSITORY / "configs/quickstart"), "quickstart", args.count, args.seed)
    with tempfile.TemporaryDirectory() as root:
        for name, (steps, options) in KINDS.items():
            folder = Path(root) / name.replace(" ", "_")
            make(folder, steps, options)
            wrong += compare(args.hone, str(folder), name, args.count, args.seed)
    return wrong


if __name__ == "__main__":
    sys.exit(1 if main() else 0)
