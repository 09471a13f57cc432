"""`hone train` on a config made for the measurement: the times of its steps and its peak memory."""

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path

from harness.programs import CACHE, program, run


@dataclass
class Work:
    """One GRPO step, to be done `steps` times. EOS is ignored: every completion has `new_tokens` tokens."""

    model: Path
    prompts_file: Path
    prompts: int
    group: int
    new_tokens: int
    prompt_tokens: int = 32
    steps: int = 6
    micro_batch_tokens: int = 1536  # rows of one forward and backward; hone's default


@dataclass
class Measured:
    step_times: list[float]  # seconds; the first warms up
    peak_rss_bytes: int
    process_seconds: float  # loading the model and writing the checkpoint included
    rollout_times: list[float]
    learn_times: list[float]


CONFIG = """\
[run]
name = "bench"
steps = {steps}
output_dir = {output}

[policy]
model = {model}

[data]
train = {data}

[rollout]
num_generations = {group}
prompts_per_step = {prompts}
max_prompt_length = {prompt_tokens}
max_completion_length = {new_tokens}
ignore_eos = true

# Differs within a group, so that no advantage is zero.
[[reward]]
verifier = "random"

[algorithm]
beta = 0.0
num_iterations = 1

[optimizer]
learning_rate = 1e-6

[learner]
micro_batch_tokens = {micro_batch_tokens}

[checkpoint]
every = 0

[logging]
level = "warn"
"""


def train(work: Work, threads: int) -> Measured:
    # Not under /tmp, which may lie in memory: a large model's checkpoint goes here.
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE, prefix="run-") as folder:
        config = Path(folder) / "bench.toml"
        config.write_text(
            CONFIG.format(
                steps=work.steps,
                output=json.dumps(folder),  # a JSON string is a TOML string
                model=json.dumps(str(work.model)),
                data=json.dumps(str(work.prompts_file)),
                group=work.group,
                prompts=work.prompts,
                prompt_tokens=work.prompt_tokens,
                new_tokens=work.new_tokens,
                micro_batch_tokens=work.micro_batch_tokens,
            )
        )
        done = run([program("hone"), "train", str(config), "--threads", str(threads)])
        lines = (Path(folder) / "bench" / "metrics.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    return Measured(
        step_times=[row["step_time"] for row in rows],
        peak_rss_bytes=done.peak_rss_bytes,
        process_seconds=done.seconds,
        rollout_times=[row["time/rollout"] for row in rows],
        learn_times=[row["time/learn"] for row in rows],
    )
