"""`hone export` in the programs that it is for. As hf (f32, bf16, f16; whole and in shards): transformers loads the
folder, and its log-probabilities agree with `hone logprobs` on it. As gguf, every family that is written: llama.cpp
cuts texts into the same tokens, its log-probabilities of an f32 file agree with `hone logprobs` on the checkpoint, its
greedy text is that of `hone generate`, to chats too, and the narrower types stay within bounds of their own. What GGUF
cannot say is refused with exit code 2 and the name of the setting."""

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from family_parity import CASES, LONGROPE, TYPES, hone_greedy, make_model, rope
from fixtures import HONE, Report, export, run_hone
from llama_cpp import Llama
from load_parity import hone_logprobs, sequences, transformers_logprobs, worst
from safetensors import safe_open
from sentencepiece_tokenizers import make_tokenizer as make_sentencepiece
from transformers import AutoConfig, AutoTokenizer

TOLERANCE = 1e-4  # both compute in fp32
# Of log-probabilities from the checkpoint's. llama.cpp rounds activations to the type of the weights, and has the GELU
# of Gemma as a table of F16.
BOUNDS = {"f32": 1e-4, "f16": 0.06, "bf16": 0.4, "q8_0": 0.4}
GEMMA_F32 = 0.01
TOKENS = 48

GEMMA = {"head_dim": 16, "query_pre_attn_scalar": 16, "sliding_window": 9}
EXPERTS = {"head_dim": 16, "num_experts": 6, "num_experts_per_tok": 2, "moe_intermediate_size": 32, "norm_topk_prob": True}
LLAMA3 = rope("llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=32)
WRITTEN = {
    "llama": CASES["llama"],
    "llama, tied": ("Llama", {"tie_word_embeddings": True}),
    "llama, biases, head_dim": ("Llama", {"attention_bias": True, "mlp_bias": True, "head_dim": 20}),
    "llama, llama3": ("Llama", LLAMA3),
    "llama, linear": CASES["llama, linear"],
    "llama, yarn": CASES["llama, yarn"],
    "llama, yarn, its factors": ("Llama", rope("yarn", factor=3.0, original_max_position_embeddings=40, mscale=0.7,
                                               mscale_all_dim=1.3)),
    "mistral, no window": CASES["mistral, no window"],
    "mistral, window of the whole": ("Mistral", {"sliding_window": 128}),
    "mistral, window": ("Mistral", {"sliding_window": 72}),
    "qwen2": ("Qwen2", {}),
    "qwen2, window": ("Qwen2", {"use_sliding_window": True, "sliding_window": 70, "max_window_layers": 1}),
    "qwen2, tied, yarn": ("Qwen2", {"tie_word_embeddings": True, **CASES["llama, yarn"][1]}),
    "qwen3": CASES["qwen3"],
    "qwen3, tied, linear": ("Qwen3", {"head_dim": 16, "tie_word_embeddings": True, **CASES["llama, linear"][1]}),
    "qwen3_moe": ("Qwen3Moe", EXPERTS),
    "qwen3_moe, yarn": ("Qwen3Moe", {**EXPERTS, "tie_word_embeddings": True, **CASES["llama, yarn"][1]}),
    "phi3": ("Phi3", {"sliding_window": None}),
    "phi3, window": ("Phi3", {"sliding_window": 71}),
    "phi3, longrope": ("Phi3", {"sliding_window": None, "rope_parameters": LONGROPE, "max_position_embeddings": 1024,
                                "original_max_position_embeddings": 256}),
    "llama, longrope": ("Llama", rope("longrope", short_factor=[1.1] * 6, long_factor=[4.0] * 6, factor=4.0,
                                      original_max_position_embeddings=256) | {"max_position_embeddings": 1024}),
    "phi3, partial": ("Phi3", {"sliding_window": None, "rope_parameters": {
        "rope_type": "default", "rope_theta": 10000.0, "partial_rotary_factor": 0.67}}),
    "gemma2": ("Gemma2", {**GEMMA, "attn_logit_softcapping": 3.0, "final_logit_softcapping": 5.0}),
    "gemma3": ("Gemma3", {**GEMMA, "num_hidden_layers": 7, "rope_parameters": {
        "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 1e6},
        "sliding_attention": {"rope_type": "default", "rope_theta": 300.0}}}),
}
# Names of sentencepiece_tokenizers.py, and what the warning must name.
CHATS = {"mistral 0.3": "neither with an added token nor with a space", "transformers 5": "what follows an added token"}
LONG = 250  # tokens of a sequence more, where longrope's original length is 256
# … and of one beyond it, where the policy's context is said to be so long: the long factors hold for all positions.
CONTEXT, LONGER = 1024, 600
# … and what the message must name.
REFUSED = {
    "llama, gelu": ("Llama", {"hidden_act": "gelu_pytorch_tanh"}, "hidden_act"),
    "llama, dynamic": (*CASES["llama, dynamic"], 'rope_type: rotary scaling of type "dynamic"'),
    "llama, yarn, not truncated": ("Llama", rope("yarn", factor=4.0, original_max_position_embeddings=32,
                                                 truncate=False), "truncate"),
    "llama, yarn, beta_fast": (*CASES["llama, yarn, every setting"], "beta_fast"),
    "llama, yarn, beta_slow": ("Llama", rope("yarn", factor=4.0, original_max_position_embeddings=32, beta_slow=2.0),
                               "beta_slow"),
    "qwen2, llama3": ("Qwen2", LLAMA3, "rope_type"),
    "qwen2, head_dim": ("Qwen2", {"head_dim": 20}, "head_dim"),
    "qwen3, biases": (*CASES["qwen3, biases, tied"], "attention_bias"),
    "qwen3_moe, a layer without": (*CASES["qwen3_moe"], "mlp_only_layers"),
    "qwen3_moe, plain weights": ("Qwen3Moe", {**EXPERTS, "norm_topk_prob": False}, "norm_topk_prob"),
    "phi3, longrope": ("Phi3", {"sliding_window": None, "rope_parameters": LONGROPE,
                                "original_max_position_embeddings": 100}, "original_max_position_embeddings"),
    "gemma2, no caps": ("Gemma2", {**GEMMA, "attn_logit_softcapping": None}, "attn_logit_softcapping"),
    "gemma2, biases": ("Gemma2", {**GEMMA, "attention_bias": True}, "attention_bias"),
    "gemma2, scale": ("Gemma2", {**GEMMA, "query_pre_attn_scalar": 20}, "query_pre_attn_scalar"),
    "gemma2, untied": ("Gemma2", {**GEMMA, "tie_word_embeddings": False}, "tie_word_embeddings"),
    "gemma3, layer_types": ("Gemma3", {**GEMMA, "layer_types": TYPES}, "layer_types"),
    "gemma3, cap": ("Gemma3", {**GEMMA, "final_logit_softcapping": 5.0}, "final_logit_softcapping"),
}


def check_hf(name: str, model: Path, root: Path, inputs: list[list[int]], report: Report) -> None:
    for dtype in ["f32", "bf16", "f16"]:
        for shard in ["5GB", "20kB"]:
            folder = root / f"{model.name}-{dtype}-{shard}"
            result = export(model, folder, "--dtype", dtype, "--max-shard-size", shard)
            shards = sorted(folder.glob("*.safetensors"))
            stored = {file.get_slice(key).get_dtype() for path in shards for file in [safe_open(path, "pt")]
                      for key in file.keys()}
            said = {"f32": torch.float32, "bf16": torch.bfloat16, "f16": torch.float16}[dtype]
            difference = worst(hone_logprobs(folder, inputs, root), transformers_logprobs(folder, inputs))
            ok = (difference <= TOLERANCE and stored == {dtype.upper()} and (len(shards) > 1) == (shard != "5GB")
                  and AutoConfig.from_pretrained(folder).dtype == said)
            report(ok, f"{name}: hf {dtype} in {len(shards)} file(s): largest difference {difference:.1e}; from the "
                       f"policy {result['probe_max_abs_diff']:.1e}")


def load(path: Path, context: int = 256) -> Llama:
    """With keys and values in F32."""
    return Llama(str(path), n_ctx=context, n_batch=context, n_ubatch=context, n_threads=1, n_threads_batch=1, verbose=False, seed=0,
                 logits_all=True, type_k=0, type_v=0)


def llama_logprobs(peer: Llama, inputs: list[list[int]]) -> list[list[float]]:
    result = []
    for tokens in inputs:
        peer.reset()
        peer.eval(tokens)
        logprobs = torch.tensor(peer.scores[:len(tokens) - 1]).double().log_softmax(-1)
        result.append(logprobs.gather(1, torch.tensor(tokens[1:])[:, None])[:, 0].tolist())
    return result


def typical(a: list[list[float]], b: list[list[float]]) -> float:
    return statistics.median(abs(x - y) for p, q in zip(a, b) for x, y in zip(p, q))


def llama_greedy(peer: Llama, prompts: list[list[int]]) -> list[list[int]]:
    result = []
    for prompt in prompts:
        peer.reset()
        peer.eval(prompt)
        tokens = []
        while len(tokens) < TOKENS:
            tokens.append(int(peer.scores[peer.n_tokens - 1].argmax()))
            peer.eval(tokens[-1:])
        result.append(tokens)
    return result


def check_gguf(name: str, model: Path, root: Path, inputs: list[list[int]], positions: int, report: Report,
               *flags: str) -> None:
    ours = hone_logprobs(model, inputs, root, *flags)
    prompts = [tokens[:20] for tokens in inputs[:2]]
    written = hone_greedy(model, prompts, root, *flags)
    for dtype, bound in BOUNDS.items():
        path = root / f"{model.name}-{dtype}.gguf"
        export(model, path, "--format", "gguf", "--dtype", dtype, *flags)
        peer = load(path, CONTEXT if flags else 256)
        if dtype == "f32":
            context = int(peer.metadata[peer.metadata["general.architecture"] + ".context_length"])
            report(context == positions, f"{name}: the file has contexts of {context} tokens, expected {positions}")
            bound = GEMMA_F32 if name.startswith("gemma") else bound
            same = llama_greedy(peer, prompts) == written
            report(same, f"{name}: gguf f32: greedy text of {TOKENS} tokens {'the same' if same else 'differs'}")
        theirs = llama_logprobs(peer, inputs)
        difference, what = worst(ours, theirs), "largest"
        if name.startswith("qwen3_moe") and dtype != "f32":  # rounding chooses other experts for some tokens
            difference, what, bound = typical(ours, theirs), "median", bound / 10
        report(difference <= bound, f"{name}: gguf {dtype}: {what} difference {difference:.1e}, bound {bound:g}")
        peer.close()


def check_chat(name: str, tokenizer: str, root: Path, warned: str, report: Report) -> None:
    """From messages to greedy text, with a tokenizer that GGUF says in part: the chats are not of that part."""
    model, path, prompts = root / "chat", root / "chat.gguf", root / "chats.jsonl"
    rows = make_sentencepiece(model, tokenizer)
    make_model(model, "Mistral", {"initializer_range": 0.2, "sliding_window": None, "vocab_size": rows, "bos_token_id": 1,
                                  "eos_token_id": 2}, seed=1)
    make_sentencepiece(model, tokenizer)  # over the one that the model came with
    chats = [[{"role": "user", "content": text}] for text in ["the cat", " 2 + 3 =", "é ▁ 🙂", "<b>a\n", "[INST"]]
    chats += [[*chat, {"role": "assistant", "content": " b"}, *chats[0]] for chat in chats]
    prompts.write_text("".join(json.dumps({"messages": chat}) + "\n" for chat in chats))
    ours = [json.loads(line)["tokens"] for line in run_hone(
        "generate", "--model", str(model), "--prompts", str(prompts), "--greedy", "--ignore-eos", "--max-tokens",
        str(TOKENS)).splitlines()]
    done = subprocess.run([HONE, "export", str(model), "--format", "gguf", "--dtype", "f32", "--output", str(path)],
                          capture_output=True, text=True, check=True)
    report(warned in done.stderr, f"{name}: {done.stderr.strip()}")
    peer, theirs = load(path), AutoTokenizer.from_pretrained(model)
    texts = [theirs.apply_chat_template(chat, tokenize=False) for chat in chats]
    # (The BOS that a template wrote llama.cpp's programs take away, to add it again.)
    found = llama_greedy(peer, [peer.tokenize(text.removeprefix("<s>").encode(), add_bos=text.startswith("<s>"),
                                              special=True) for text in texts])
    same = sum(a == b for a, b in zip(ours, found))
    report(same == len(chats), f"{name}: greedy text of {TOKENS} tokens to {same} of {len(chats)} chats is the same")
    peer.close()


def check_refused(name: str, model: Path, root: Path, key: str, report: Report) -> None:
    output = root / "refused.gguf"
    done = subprocess.run([HONE, "export", str(model), "--format", "gguf", "--output", str(output)],
                          capture_output=True, text=True)
    ok = done.returncode == 2 and f"config.json: {key}" in done.stderr and not output.exists()
    report(ok, f"{name}: exit code {done.returncode}: {done.stderr.strip()}")
    folder = root / f"{model.name}-hf"
    export(model, folder)
    inputs = sequences(AutoConfig.from_pretrained(model).vocab_size, count=1)
    same = hone_logprobs(folder, inputs, root) == hone_logprobs(model, inputs, root)
    report(same, f"{name}: as hf {'the same bits' if same else 'differs'}")


def main() -> int:
    torch.set_num_threads(1)  # tiny models: threads only wait for each other
    report = Report()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for number, (name, (prefix, settings)) in enumerate(WRITTEN.items()):
            if len(sys.argv) > 1 and not name.startswith(sys.argv[1]):
                continue
            model = root / str(number)
            inputs = sequences(make_model(model, prefix, {"initializer_range": 0.2, **settings}, seed=number), count=4)
            if name in ["llama", "qwen2", "gemma3"]:
                check_hf(name, model, root, inputs, report)
            positions = 256 if name.endswith("longrope") else 128
            if "longrope" in name:
                inputs.append((inputs[0] * LONG)[:LONG])
            elif "window" in name:  # up to there both compute the same
                positions = settings["sliding_window"] or 128
                inputs = [tokens[:positions] for tokens in inputs]
            check_gguf(name, model, root, inputs, positions, report)
            if "longrope" in name:
                inputs.append((inputs[0] * LONGER)[:LONGER])
                check_gguf(f"{name}, long", model, root, inputs, CONTEXT, report, "--context-length", str(CONTEXT))
        for tokenizer, warned in CHATS.items():
            name = f"chat, {tokenizer}"
            if len(sys.argv) > 1 and not name.startswith(sys.argv[1]):
                continue
            check_chat(name, tokenizer, root, warned, report)
        for number, (name, (prefix, settings, key)) in enumerate(REFUSED.items()):
            if len(sys.argv) > 1 and not name.startswith(sys.argv[1]):
                continue
            model = root / f"refused-{number}"
            make_model(model, prefix, settings, seed=number)
            check_refused(name, model, root, key, report)
    print("all agree" if not report.failed else f"{report.failed} do not agree")
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
