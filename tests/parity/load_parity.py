"""Model folders both ways: what transformers wrote, `hone` reads, and what `hone` wrote, transformers reads, with
log-probabilities within 1e-4. Llama and Qwen2, tied and untied."""

import json
import sys
import tempfile
from pathlib import Path

import torch
from fixtures import make_model, run_hone
from transformers import AutoModelForCausalLM, AutoTokenizer

TOLERANCE = 1e-4


def sequences(vocab_size: int, count: int = 6) -> list[list[int]]:
    generator = torch.Generator().manual_seed(11)
    lengths = torch.randint(2, 90, (count,), generator=generator).tolist()
    return [torch.randint(0, vocab_size, (n,), generator=generator).tolist() for n in lengths]


def hone_logprobs(model: Path, inputs: list[list[int]], folder: Path, *flags: str) -> list[list[float]]:
    path = folder / "input.jsonl"
    path.write_text("".join(json.dumps({"tokens": tokens}) + "\n" for tokens in inputs))
    out = run_hone("logprobs", "--model", str(model), "--input", str(path), *flags)
    return [json.loads(line)["logprobs"] for line in out.splitlines()]


def transformers_logprobs(model: Path, inputs: list[list[int]]) -> list[list[float]]:
    policy, loading = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32, output_loading_info=True)
    problems = {k: v for k, v in loading.items() if v}
    if problems:
        raise SystemExit(f"{model}: transformers reports {problems}")
    AutoTokenizer.from_pretrained(model)
    return logprobs_of(policy, inputs)


def logprobs_of(policy: torch.nn.Module, inputs: list[list[int]]) -> list[list[float]]:
    result = []
    with torch.no_grad():
        for tokens in inputs:
            ids = torch.tensor([tokens])
            logprobs = policy(ids).logits[0, :-1].log_softmax(-1)
            result.append(logprobs.gather(1, ids[0, 1:, None])[:, 0].tolist())
    return result


def worst(a: list[list[float]], b: list[list[float]]) -> float:
    if [len(x) for x in a] != [len(x) for x in b]:
        raise SystemExit(f"expected {[len(x) for x in b]} log-probabilities, found {[len(x) for x in a]}")
    return max(abs(x - y) for p, q in zip(a, b) for x, y in zip(p, q))


def main() -> int:
    failed = 0

    def report(what: str, difference: float, count: int) -> None:
        nonlocal failed
        ok = difference <= TOLERANCE
        failed += not ok
        print(f"{'ok  ' if ok else 'MISS'} {what}: {count} log-probabilities, largest difference {difference:.1e}")

    with tempfile.TemporaryDirectory() as root:
        for family in ["llama", "qwen2"]:
            for tied in [True, False]:
                name = f"{family}, {'tied' if tied else 'untied'}"
                folder = Path(root) / f"{family}-{tied}"
                tokenizer = make_model(folder, family, tied, seed=7)
                inputs = sequences(len(tokenizer))
                count = sum(len(tokens) - 1 for tokens in inputs)
                theirs = transformers_logprobs(folder, inputs)
                report(f"{name}: transformers' folder in hone", worst(hone_logprobs(folder, inputs, Path(root)), theirs),
                       count)
                # A folder of hone's making, from the same config.
                made = Path(root) / f"{family}-{tied}-made"
                run_hone("init-model", "--config", str(folder / "config.json"), "--tokenizer",
                         str(folder / "tokenizer.json"), "--seed", "5", "--output", str(made))
                report(f"{name}: hone's folder in transformers",
                       worst(hone_logprobs(made, inputs, Path(root)), transformers_logprobs(made, inputs)), count)
    print(f"{'all within' if not failed else f'{failed} beyond'} {TOLERANCE:g}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
