"""Tokenizers in GGUF: llama.cpp cuts texts into the tokens that Hugging Face's tokenizers gives, and makes the same
texts of tokens. Byte-level BPE, and what SentencePiece trains for Llama 2, Mistral, Phi-3 and Gemma. Where an export
warns of texts that get other tokens, just those do."""

import json
import random
import re
import sys
import tempfile
from pathlib import Path

import torch
from export_parity import load
from family_parity import make_model
from fixtures import Report, export, run_hone
from llama_cpp import Llama
from sentencepiece_tokenizers import KINDS, make_tokenizer
from tokenizer_parity import texts
from tokenizers import Tokenizer
from transformers import AutoTokenizer

# Texts that docs/export.md says are cut differently: white space beyond ASCII behind an added token that strips it,
# and the mark of a space where runs of it are added tokens.
SKIPPED = {"phi-3": re.compile("[\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]"), "gemma": re.compile("▁")}
# Where a space goes in llama.cpp alone or not at all, by prepend_scheme and add_space_prefix: whether a piece between
# added tokens, at the text's start or not, is such a place. (What docs/export.md says, and the warning.)
DIFFERS = {("always", "true"): lambda start, spaced: spaced, ("always", "false"): lambda start, spaced: not spaced,
           ("first", "true"): lambda start, spaced: spaced or not start,
           ("first", "false"): lambda start, spaced: start and not spaced}
# add_space_prefix by tokenizer. With one of these chat templates, its texts are the same.
PREFIX = {"mistral 0.3": "false", "metaspace, first, without a template": "true", "transformers 5, legacy": "true",
          "metaspace, always, spaces behind tokens": "false", "transformers 5": "true"}
CHATS = 300
ROWS_MORE = 12  # of the embedding than the tokenizer has tokens


def make_folder(folder: Path, name: str, seed: int) -> None:
    folder.mkdir()
    if name == "byte-level":
        make_model(folder, "Llama", {}, seed)
        return
    size = make_tokenizer(folder, name)
    make_model(folder, "Llama", {"vocab_size": size + ROWS_MORE, "bos_token_id": 1, "eos_token_id": 2}, seed)
    make_tokenizer(folder, name)  # over the one that the model came with


def differs(text: str, added: list[str], scheme: str, prefix: str) -> bool:
    """Whether llama.cpp's tokens of a text differ for a space."""
    if (scheme, prefix) not in DIFFERS:
        return False
    pieces = re.split("|".join(re.escape(token) for token in sorted(added, key=len, reverse=True)), text)
    return any(piece and DIFFERS[scheme, prefix](number == 0, piece[0] in " ▁") for number, piece in enumerate(pieces))


def check_chat(name: str, folder: Path, theirs: Tokenizer, peer: Llama, report: Report) -> None:
    tokenizer, rng = AutoTokenizer.from_pretrained(folder), random.Random(7)
    words = [text for text in texts(CHATS, rng, []) if 0 < len(text) < 100 and text[0] not in " ▁"]
    same = 0
    for _ in range(CHATS):
        messages = [{"role": role, "content": rng.choice(words)} for role in ("user", "assistant", "user")]
        text = tokenizer.apply_chat_template(messages[:rng.choice([1, 3])], tokenize=False)
        ids = theirs.encode(text, add_special_tokens=False).ids
        found = [peer.tokenize(text.encode(), add_bos=False, special=True)]
        if text.startswith("<s>"):  # which llama.cpp's own programs take away from the text, to add it again
            found.append(peer.tokenize(text.removeprefix("<s>").encode(), add_bos=True, special=True))
        same += all(ids == each for each in found)
    report(same == CHATS, f"{name}: the tokens of {same} of {CHATS} chats are the same")


def check(name: str, folder: Path, report: Report) -> None:
    path = folder.with_suffix(".gguf")
    export(folder, path, "--format", "gguf", "--dtype", "f32")
    theirs, peer = Tokenizer.from_file(str(folder / "tokenizer.json")), load(path)
    added = theirs.get_added_tokens_decoder()
    contents = [token.content for token in added.values()]
    scheme = (json.loads(theirs.to_str())["pre_tokenizer"] or {}).get("prepend_scheme")
    prefix = peer.metadata.get("tokenizer.ggml.add_space_prefix")
    if name in PREFIX:
        report(prefix == PREFIX[name], f"{name}: prepend_scheme {scheme}: add_space_prefix is {prefix}")
        if KINDS[name]["chat"]:
            check_chat(name, folder, theirs, peer, report)
    skipped = SKIPPED.get(name)
    samples = list(texts(600, random.Random(5), contents))
    if name in PREFIX:  # more of those that agree with the one setting, and with the other
        samples += [" " + text for text in samples[-600:]] + ["[INST]" + text for text in samples[-600:]]
    samples = [text for text in samples if not (skipped and skipped.search(text))]
    for other in (False, True):
        chosen = [text for text in samples if differs(text, contents, scheme, prefix) == other]
        for special in (False, True) if chosen else ():
            same = 0
            for text in chosen:
                ids = theirs.encode(text, add_special_tokens=special).ids
                found = peer.tokenize(text.encode(), add_bos=special, special=True)
                same += ids == found
                if (ids != found) != other and abs(same - len(chosen) * other) < 3:
                    print(f"{text[:200]!r}\n  tokenizers {ids[:40]}\n  llama.cpp  {found[:40]}")
            report(same == (0 if other else len(chosen)),
                   f"{name}: the tokens of {same} of {len(chosen)} texts {'that are to differ ' if other else ''}"
                   f"are the same{', specials added' if special else ''}")
    # (llama-cpp-python leaves out pieces of more than 32 bytes.)
    plain = [i for i in range(theirs.get_vocab_size())
             if not (i in added and added[i].special) and len(theirs.id_to_token(i).encode()) <= 32]
    rng = random.Random(6)
    lists = [rng.choices(plain, k=rng.randint(1, 30)) for _ in range(500)]
    lines = run_hone("tokenize", "--model", str(folder), "--decode", stdin="".join(f"{json.dumps(l)}\n" for l in lists))
    ours = [json.loads(line) for line in lines.splitlines()]
    shown = [peer.detokenize(ids, special=True).decode(errors="replace") for ids in lists]
    if '"Strip"' in json.dumps(json.loads(theirs.to_str())["decoder"]):  # of a space at a text's start, which a prompt stands before
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
