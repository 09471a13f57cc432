"""transformers' generate on the CPU, as a peer that stays up (jobs.py).

usage: hf_generate.py MODEL_DIR THREADS
job: {"batch", "prompt_tokens", "new_tokens", "runs"} -> {"tokens_per_s": median of the runs, prompt included}
"""

import statistics
import sys
import time

import torch
import transformers
from jobs import serve


def main(folder: str, threads: int) -> None:
    torch.set_num_threads(threads)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()

    def answer(job: dict) -> dict:
        ids = torch.randint(2, model.config.vocab_size, (job["batch"], job["prompt_tokens"]))
        speeds = []
        for _ in range(job["runs"] + 1):
            begin = time.perf_counter()
            model.generate(ids, attention_mask=torch.ones_like(ids), do_sample=True, top_k=0,
                           min_new_tokens=job["new_tokens"], max_new_tokens=job["new_tokens"])
            speeds.append(job["batch"] * job["new_tokens"] / (time.perf_counter() - begin))
        return {"tokens_per_s": statistics.median(speeds[1:])}  # the first warms up

    serve({"peer": "transformers", "version": transformers.__version__, "torch": torch.__version__}, answer)


if len(sys.argv) != 3:
    sys.exit(__doc__)
main(sys.argv[1], int(sys.argv[2]))
