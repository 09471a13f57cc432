"""The tokenizers and the documents of bench/tokenizer_vs_hf.

usage: make_tokenizers.py FOLDER
Text: Python's standard library (prose and code), with a page of other scripts for each twenty documents. Tokenizers:
"byte_level" as Qwen 2.5's, with 50,000 tokens, and "pieces" as Llama 2's, with 32,000.
"""

import json
import sys
import sysconfig
from pathlib import Path

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

QWEN2 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
         r"|\s+(?!\S)|\s+")
SCRIPTS = ("これは日本語の文です。東京に行きました。\n你好，世界。今天的天气很好。\nЭто предложение на русском языке.\n"
           "한국어 문장입니다. 안녕하세요.\nΑυτή είναι μια πρόταση.\nDas ist ein Satz mit Umläuten: Größe, Übung.\n"
           "यह हिन्दी में एक वाक्य है।\nهذه جملة باللغة العربية.\n🙂🚀👩‍👩‍👧\n") * 4
DOCUMENT, DOCUMENTS = 4000, 1500  # characters, how many


def documents() -> list[str]:
    texts = []
    for path in sorted(Path(sysconfig.get_paths()["stdlib"]).glob("**/*.py")):
        if "site-packages" in path.parts or "test" in path.parts:
            continue
        text = path.read_text(encoding="utf-8", errors="ignore")
        texts += [text[at:at + DOCUMENT] for at in range(0, len(text), DOCUMENT)]
        if len(texts) >= DOCUMENTS:
            break
    texts = texts[:DOCUMENTS]
    texts[::20] = [SCRIPTS] * len(texts[::20])
    return texts


def byte_level(texts: list[str]) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(QWEN2), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ])
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=50000, initial_alphabet=alphabet, show_progress=False,
                                  special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>"])
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def pieces(texts: list[str]) -> Tokenizer:
    """Trained on words, as SentencePiece does, and run without a pre-tokenizer, as its converter writes it."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")
    special = ["<unk>", "<s>", "</s>"] + [f"<0x{byte:02X}>" for byte in range(256)]
    trainer = trainers.BpeTrainer(vocab_size=32000, special_tokens=special, show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    text = json.loads(tokenizer.to_str())
    text["pre_tokenizer"] = None
    text["added_tokens"] = text["added_tokens"][:3]
    tokenizer = Tokenizer.from_str(json.dumps(text))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(),
                                           decoders.Strip(" ", 1, 0)])
    return tokenizer


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    texts = documents()
    for name, make in (("byte_level", byte_level), ("pieces", pieces)):
        make(texts).save(str(folder / f"{name}.json"))
    lines = "".join(json.dumps(text) + "\n" for text in texts)
    (folder / "documents.jsonl").write_text(lines, encoding="utf-8")  # last: marks the folder as whole


if len(sys.argv) != 2:
    sys.exit(__doc__)
main(Path(sys.argv[1]))
