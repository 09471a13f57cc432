"""Tokenizers in GGUF: llama.cpp cuts texts into the tokens that Hugging Face's tokenizers gives, and makes the same
texts of tokens. Byte-level BPE, and what SentencePiece trains for Llama 2, Phi-3 and Gemma."""

import json
import random
import re
import sys
import tempfile
from pathlib import Path

import torch
from export_parity import Report, export, load
from family_parity import make_model
from fixtures import run_hone
from sentencepiece_tokenizers import KINDS, make_tokenizer
from tokenizer_parity import texts
from tokenizers import Tokenizer

# Texts that docs/export.md says are cut differently: white space beyond ASCII behind an added token that strips it,
# and the mark of a space where runs of it are added tokens.
SKIPPED = {"phi-3": re.compile("[\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]"), "gemma": re.compile("▁")}
ROWS_MORE = 12  # of the embedding than the tokenizer has tokens


def make_folder(folder: Path, name: str, seed: int) -> None:
    folder.mkdir()
    if name == "byte-level":
        make_model(folder, "Llama", {}, seed)
        return
    size = make_tokenizer(folder, name)
    make_model(folder, "Llama", {"vocab_size": size + ROWS_MORE, "bos_token_id": 1, "eos_token_id": 2}, seed)
    make_tokenizer(folder, name)  # over the one that the model came with


def check(name: str, folder: Path, report: Report) -> None:
    path = folder.with_suffix(".gguf")
    export(folder, path, "--format", "gguf", "--dtype", "f32")
    theirs, peer = Tokenizer.from_file(str(folder / "tokenizer.json")), load(path)
    added = theirs.get_added_tokens_decoder()
    skipped = SKIPPED.get(name)
    samples = [text for text in texts(600, random.Random(5), [token.content for token in added.values()])
               if not (skipped and skipped.search(text))]
    for special in (False, True):
        same = 0
        for text in samples:
            ids = theirs.encode(text, add_special_tokens=special).ids
            found = peer.tokenize(text.encode(), add_bos=special, special=True)
            same += ids == found
            if ids != found and same < 3:
                print(f"{text[:200]!r}\n  tokenizers {ids[:40]}\n  llama.cpp  {found[:40]}")
        report(same == len(samples), f"{name}: the tokens of {same} of {len(samples)} texts are the same"
                                     f"{', specials added' if special else ''}")
    # (llama-cpp-python leaves out pieces of more than 32 bytes.)
    plain = [i for i in range(theirs.get_vocab_size())
             if not (i in added and added[i].special) and len(theirs.id_to_token(i).encode()) <= 32]
    rng = random.Random(6)
    lists = [rng.choices(plain, k=rng.randint(1, 30)) for _ in range(500)]
    lines = run_hone("tokenize", "--model", str(folder), "--decode", stdin="".join(f"{json.dumps(l)}\n" for l in lists))
    ours = [json.loads(line) for line in lines.splitlines()]
    shown = [peer.detokenize(ids, special=True).decode(errors="replace") for ids in lists]
    if name in ("llama 2", "phi-3"):  # a space at a text's start, which a prompt stands before
        shown = [text.removeprefix(" ") for text in shown]
    # (What a run of bytes that are no UTF-8 becomes is Hugging Face's own.)
    same = sum(a == b or "\ufffd" in a for a, b in zip(ours, shown))
    report(same == len(lists), f"{name}: the texts of {same} of {len(lists)} lists of tokens are the same")
    peer.close()


def main() -> int:
    torch.set_num_threads(1)
    report = Report()
    with tempfile.TemporaryDirectory() as root:
        for number, name in enumerate(["byte-level", *KINDS]):
            if len(sys.argv) > 1 and not name.startswith(sys.argv[1]):
                continue
            folder = Path(root) / str(number)
            make_folder(folder, name, seed=number)
            check(name, folder, report)
    print("all agree" if not report.failed else f"{report.failed} do not agree")
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
