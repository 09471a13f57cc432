"""`hone train` on recorded traces against TRL's GRPOTrainer on the same completions and rewards.

For every loss_type, scale_rewards and beta: the loss, the gradient norm and every other metric that both report, at
each of three steps, and the final weights. Further cases: two iterations a batch, masked truncated completions, a
temperature, narrow clips, recorded log-probabilities (TRL's old_per_token_logps), micro-batches that cut groups.
"""

import itertools
import json
import logging
import math
import sys
import tempfile
import warnings
from dataclasses import dataclass, field
from pathlib import Path

import torch
from datasets import Dataset
from fixtures import make_model, read_lines, run_hone
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer, PrinterCallback
from trl import GRPOConfig, GRPOTrainer

PROMPTS, GENERATIONS, MAX_LENGTH, BATCHES = 3, 4, 12, 4
LEARNING_RATE = 1e-3
# Metrics: |difference| <= ABSOLUTE + RELATIVE * |TRL's|. Weights: the L2 norm of the difference of the two updates,
# relative to the update's (Adam turns the noise of a tiny gradient into a whole step, so single weights may differ).
RELATIVE, ABSOLUTE, UPDATE = 1e-4, 2e-6, 2e-3


@dataclass
class Case:
    loss_type: str = "dapo"
    scale_rewards: str = "group"
    beta: float = 0.0
    steps: int = 3
    num_iterations: int = 1
    mask_truncated: bool = False
    temperature: float = 1.0
    epsilon: float = 0.2
    epsilon_high: float | None = None
    bias_correction: bool = True
    family: str = "llama"
    optimizer: dict = field(default_factory=dict)
    micro_batch_tokens: int = 16384
    recorded_logprobs: bool = False

    def __str__(self) -> str:
        plain = Case()
        named = {"loss_type", "scale_rewards", "beta"}
        parts = [f"{k}={v}" for k, v in vars(self).items() if k in named or v != getattr(plain, k)]
        return " ".join(parts)


def with_logprobs(traces: list[dict], seed: int) -> list[dict]:
    """The traces with log-probabilities of a behaviour policy that is not quite the learner's (near uniform)."""
    generator = torch.Generator().manual_seed(seed)
    return [{**trace, "logprobs": (-5.6 + 0.4 * torch.randn(len(trace["completion_tokens"]), generator=generator)).tolist()}
            for trace in traces]


def record(vocab_size: int, eos: int, seed: int) -> list[dict]:
    """Traces as the replay contract has them: fixed tokens and rewards, among them a group without variance and
    completions that were cut by length."""
    generator = torch.Generator().manual_seed(seed)

    def draw(low: int, high: int) -> int:
        return int(torch.randint(low, high, (1,), generator=generator))

    traces = []
    for step, prompt in itertools.product(range(1, BATCHES + 1), range(PROMPTS)):
        group = (step - 1) * PROMPTS + prompt
        prompt_tokens = [draw(2, vocab_size) for _ in range(draw(3, 40))]
        for sample in range(GENERATIONS):
            truncated = sample == prompt
            length = MAX_LENGTH if truncated else draw(1, MAX_LENGTH)
            tokens = [draw(2, vocab_size) for _ in range(length - (not truncated))] + ([] if truncated else [eos])
            reward = 0.3 if prompt == 1 and step == 2 else draw(0, 11) / 10
            traces.append({"step": step, "group": group, "sample": sample, "prompt_tokens": prompt_tokens,
                           "completion_tokens": tokens, "reward": reward})
    return traces


class RecordedTrainer(GRPOTrainer):
    """TRL's trainer with the recorded tokens in place of tokenization and generation; the rest is TRL's own."""

    traces: list[dict] = []
    seen: list[dict] = []

    def _tokenize_prompts(self, prompts):
        # A prompt's text is its group's number; samples of a group come in order.
        groups = [int(prompt) for prompt in prompts]
        self._recorded = [group * GENERATIONS + i % GENERATIONS for i, group in enumerate(groups)]
        return [self.traces[i]["prompt_tokens"] for i in self._recorded], None, {}

    def _generate_single_turn(self, *_args, **_kwargs):
        return [self.traces[i]["completion_tokens"] for i in self._recorded], None

    def _generate_and_score_completions(self, inputs):
        output = super()._generate_and_score_completions(inputs)
        recorded = [self.traces[i].get("logprobs") for i in self._recorded]
        if recorded[0] is not None:  # the ratio's denominator
            tensors = [torch.tensor(row) for row in recorded]
            output["old_per_token_logps"] = torch.nn.utils.rnn.pad_sequence(tensors, batch_first=True)
        return output

    def log(self, logs, start_time=None):
        super().log(logs, start_time)
        if "loss" in logs:
            self.seen.append(dict(logs))


def train_trl(case: Case, model: Path, traces: list[dict], folder: Path) -> tuple[list[dict], dict]:
    config = GRPOConfig(
        output_dir=str(folder),
        per_device_train_batch_size=PROMPTS * GENERATIONS,
        num_generations=GENERATIONS,
        max_completion_length=MAX_LENGTH,
        max_steps=case.steps,
        num_iterations=case.num_iterations,
        loss_type=case.loss_type,
        scale_rewards=case.scale_rewards,
        beta=case.beta,
        epsilon=case.epsilon,
        epsilon_high=case.epsilon_high,
        mask_truncated_completions=case.mask_truncated,
        use_bias_correction_kl=case.bias_correction,
        temperature=case.temperature,
        learning_rate=LEARNING_RATE,
        lr_scheduler_type=case.optimizer.get("lr_scheduler_type", "linear"),
        warmup_steps=case.optimizer.get("warmup_steps", 0),
        weight_decay=case.optimizer.get("weight_decay", 0.0),
        max_grad_norm=case.optimizer.get("max_grad_norm", 1.0),
        logging_steps=1,
        shuffle_dataset=False,
        gradient_checkpointing=False,
        bf16=False,
        use_cpu=True,
        report_to="none",
        save_strategy="no",
        disable_tqdm=True,
        disable_dropout=True,
        dataloader_pin_memory=False,
    )

    def recorded(completions, **_kwargs):
        return [trainer.traces[i]["reward"] for i in trainer._recorded]

    RecordedTrainer.traces, RecordedTrainer.seen = traces, []
    groups = sorted({trace["group"] for trace in traces})
    trainer = RecordedTrainer(
        model=AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32),
        reward_funcs=recorded,
        args=config,
        train_dataset=Dataset.from_list([{"prompt": str(group)} for group in groups]),
        processing_class=AutoTokenizer.from_pretrained(model),
    )
    trainer.remove_callback(PrinterCallback)
    trainer.train()
    weights = {k: v.detach().clone() for k, v in trainer.model.state_dict().items()}
    return RecordedTrainer.seen, weights


def train_hone(case: Case, model: Path, traces: Path, folder: Path) -> tuple[list[dict], dict]:
    optimizer = {"learning_rate": LEARNING_RATE, "lr_scheduler_type": "linear", "warmup_steps": 0,
                 "weight_decay": 0.0, "max_grad_norm": 1.0, **case.optimizer}
    algorithm = {"loss_type": case.loss_type, "scale_rewards": case.scale_rewards, "beta": case.beta,
                 "epsilon": case.epsilon, "num_iterations": case.num_iterations,
                 "mask_truncated_completions": case.mask_truncated,
                 "use_bias_correction_kl": case.bias_correction}
    if case.epsilon_high is not None:
        algorithm["epsilon_high"] = case.epsilon_high
    sections = {
        "run": {"name": "run", "steps": case.steps, "output_dir": str(folder)},
        "policy": {"model": str(model)},
        "rollout": {"source": "replay", "replay": str(traces), "temperature": case.temperature,
                    "num_generations": GENERATIONS, "prompts_per_step": PROMPTS,
                    "max_completion_length": MAX_LENGTH},
        "algorithm": algorithm,
        "optimizer": optimizer,
        "learner": {"micro_batch_tokens": case.micro_batch_tokens},
    }
    config = folder / "config.toml"
    # JSON's scalars are TOML's.
    config.write_text("".join(f"[{name}]\n" + "".join(f"{k} = {json.dumps(v)}\n" for k, v in table.items())
                              for name, table in sections.items()))
    run_hone("train", str(config))
    run = folder / "run"
    final = sorted((run / "checkpoints").iterdir())[-1]
    return read_lines(run / "metrics.jsonl"), load_file(final / "model.safetensors")


# TRL's numbers that are about its machine, or that only it has.
SKIPPED = {"step_time", "epoch", "total_flos", "train_runtime"}


def compare_metrics(theirs: list[dict], ours: list[dict]) -> tuple[int, float, list[str]]:
    compared, worst, misses = 0, 0.0, []
    if len(theirs) != len(ours):
        misses.append(f"TRL took {len(theirs)} steps, hone {len(ours)}")
    for step, (a, b) in enumerate(zip(theirs, ours), start=1):
        for name in sorted(set(a) - SKIPPED):
            if name not in b:
                if not name.startswith(("rewards/", "profiling/")):
                    misses.append(f"step {step}: {name} is missing")
                continue
            want, got = a[name], b[name]
            if want is None or got is None or math.isnan(want):
                if not (got is None and (want is None or math.isnan(want))):
                    misses.append(f"step {step}: {name}: TRL {want}, hone {got}")
                continue
            compared += 1
            difference = abs(want - got)
            allowed = ABSOLUTE + RELATIVE * abs(want)
            worst = max(worst, difference / allowed)
            if difference > allowed:
                misses.append(f"step {step}: {name}: TRL {want!r}, hone {got!r}")
    return compared, worst, misses


def compare_weights(before: dict, theirs: dict, ours: dict) -> tuple[float, list[str]]:
    difference = update = 0.0
    for name, start in before.items():
        a, b = theirs[name].double(), ours[name].double()
        difference += ((a - b) ** 2).sum().item()
        update += ((a - start.double()) ** 2).sum().item()
    relative = math.sqrt(difference / update)
    misses = [f"weights: update differs by {relative:.2e} of its norm"] if relative > UPDATE else []
    if set(before) != set(ours):
        misses.append(f"weights: tensors differ: {sorted(set(before) ^ set(ours))}")
    return relative, misses


def cases() -> list[Case]:
    grid = itertools.product(["grpo", "bnpo", "dr_grpo", "dapo"], ["group", "batch", "none"], [0.0, 0.04])
    result = [Case(loss_type=loss, scale_rewards=scale, beta=beta) for loss, scale, beta in grid]
    twice = dict(num_iterations=2, steps=4)
    result += [Case(loss_type=loss, beta=0.04, **twice) for loss in ["grpo", "dapo"]]
    result += [
        Case(loss_type="dapo", epsilon=0.01, epsilon_high=0.02, **twice),
        Case(loss_type="grpo", mask_truncated=True, beta=0.04),
        Case(loss_type="bnpo", mask_truncated=True),
        Case(loss_type="dapo", mask_truncated=True, **twice),
        Case(loss_type="dapo", temperature=0.7, beta=0.04),
        Case(loss_type="dapo", beta=0.04, bias_correction=False, **twice),
        Case(loss_type="bnpo", family="qwen2", beta=0.04),
        Case(optimizer=dict(lr_scheduler_type="cosine", warmup_steps=1, weight_decay=0.1, max_grad_norm=0.1)),
        Case(optimizer=dict(lr_scheduler_type="constant_with_warmup", warmup_steps=2, max_grad_norm=0.0)),
        Case(loss_type="grpo", micro_batch_tokens=40, beta=0.04),
        Case(loss_type="dapo", beta=1.0),
        Case(loss_type="grpo", beta=0.04, recorded_logprobs=True),
        Case(loss_type="dapo", recorded_logprobs=True, **twice),
    ]
    return result


def main() -> int:
    logging.disable(logging.WARNING)
    warnings.filterwarnings("ignore")
    failed = 0
    with tempfile.TemporaryDirectory() as root:
        models = {}
        for family in ["llama", "qwen2"]:
            folder = Path(root) / family
            tokenizer = make_model(folder, family, tied=family == "llama", seed=3)
            traces = record(len(tokenizer), tokenizer.eos_token_id, seed=5)
            for recorded, lines in [(False, traces), (True, with_logprobs(traces, seed=9))]:
                path = Path(root) / f"{family}-{recorded}.jsonl"
                path.write_text("".join(json.dumps(line) + "\n" for line in lines))
                models[family, recorded] = (folder, lines, path)
        for number, case in enumerate(cases()):
            model, traces, path = models[case.family, case.recorded_logprobs]
            folder = Path(root) / f"case-{number}"
            folder.mkdir()
            ours, our_weights = train_hone(case, model, path, folder)
            theirs, their_weights = train_trl(case, model, traces, folder / "trl")
            compared, worst, misses = compare_metrics(theirs, ours)
            relative, more = compare_weights(load_file(model / "model.safetensors"), their_weights, our_weights)
            misses += more
            failed += bool(misses)
            print(f"{'MISS' if misses else 'ok  '} {case}: {compared} numbers over {len(ours)} steps, worst at "
                  f"{worst:.3f} of the tolerance; weights' update within {relative:.1e}", flush=True)
            for miss in misses:
                print(f"       {miss}")
    print(f"{len(cases()) - failed} of {len(cases())} cases agree with TRL "
          f"(metrics within {RELATIVE:g} relative + {ABSOLUTE:g}, updates of the weights within {UPDATE:g})")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
