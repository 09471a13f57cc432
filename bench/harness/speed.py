"""hone's side of the decode and prefill benchmarks."""

from harness.programs import program, run_json


def hone(what: str, model, batch: int, threads: int, prompt_tokens: int, new_tokens: int, runs: int,
         dtype: str = "f32") -> float:
    """Tokens a second, the median of `runs` after one to warm up."""
    command = [program("hone"), "bench", what, "--model", str(model), "--batch", str(batch), "--threads", str(threads),
               "--prompt-tokens", str(prompt_tokens), "--runs", str(runs), "--dtype", dtype]
    if what == "decode":
        command += ["--new-tokens", str(new_tokens)]
    return run_json(command)["tokens_per_s"]
