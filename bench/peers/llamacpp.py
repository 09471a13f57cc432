"""llama.cpp's decode and prefill of an F32 GGUF file on the CPU, as a peer that stays up (jobs.py).

usage: llamacpp.py MODEL.gguf THREADS
job: {"what": "decode"|"prefill", "batch", "prompt_tokens", "new_tokens", "runs"} -> {"tokens_per_s": median of the runs}

Tokens are fixed and nothing is sampled: the forward alone is timed, to llama.cpp's advantage. Logits are computed where
a sampler would need them: of each decoded token, and of a prompt's last one.
"""

import statistics
import sys
import time

import llama_cpp
from jobs import serve

BATCH_TOKENS = 2048  # rows of one call, as hone's engine cuts its batches
UBATCH_TOKENS = 512  # llama.cpp's default: it computes a call in pieces of this size


LOG_ERROR = 4  # GGML_LOG_LEVEL_ERROR


@llama_cpp.llama_log_callback
def show_errors(level, text, _):
    if level == LOG_ERROR:
        print(text.decode(), end="", file=sys.stderr)


class Context:
    """A llama.cpp context of `sequences` sequences of up to `length` tokens, and the batch that feeds it."""

    def __init__(self, model, threads: int, sequences: int, length: int):
        params = llama_cpp.llama_context_default_params()
        params.n_seq_max = sequences
        params.n_ctx = sequences * length
        params.n_batch = BATCH_TOKENS
        params.n_ubatch = UBATCH_TOKENS
        params.n_threads = params.n_threads_batch = threads
        params.type_k = params.type_v = llama_cpp.GGML_TYPE_F32
        params.kv_unified = False  # a cache a sequence: attention over nobody else's keys
        self._context = llama_cpp.llama_init_from_model(model, params)
        if not self._context:
            sys.exit("llama.cpp made no context")
        self._batch = llama_cpp.llama_batch_init(BATCH_TOKENS, 0, 1)

    def close(self) -> None:
        llama_cpp.llama_batch_free(self._batch)
        llama_cpp.llama_free(self._context)

    def clear(self) -> None:
        llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(self._context), True)

    def decode(self, rows: list[tuple[int, int, int, bool]]) -> float:
        """rows: (token, position, sequence, wants logits). Seconds of llama.cpp's own work: filling the batch from
        Python is not llama.cpp's to answer for."""
        batch = self._batch
        batch.n_tokens = len(rows)
        for i, (token, position, sequence, logits) in enumerate(rows):
            batch.token[i] = token
            batch.pos[i] = position
            batch.n_seq_id[i] = 1
            batch.seq_id[i][0] = sequence
            batch.logits[i] = logits
        begin = time.perf_counter()
        status = llama_cpp.llama_decode(self._context, batch)
        llama_cpp.llama_synchronize(self._context)
        seconds = time.perf_counter() - begin
        if status != 0:
            sys.exit(f"llama_decode gave {status}")
        return seconds


def prefill(context: Context, job: dict, token) -> float:
    """Whole prompts, several a call while they fit. Seconds."""
    length = job["prompt_tokens"]
    rows = [(token(s, t), t, s, t == length - 1) for s in range(job["batch"]) for t in range(length)]
    return sum(context.decode(rows[first : first + BATCH_TOKENS]) for first in range(0, len(rows), BATCH_TOKENS))


def decode(context: Context, job: dict, token) -> float:
    first = job["prompt_tokens"]
    steps = [[(token(s, t), t, s, True) for s in range(job["batch"])]
             for t in range(first, first + job["new_tokens"])]
    return sum(context.decode(rows) for rows in steps)


def main(path: str, threads: int) -> None:
    llama_cpp.llama_log_set(show_errors, None)
    llama_cpp.llama_backend_init()
    params = llama_cpp.llama_model_default_params()
    model = llama_cpp.llama_model_load_from_file(path.encode(), params)
    if not model:
        sys.exit(f"llama.cpp cannot load {path}")
    vocabulary = llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(model))

    def token(sequence: int, position: int) -> int:
        return 2 + (31 * sequence + 7 * position) % (vocabulary - 2)

    def answer(job: dict) -> dict:
        decoding = job["what"] == "decode"
        length = job["prompt_tokens"] + (job["new_tokens"] if decoding else 0)
        context = Context(model, threads, job["batch"], length + 8)
        speeds = []
        for _ in range(job["runs"] + 1):
            context.clear()
            seconds = prefill(context, job, token)
            tokens = job["batch"] * job["prompt_tokens"]
            if decoding:
                seconds = decode(context, job, token)
                tokens = job["batch"] * job["new_tokens"]
            speeds.append(tokens / seconds)
        context.close()
        return {"tokens_per_s": statistics.median(speeds[1:])}  # the first warms up

    serve({"peer": "llama.cpp", "version": llama_cpp.__version__,
           "system": llama_cpp.llama_print_system_info().decode()}, answer)


if len(sys.argv) != 3:
    sys.exit(__doc__)
main(sys.argv[1], int(sys.argv[2]))
