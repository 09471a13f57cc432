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
                        processors, trainers)

REPOSITORY = Path(__file__).resolve().parents[2]

PROGRAM = Path(__file__).read_text(encoding="utf-8")
SENTENCES = ["the cat sat on the mat, and the other cat watched", "Ein Satz mit Umläuten: Größe, Übung, Straße",
             "これは日本語の文です。東京に行きます。", "Это предложение на русском языке", "你好，世界。这是一个句子。",
             "for i in range(10):\n    print(i, end='')\n", "1 + 2 = 3; 12 * 345 = 4140", "abc abd aab aaab  two  spaces"]

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


def metaspace(scheme="always", split=True, of=pre_tokenizers):
    return of.Metaspace(replacement="▁", prepend_scheme=scheme, split=split)


def spaces_to(mark="▁"):
    return normalizers.Replace(" ", mark)


# SentencePiece's decoder as its converter writes it.
PIECES = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
FALLBACK = {"alphabet": [], "unk_token": "<unk>", "fuse_unk": True, "byte_fallback": True}
QWEN2 = LLAMA3.replace("{1,3}", "")
LIGATURES = Regex("[ﬁﬂ]|a+")

PAD, END = "<|pad|>", "<|endoftext|>"


def special(tokenizer, token):
    return token, tokenizer.token_to_id(token)


def template(tokenizer, single):
    return processors.TemplateProcessing(single=single, pair="$A $B", special_tokens=[special(tokenizer, PAD), special(tokenizer, END)])


def roberta(tokenizer):
    return processors.RobertaProcessing(special(tokenizer, END), special(tokenizer, PAD))


def bert(tokenizer):
    return processors.BertProcessing(special(tokenizer, END), special(tokenizer, PAD))


def llama3(tokenizer):
    return processors.Sequence([processors.ByteLevel(trim_offsets=True), template(tokenizer, f"{PAD} $A")])


def both_ends(tokenizer):
    return template(tokenizer, f"{PAD} {END} $A {END} {PAD}")


# name: what a tokenizer.json of that shape holds. "pre" is a list of pre-tokenizer steps, "norm" of normalizers,
# "dec" of decoders (ByteLevel by default; None for none); the other keys are the model's, or "odd" for added tokens
# with every flag, "corpus" for what it is trained on.
KINDS = {
    # as published
    "gpt2": {"pre": [byte_level(True)]},
    "roberta": {"pre": [byte_level(True, True)], "odd": True, "post": roberta},
    "llama3": {"pre": [split(LLAMA3), byte_level()], "ignore_merges": True, "post": llama3},
    "llama3 odd": {"pre": [split(LLAMA3), byte_level()], "ignore_merges": True, "odd": True},
    "qwen2.5": {"pre": [split(QWEN2), byte_level()], "norm": [normalizers.NFC()], "odd": True},
    "o200k": {"pre": [split(O200K), byte_level(prefix=True)], "norm": [normalizers.NFC()]},
    "deepseek-r1-distill": {"pre": [split(r"\p{N}{1,3}"), split("[一-龥぀-ゟ゠-ヿ]+"), split(DEEPSEEK), byte_level()],
                            "odd": True},
    "smollm": {"pre": [pre_tokenizers.Digits(individual_digits=True), byte_level(True)]},
    "llama2": {**FALLBACK, "norm": [normalizers.Prepend("▁"), spaces_to()],
               "dec": [*PIECES, decoders.Strip(" ", 1, 0)], "odd": True},
    "llama2 not legacy": {**FALLBACK, "pre": [metaspace("first", False)],
                          "dec": [*PIECES, decoders.Strip(" ", 1, 0)], "odd": True},
    "mistral": {**FALLBACK, "norm": [normalizers.Prepend("▁"), spaces_to()],
                "dec": [*PIECES, decoders.Strip(" ", 1, 0)]},
    "gemma2": {**FALLBACK, "fuse_unk": True, "norm": [spaces_to()], "dec": PIECES, "odd": True, "post": both_ends},
    "gemma3": {**FALLBACK, "norm": [spaces_to()], "dec": PIECES,
               "pre": [pre_tokenizers.Split(" ", "merged_with_previous", False)]},
    "phi3": {**FALLBACK, "fuse_unk": False, "norm": [normalizers.Prepend("▁"), spaces_to()],
             "dec": [*PIECES, decoders.Strip(" ", 1, 0)], "odd": True},
    "bert": {"post": bert, "model": "WordPiece", "norm": [normalizers.BertNormalizer()],
             "pre": [pre_tokenizers.BertPreTokenizer()], "dec": [decoders.WordPiece()], "unk_token": "[UNK]"},
    "bert cased": {"model": "WordPiece", "norm": [normalizers.BertNormalizer(lowercase=False)],
                   "pre": [pre_tokenizers.BertPreTokenizer()], "dec": [decoders.WordPiece(cleanup=False)],
                   "unk_token": "[UNK]", "odd": True},
    "t5": {"model": "Unigram", "norm": [normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")],
           "pre": [pre_tokenizers.WhitespaceSplit(), metaspace("always")], "dec": [metaspace("always", of=decoders)],
           "unk_token": "<unk>"},
    "unigram with bytes": {"model": "Unigram", "byte_fallback": True, "pre": [metaspace("first")],
                           "dec": [decoders.ByteFallback(), metaspace("first", of=decoders)], "unk_token": "<unk>",
                           "odd": True},
    # every part by itself
    "digits": {"pre": [pre_tokenizers.Digits(individual_digits=True), byte_level(True)]},
    "digits together": {"pre": [pre_tokenizers.Digits(individual_digits=False), byte_level()]},
    "removed": {"pre": [split(r"\w+", "removed", True), byte_level()]},
    "contiguous": {"pre": [split(r"\w\d|\W|^x|.$", "contiguous"), byte_level()]},
    "merged": {"pre": [split(r"\s", "merged_with_previous"), split(r"\p{Lu}|x*", "merged_with_next"), byte_level()]},
    "unknown bytes": {"pre": [byte_level(True)], "alphabet": [], "unk_token": "<unk>", "fuse_unk": True},
    "whitespace": {"pre": [pre_tokenizers.Whitespace()], "alphabet": [], "unk_token": "<unk>", "dec": None},
    "punctuation": {"pre": [pre_tokenizers.Punctuation("contiguous"), pre_tokenizers.WhitespaceSplit(), byte_level()]},
    "nfd": {"norm": [normalizers.NFD(), normalizers.StripAccents(), normalizers.Lowercase()], "pre": [byte_level()]},
    "nfkd": {"norm": [normalizers.NFKD(), normalizers.Strip(left=True, right=False)], "pre": [byte_level(True)]},
    # (no odd tokens with Strip: the peer never ends where it leaves nothing of one)
    "nfkc": {"norm": [normalizers.NFKC(), normalizers.Nmt(), normalizers.Strip()], "pre": [metaspace("first")],
             "alphabet": [], "unk_token": "<unk>", "dec": [metaspace("first", of=decoders)]},
    "replace": {"norm": [normalizers.Replace(LIGATURES, "xy"), normalizers.Prepend("é"),
                         normalizers.Lowercase()], "pre": [byte_level(True)], "odd": True},
    "byte-level normalizer": {"norm": [normalizers.ByteLevel()], "pre": [split("Ġ", "merged_with_next")], "odd": True},
    "no pre-tokenizer": {"pre": [], "unk_token": "<unk>", "alphabet": [], "dec": [decoders.Fuse()]},
    "metaspace never": {**FALLBACK, "pre": [metaspace("never")], "dec": [decoders.ByteFallback(),
                        metaspace("never", of=decoders)]},
    "affixes": {"pre": [pre_tokenizers.WhitespaceSplit()], "unk_token": "<unk>", "alphabet": [],
                "continuing_subword_prefix": "##", "end_of_word_suffix": "</w>", "dec": [decoders.BPEDecoder("</w>")]},
    "decoders": {"pre": [byte_level(True)], "dec": [decoders.Replace(Regex("[aeo]+"), "*"), decoders.Strip("Ġ", 1, 1),
                 decoders.ByteLevel(), decoders.Replace("th", "<>"), decoders.Strip("*", 2, 0)]},
}
ODD_TOKENS = [AddedToken("[MASK]", lstrip=True, special=True, normalized=False), AddedToken("<r>", rstrip=True, normalized=False),
              AddedToken("cat", single_word=True), AddedToken("é"), AddedToken("caf\u00e9", normalized=False),
              AddedToken("e\u0301x", special=True, normalized=True), AddedToken("  ", normalized=False),
              AddedToken("\n\n", lstrip=True, rstrip=True), AddedToken("日", single_word=True, normalized=False)]


def build(options):
    """The tokenizer, not yet trained, and its trainer."""
    kind, trained = options.get("model", "BPE"), [PROGRAM, *SENTENCES] * 3
    corpus = ["hello world, it's abc"] if options.get("alphabet") == [] and "byte_fallback" not in options else trained
    special = [token for token in [options.get("unk_token")] if token] + ["<|pad|>", "<|endoftext|>"]
    common = dict(vocab_size=2000, special_tokens=special, show_progress=False)
    affixes = {key: options[key] for key in ("continuing_subword_prefix", "end_of_word_suffix") if key in options}
    if kind == "Unigram":
        return Tokenizer(models.Unigram()), trainers.UnigramTrainer(unk_token="<unk>", **common), trained
    if kind == "WordPiece":
        model = models.WordPiece(unk_token=options["unk_token"], max_input_chars_per_word=20)
        return Tokenizer(model), trainers.WordPieceTrainer(**common), trained
    keys = ("ignore_merges", "unk_token", "fuse_unk", "byte_fallback")
    model = models.BPE(**{key: options[key] for key in keys if key in options}, **affixes)
    alphabet = options.get("alphabet", pre_tokenizers.ByteLevel.alphabet())
    if options.get("byte_fallback"):
        common["special_tokens"] = special + [f"<0x{byte:02X}>" for byte in range(256)]
    return Tokenizer(model), trainers.BpeTrainer(initial_alphabet=alphabet, **affixes, **common), corpus


def make(folder, options):
    tokenizer, trainer, corpus = build(options)
    if options.get("norm"):
        tokenizer.normalizer = normalizers.Sequence(options["norm"])
    if options.get("pre"):
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence(options["pre"])
    if options.get("dec", True) is True:
        tokenizer.decoder = decoders.ByteLevel()
    elif options["dec"]:
        tokenizer.decoder = decoders.Sequence(options["dec"])
    tokenizer.train_from_iterator(corpus, trainer)
    if "post" in options:
        tokenizer.post_processor = options["post"](tokenizer)
    tokenizer.add_tokens([AddedToken("<think>", normalized=False), AddedToken("<thin")] + (ODD_TOKENS if options.get("odd") else []))
    text = json.loads(tokenizer.to_str())
    if options.get("byte_fallback") and options.get("model") == "Unigram":
        text["model"]["byte_fallback"] = True
        text["model"]["vocab"] += [[f"<0x{byte:02X}>", -20.0] for byte in range(256)]
        text["added_tokens"] = [token for token in text["added_tokens"] if token["id"] < 3]
    if options.get("byte_fallback"):  # bytes are pieces of the vocabulary, no added tokens
        text["added_tokens"] = [token for token in text["added_tokens"] if not token["content"].startswith("<0x")]
    folder.mkdir()
    (folder / "tokenizer.json").write_text(json.dumps(text), encoding="utf-8")


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
    yield from (sum((list(token_around(token)) for token in added), []))
    for run in ["a", " ", "\n", "é", "▁", "\u0301", "🙂", "1", "'", "ab", " a"]:
        yield run * 3000
    for first in range(0, 0x110000, 1024):  # every code point, apart and together
        codes = [chr(c) for c in range(first, first + 1024) if not 0xD800 <= c < 0xE000]
        if first < 0x4000 or rng.random() < 0.25:
            yield "".join(codes)
            yield "a".join(codes)
    for _ in range(count):
        yield "".join(piece() for _ in range(rng.randint(1, 12)))


def token_around(token):
    """A token in every position."""
    for text in [token, token * 3, " " + token, token + " ", "a" + token, token + "a", "a " + token + "  b",
                 "\n" + token + "\u00a0\u3000x", token.upper(), token[:-1], token[1:], "é" + token + "é"]:
        yield text


def hone(program, folder, lines, *flags):
    stdin = "".join(json.dumps(line) + "\n" for line in lines)
    run = subprocess.run([program, "tokenize", "--model", folder, *flags], input=stdin, text=True,
                         encoding="utf-8", capture_output=True, check=False)
    if run.returncode != 0:
        sys.exit(f"hone tokenize exits with {run.returncode}: {run.stderr}")
    return [json.loads(line) for line in run.stdout.split("\n")[:-1]]


def differences(what, inputs, ours, theirs):
    assert len(ours) == len(theirs) == len(inputs), (what, len(ours), len(theirs))
    wrong = [(i, o, t) for i, o, t in zip(inputs, ours, theirs) if t is not None and o != t]
    for i, o, t in wrong[:3]:
        print(f"{what} {json.dumps(i)[:2000]}\n  hone  {json.dumps(o)[:2000]}\n  theirs {json.dumps(t)[:2000]}")
    return len(wrong)


def ids_of(peer, text, special=False):
    return peer.encode(text, add_special_tokens=special).ids


def text_of(peer, ids, skip):
    return peer.decode(ids, skip_special_tokens=skip)


def asked(call, *arguments):
    """The peer's answer; None where it panics (it does on some texts that a step leaves empty)."""
    try:
        return call(*arguments)
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        return None


def compare(program, folder, name, count, seed, more=()):
    rng = random.Random(seed)
    peer = Tokenizer.from_file(str(Path(folder) / "tokenizer.json"))
    peer.no_truncation()
    peer.no_padding()
    added = [token.content for token in peer.get_added_tokens_decoder().values()]
    size = max(peer.get_vocab(with_added_tokens=True).values()) + 1

    if len(added) > 64:  # published tokenizers reserve a thousand
        added = rng.sample(added, 64)
    inputs = [*texts(count, rng, added), *more]
    wrong = differences("encode", inputs, hone(program, folder, inputs),
                        [asked(ids_of, peer, text) for text in inputs])
    ids = [[rng.randrange(size) for _ in range(rng.randint(0, 30))] for _ in range(count)]
    wrong += differences("encode with specials", inputs, hone(program, folder, inputs, "--add-special"),
                         [asked(ids_of, peer, text, True) for text in inputs])
    for flags, skip in (((), False), (("--skip-special",), True)):
        wrong += differences("decode", ids, hone(program, folder, ids, "--decode", *flags),
                             [asked(text_of, peer, line, skip) for line in ids])
    print(f"{'ok  ' if not wrong else 'MISS'} {name}: {len(inputs)} texts, {2 * len(ids)} lists of ids, {wrong} differ")
    return wrong


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("hone", nargs="?", default=os.environ.get("HONE", str(REPOSITORY / "build/release/hone")))
    parser.add_argument("folder", nargs="?")
    parser.add_argument("--only", help="one of the kinds")
    parser.add_argument("--count", type=int, default=2000, help="random texts of a kind (2000)")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    if args.folder:
        return compare(args.hone, args.folder, args.folder, args.count, args.seed)
    wrong = compare(args.hone, str(REPOSITORY / "configs/quickstart"), "quickstart", args.count, args.seed)
    with tempfile.TemporaryDirectory() as root:
        for name, options in KINDS.items():
            if args.only not in (None, name):
                continue
            folder = Path(root) / name.replace(" ", "_")
            make(folder, options)
            wrong += compare(args.hone, str(folder), name, args.count, args.seed)
    return wrong


if __name__ == "__main__":
    sys.exit(1 if main() else 0)
