"""Forward and backward of one GRPO batch in PyTorch, as TRL runs it, as a peer that stays up (jobs.py).

usage: autograd_step.py MODEL_DIR THREADS
job: {"prompts", "group", "prompt_tokens", "new_tokens", "runs"} -> {"seconds": median, "peak_rss_bytes"}

As in TRL, each completion carries its own copy of the prompt, logits are computed of the completions' positions alone,
and the log-probability of a token is its logit less the row's log-sum-exp. The loss is a weighted sum of the
log-probabilities. The entropy that TRL logs beside is left out.
"""

import resource
import statistics
import sys
import time

import torch
import transformers
from jobs import serve


def step(model, ids: torch.Tensor, new_tokens: int, weights: torch.Tensor) -> None:
    model.zero_grad(set_to_none=True)
    logits = model(input_ids=ids, attention_mask=torch.ones_like(ids), logits_to_keep=new_tokens + 1,
                   use_cache=False).logits[:, :-1]
    tokens = ids[:, -new_tokens:]
    chosen = logits.gather(-1, tokens.unsqueeze(-1)).squeeze(-1)
    # Row by row, as TRL: the whole of [batch, tokens, vocabulary] twice would cost memory.
    normalizers = torch.stack([row.logsumexp(-1) for row in logits])
    ((chosen - normalizers) * weights).sum().backward()


def main(folder: str, threads: int) -> None:
    torch.set_num_threads(threads)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).train()

    def answer(job: dict) -> dict:
        batch, length = job["prompts"] * job["group"], job["prompt_tokens"] + job["new_tokens"]
        ids = torch.randint(2, model.config.vocab_size, (batch, length))
        weights = torch.randn(batch, job["new_tokens"])
        seconds = []
        for _ in range(job["runs"] + 1):
            begin = time.perf_counter()
            step(model, ids, job["new_tokens"], weights)
            seconds.append(time.perf_counter() - begin)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        return {"seconds": statistics.median(seconds[1:]), "peak_rss_bytes": peak}  # the first warms up

    serve({"peer": "PyTorch autograd", "version": torch.__version__, "transformers": transformers.__version__}, answer)


if len(sys.argv) != 3:
    sys.exit(__doc__)
main(sys.argv[1], int(sys.argv[2]))
