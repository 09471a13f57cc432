"""TRL's GRPO on the CPU: one process, some steps, one JSON object.

usage: trl_step.py MODEL_DIR PROMPTS GROUP NEW_TOKENS STEPS THREADS

EOS is suppressed, so every completion has NEW_TOKENS tokens. A step's seconds are TRL's own `step_time`.
"""

import json
import os
import sys
import tempfile
from pathlib import Path

import torch
import transformers
import trl
from datasets import Dataset


def reward(completions, **_) -> list[float]:
    """Differs within a group, so that no advantage is zero."""
    return [sum(completion.encode()) % 101 / 101 for completion in completions]


def main(folder: str, prompts: int, group: int, new_tokens: int, steps: int, threads: int) -> None:
    torch.set_num_threads(threads)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    rows = [json.loads(line) for line in (Path(folder) / "prompts.jsonl").read_text().splitlines()]
    with tempfile.TemporaryDirectory() as output:
        config = trl.GRPOConfig(
            output_dir=output, use_cpu=True, bf16=False, fp16=False, report_to=[], save_strategy="no",
            per_device_train_batch_size=prompts * group, gradient_accumulation_steps=1, num_generations=group,
            max_completion_length=new_tokens, num_iterations=1, beta=0.0, learning_rate=1e-6, max_steps=steps,
            logging_steps=1, disable_tqdm=True, gradient_checkpointing=False,
            generation_kwargs={"min_new_tokens": new_tokens})
        trainer = trl.GRPOTrainer(
            model=transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32),
            processing_class=transformers.AutoTokenizer.from_pretrained(folder),
            reward_funcs=reward, train_dataset=Dataset.from_list(rows), args=config)
        trainer.train()
    logs = [row for row in trainer.state.log_history if "step_time" in row]
    lengths = {row["completions/mean_length"] for row in logs}
    if lengths != {float(new_tokens)}:
        sys.exit(f"completions had {sorted(lengths)} tokens, expected {new_tokens}: another amount of work")
    print(json.dumps({"step_times": [row["step_time"] for row in logs], "version": trl.__version__,
                      "torch": torch.__version__}), file=RESULT)


if len(sys.argv) != 7:
    sys.exit(__doc__)
# TRL prints its logs on stdout.
RESULT = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
main(sys.argv[1], *map(int, sys.argv[2:]))
