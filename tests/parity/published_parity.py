"""Published models and tokenizers (published.py says whence) in `hone`, beside the libraries.

SmolLM2-135M-Instruct: log-probabilities within 1e-4 of transformers' (of their size, where that is above 1) and in
double within 1e-9, the same 48 greedy tokens on chat prompts, the same chat texts and ids, and, exported to GGUF in
F32, the same greedy text in llama.cpp. Tokenizers: ids and texts of tokenizers on the texts of tokenizer_parity.py and
on this project's own files, and, where llama.cpp recorded ids that the published tokenizer gave, those.

usage: published_parity.py [--only NAME] [--count N] [--offline]"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

import published
import tokenizer_parity
import torch
from export_parity import llama_greedy
from family_parity import IN_DOUBLE, double_logprobs, greedy, hone_greedy
from fixtures import HONE, REPOSITORY, Report, export, run_hone
from llama_cpp import Llama
from load_parity import hone_logprobs, transformers_logprobs, worst
from transformers import AutoTokenizer

TOLERANCE = 1e-4
SMOLLM2 = "SmolLM2-135M-Instruct"
CHATS = [
    [{"role": "user", "content": "What is 17 + 25? Think step by step."}],
    [{"role": "system", "content": "You answer in one sentence."},
     {"role": "user", "content": "Why is the sky blue?"},
     {"role": "assistant", "content": "Because air scatters blue light more than red."},
     {"role": "user", "content": "And in the evening? 🙂 Größe"}],
    [{"role": "user", "content": "Write a Python function that adds two numbers.\n"}],
]


def documents() -> list[str]:
    """This project's own words and programs."""
    files = [*sorted(REPOSITORY.glob("docs/*.md")), *sorted(REPOSITORY.glob("policy/text/*.cpp")), REPOSITORY / "README.md"]
    return [path.read_text(encoding="utf-8") for path in files]


def check_tokenizer(name: str, text: str, recorded: list[tuple[str, list[int]]], count: int, report: Report) -> None:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "tokenizer.json").write_text(text, encoding="utf-8")
        if recorded:
            ours = tokenizer_parity.hone(HONE, folder, [line for line, _ in recorded])
            same = sum(found == ids for found, (_, ids) in zip(ours, recorded, strict=True))
            report(same == len(recorded), f"{name}: {same} of {len(recorded)} recorded lists of ids are the same")
        report.failed += tokenizer_parity.compare(HONE, folder, name, count, 0, more=documents()) > 0


def check_chat(folder: Path, report: Report) -> list[list[int]]:
    """The chats as tokens."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    lines = "".join(json.dumps(chat) + "\n" for chat in CHATS)
    ours = [json.loads(line) for line in run_hone("tokenize", "--model", str(folder), "--chat", stdin=lines).splitlines()]
    for chat, found in zip(CHATS, ours, strict=True):
        text = tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
        ids = tokenizer.apply_chat_template(chat, add_generation_prompt=True)["input_ids"]
        report(found == {"text": text, "ids": ids}, f"{SMOLLM2}: chat of {len(chat)} messages: text and {len(ids)} ids")
    return [found["ids"] for found in ours]


def check_smollm2(root: Path, report: Report) -> None:
    folder = root / SMOLLM2
    published.make_smollm2(folder)
    chats = check_chat(folder, report)
    prose = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    ids = AutoTokenizer.from_pretrained(folder)(prose)["input_ids"]
    inputs = [*chats, ids[:700]]
    pairs = [(a, b) for ours, theirs in zip(hone_logprobs(folder, inputs, root), transformers_logprobs(folder, inputs),
                                            strict=True) for a, b in zip(ours, theirs, strict=True)]
    differences = [abs(a - b) for a, b in pairs]
    within = all(abs(a - b) <= TOLERANCE * max(1, abs(b)) for a, b in pairs)
    square = sum(difference ** 2 for difference in differences) / len(pairs)
    report(within, f"{SMOLLM2}: {len(pairs)} log-probabilities, differences {square ** 0.5:.1e} in the mean (rms), at most "
                   f"{max(differences):.1e}, {sum(d > TOLERANCE for d in differences)} of them above {TOLERANCE:g}")
    in_double = hone_logprobs(folder, inputs, root, "--backend", "torch", "--float64")
    difference = worst(in_double, double_logprobs(folder, inputs))
    report(difference <= IN_DOUBLE, f"{SMOLLM2}: in double, largest difference {difference:.1e}")
    ours = hone_greedy(folder, chats, root)
    report(ours == greedy(folder, chats), f"{SMOLLM2}: greedy tokens of {len(chats)} chats, as transformers'")
    path = root / f"{SMOLLM2}.gguf"
    export(folder, path, "--format", "gguf", "--dtype", "f32")
    peer = Llama(str(path), n_ctx=512, n_threads=1, n_threads_batch=1, verbose=False, logits_all=True, type_k=0, type_v=0)
    report(llama_greedy(peer, chats) == ours, f"{SMOLLM2}: greedy tokens of the exported GGUF in llama.cpp")
    prompt = bytes(run_hone("tokenize", "--model", str(folder), "--chat", stdin=json.dumps(CHATS[0]) + "\n"), "utf-8")
    found = peer.tokenize(json.loads(prompt)["text"].encode(), add_bos=False, special=True)
    report(found == chats[0], f"{SMOLLM2}: tokens of a chat's text in llama.cpp")
    report(peer.metadata["tokenizer.chat_template"] == AutoTokenizer.from_pretrained(folder).chat_template,
           f"{SMOLLM2}: the chat template in the GGUF")
    print(f"     {SMOLLM2} goes on: {AutoTokenizer.from_pretrained(folder).decode(ours[0])!r}")
    peer.close()


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", help="names that hold this")
    parser.add_argument("--count", type=int, default=400, help="random texts of a tokenizer (400)")
    parser.add_argument("--offline", action="store_true", help="only with what the cache holds")
    args = parser.parse_args()
    published.offline = args.offline
    report = Report()

    def wanted(name: str) -> bool:
        return args.only is None or args.only in name

    def run(names: list[str], check) -> None:
        try:
            check()
        except published.NotFetched as error:
            print(f"{'LEFT OUT' if args.offline else 'MISS'} {', '.join(names)}: {error}", flush=True)
            report.failed += not args.offline

    def smollm2() -> None:
        with tempfile.TemporaryDirectory() as root:
            check_smollm2(Path(root), report)

    def as_they_are() -> None:
        for name, data in published.published_tokenizers().items():
            if wanted(name):
                check_tokenizer(name, data.decode(), [], args.count, report)

    def mistral() -> None:
        for name, content in published.mistral_tokenizers().items():
            if wanted(name):
                check_tokenizer(name, json.dumps(content), [], args.count, report)

    def vocabularies() -> None:
        for name, whose in published.VOCABULARIES.items():
            if wanted(whose):
                content, recorded = published.vocabulary(name)
                check_tokenizer(whose, json.dumps(content), recorded, args.count, report)

    if wanted(SMOLLM2):
        run([SMOLLM2], smollm2)
    run(["DeepSeek-V3", "Claude 2", "GPT-NeoX-20B"], as_they_are)
    run(["Mistral's"], mistral)
    run([*published.VOCABULARIES.values()], vocabularies)
    print("all agree" if not report.failed else f"{report.failed} do not agree")
    return 1 if report.failed else 0


if __name__ == "__main__":
    torch.set_num_threads(2)
    sys.exit(main())
