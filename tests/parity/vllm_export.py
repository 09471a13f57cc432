"""`hone export --format hf` in vLLM: folders of every family, f32 and bf16, loaded by vLLM on the CPU in float32. The
greedy text of `hone generate` and vLLM's are the same, token by token, and the log-probabilities of its tokens agree.
vLLM's kernels round otherwise than hone's, so a text may part where the two best logits are within TIE of each other.

    tests/parity/run_vllm.sh                 # makes a venv of its own; some minutes
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

os.environ.update(VLLM_CPU_KVCACHE_SPACE="1", VLLM_ENABLE_V1_MULTIPROCESSING="0", VLLM_NO_USAGE_STATS="1",
                  VLLM_LOGGING_LEVEL="WARNING", HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1")
TOKENS = 48
TIE = 1e-4  # of log-probabilities of the two best tokens, where texts may part
QUIET = 0.02
TOLERANCE = 1e-3  # of log-probabilities of the same token
PROMPTS = ["the cat and", "the answer is", "2 + 3 =", "  spaces", "é ▁ 🙂\n", "<think>a", "[INST] the hat[/INST]"]

# vLLM's attention on CPUs has heads of 32 and more.
COMMON = {"hidden_size": 128, "num_attention_heads": 4, "num_key_value_heads": 2, "initializer_range": 0.2}
ROPE = {"full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 1e6},
        "sliding_attention": {"rope_type": "default", "rope_theta": 300.0}}
# Transformers' prefix of the classes, settings, and of the tokenizer the name in sentencepiece_tokenizers.py or none.
CASES = {
    "llama": ("Llama", {"bos_token_id": 1, "eos_token_id": 2}, "transformers 5"),
    "llama, tied, llama3": ("Llama", {"tie_word_embeddings": True, "rope_parameters": {
        "rope_type": "llama3", "rope_theta": 10000.0, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 32}}, None),
    "qwen2": ("Qwen2", {}, None),
    "qwen3": ("Qwen3", {"head_dim": 64, "tie_word_embeddings": True}, None),
    "qwen3_moe": ("Qwen3Moe", {"head_dim": 32, "num_experts": 6, "num_experts_per_tok": 2, "moe_intermediate_size": 32,
                               "norm_topk_prob": True}, None),
    "mistral": ("Mistral", {"sliding_window": 32, "bos_token_id": 1, "eos_token_id": 2}, "mistral 0.3"),
    "phi3": ("Phi3", {"sliding_window": None}, None),
    "gemma2": ("Gemma2", {"head_dim": 32, "query_pre_attn_scalar": 32, "sliding_window": 16,
                          "attn_logit_softcapping": 3.0, "final_logit_softcapping": 5.0}, None),
    "gemma3": ("Gemma3", {"head_dim": 32, "query_pre_attn_scalar": 32, "sliding_window": 16,
                          "num_hidden_layers": 7, "rope_parameters": ROPE}, None),
}


def in_vllm(folders: list[str]) -> None:
    """A line of JSON for each folder: for each of PROMPTS the tokens, their log-probabilities, by how much the best
    token led the next, and the text. A fork for each folder: vLLM has one engine a process, and imports slowly."""
    from vllm import LLM, SamplingParams

    for folder in folders:
        child = os.fork()
        if child:
            _, status = os.waitpid(child, 0)
            if status:
                sys.exit(f"{folder}: vLLM ended with {os.waitstatus_to_exitcode(status)}")
            continue
        model = LLM(folder, dtype="float32", max_model_len=128, enforce_eager=True, seed=0, max_num_seqs=8,
                    enable_prefix_caching=False)
        settings = SamplingParams(temperature=0, max_tokens=TOKENS, ignore_eos=True, logprobs=2,
                                  skip_special_tokens=False)
        result = []
        for output in model.generate(PROMPTS, settings, use_tqdm=False):
            chosen = output.outputs[0]
            steps = [sorted((entry.logprob for entry in step.values()), reverse=True) for step in chosen.logprobs]
            result.append({"tokens": list(chosen.token_ids), "text": chosen.text,
                           "logprobs": [step[token].logprob for step, token in zip(chosen.logprobs, chosen.token_ids)],
                           "lead": [step[0] - step[1] for step in steps]})
        print("RESULT " + json.dumps(result), flush=True)
        os._exit(0)  # vLLM's own end waits for what is not there in one process


def vllm(folders: list[Path]) -> Iterator[list[dict]]:
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen([sys.executable, __file__, "--in-vllm", *map(str, folders)], text=True,
                                   stdout=subprocess.PIPE, stderr=log)
        for line in process.stdout:
            if line.startswith("RESULT "):
                yield json.loads(line.removeprefix("RESULT "))
        if process.wait():
            log.seek(0)
            sys.exit(log.read()[-6000:])


def quieten(model: Path) -> None:
    """Of an embedding that is scaled and tied, so that a token is not followed by itself for ever."""
    from safetensors.torch import load_file, save_file

    tensors = load_file(model / "model.safetensors")
    tensors["model.embed_tokens.weight"] *= QUIET
    save_file(tensors, model / "model.safetensors", metadata={"format": "pt"})


def hone(folder: Path, root: Path) -> list[dict]:
    from fixtures import run_hone

    prompts = root / "prompts.jsonl"
    prompts.write_text("".join(json.dumps({"prompt": prompt}) + "\n" for prompt in PROMPTS))
    out = run_hone("generate", "--model", str(folder), "--prompts", str(prompts), "--greedy", "--ignore-eos",
                   "--max-tokens", str(TOKENS))
    return [json.loads(line) for line in out.splitlines()]


def compare(ours: list[dict], theirs: list[dict]) -> tuple[bool, str]:
    """Whether the texts are the same up to ties, and what to say of it."""
    same = ties = tokens = 0
    kinds = min(len(set(a["tokens"])) for a in ours)  # of one token over and over no text would tell much
    largest = 0.0
    wrong = []
    for prompt, a, b in zip(PROMPTS, ours, theirs):
        parts = next((i for i, (x, y) in enumerate(zip(a["tokens"], b["tokens"])) if x != y), TOKENS)
        largest = max([largest, *(abs(x - y) for x, y in zip(a["logprobs"][:parts], b["logprobs"][:parts]))])
        tokens += parts
        if parts == TOKENS:
            # A decoder that strips a space at a text's start does so with a completion, in vLLM with the prompt.
            # (What a run of bytes that are no UTF-8 becomes is each one's own.)
            if b["text"] not in (a["completion"], " " + a["completion"]) and "\ufffd" not in a["completion"]:
                wrong.append(f"{prompt!r}: other texts: {a['completion']!r}, vLLM {b['text']!r}")
            same += 1
        elif b["lead"][parts] <= TIE:
            ties += 1
        else:
            wrong.append(f"{prompt!r}: parts at token {parts}: {a['tokens'][parts]}, vLLM {b['tokens'][parts]}, which "
                         f"leads by {b['lead'][parts]:.1e}")
    said = (f"{same} of {len(PROMPTS)} texts of {TOKENS} tokens are the same, {ties} part at a tie; largest difference "
            f"of {tokens} log-probabilities {largest:.1e}; {kinds} different tokens in a text and more")
    return not wrong and largest <= TOLERANCE and kinds > 5, "\n  ".join([said, *wrong])


def main() -> int:
    from importlib.metadata import version

    import torch
    from family_parity import make_model
    from fixtures import Report, export
    from sentencepiece_tokenizers import make_tokenizer

    torch.set_num_threads(1)
    report = Report()
    print(f"vLLM {version('vllm-cpu')}, transformers {version('transformers')}, torch {version('torch')}")
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        exports = []
        for number, (name, (prefix, settings, tokenizer)) in enumerate(CASES.items()):
            if len(sys.argv) > 1 and not name.startswith(sys.argv[1]):
                continue
            model = root / str(number)
            model.mkdir()
            rows = {"vocab_size": make_tokenizer(model, tokenizer)} if tokenizer else {}
            make_model(model, prefix, {**COMMON, **rows, **settings}, seed=number)
            if prefix.startswith("Gemma"):
                quieten(model)
            if tokenizer:
                make_tokenizer(model, tokenizer)  # over the one that the model came with
            for dtype in ("f32", "bf16"):
                exports.append((f"{name}: hf {dtype}", root / f"{number}-{dtype}"))
                export(model, exports[-1][1], "--dtype", dtype)
        ours = [hone(exported, root) for _, exported in exports]
        for (name, _), a, b in zip(exports, ours, vllm([exported for _, exported in exports]), strict=True):
            ok, said = compare(a, b)
            report(ok, f"{name}: {said}")
    print("all agree" if not report.failed else f"{report.failed} do not agree")
    return 1 if report.failed else 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["--in-vllm"]:
        in_vllm(sys.argv[2:])
    else:
        sys.exit(main())
