"""Holds `hone tokenize` against Hugging Face's tokenizers on texts made to differ.

usage: tokenizer_parity.py HONE MODEL_FOLDER [--count N] [--seed N]      (needs: tokenizers)
Prints one line and exits 0 when every id and every decoded text is the same, else shows the first few
that are not and exits 1.
"""
import argparse
import json
import random
import subprocess
import sys
from pathlib import Path

from tokenizers import Tokenizer

WORDS = ["the", " The", "don't", "I'LL", "we'Ve", "'s", "'ſ", "12345", " 3.14", "½", "Ⅷ", "x^2+1=0", "\n", "\r\n",
         "\n\n  \n", "\t", "   ", " ", "\u00a0", "\u3000", "\u180e", "\u0085", "\u200b", "!!!", " ...", "\"'", "_a_", "日本語",
         "カタカナ", "한국어", "हिन्दी", "ไทย", "עברית", "العربية", "e\u0301", "é", "Å", "\u212b", "a\u0323\u0307", "ﬁ", "🙂", "👩‍👩‍👧",
         "🇩🇪", "\x00", "\x7f", "Ǆ", "ß", "İ", "def f(x):\n    return x", "aaaaaaaaaaaaaaaa", "\ufffd", "ĠĊ", "\U0001f9ff"]


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


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("hone")
    parser.add_argument("folder")
    parser.add_argument("--count", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    rng = random.Random(args.seed)
    peer = Tokenizer.from_file(str(Path(args.folder) / "tokenizer.json"))
    peer.no_truncation()
    peer.no_padding()
    added = [token.content for token in peer.get_added_tokens_decoder().values()]
    size = max(peer.get_vocab(with_added_tokens=True).values()) + 1

    inputs = list(texts(args.count, rng, added))
    wrong = differences("encode", inputs, hone(args.hone, args.folder, inputs),
                        [peer.encode(text, add_special_tokens=False).ids for text in inputs])
    ids = [[rng.randrange(size) for _ in range(rng.randint(0, 30))] for _ in range(args.count)]
    for flags, skip in (((), False), (("--skip-special",), True)):
        wrong += differences("decode", ids, hone(args.hone, args.folder, ids, "--decode", *flags),
                             [peer.decode(line, skip_special_tokens=skip) for line in ids])
    print(f"{args.folder}: {len(inputs)} texts, {2 * len(ids)} lists of ids, {wrong} differences")
    sys.exit(1 if wrong else 0)


main()
