"""Every model family and what sets it apart, on tiny random models: transformers' folders in `hone` (log-probabilities
within 1e-4, and the same greedy text), in double by the torch backend (within 1e-9), and `hone`'s folders in
transformers."""

import json
import sys
import tempfile
from pathlib import Path

import torch
import transformers
from fixtures import Report, make_tokenizer, run_hone
from load_parity import hone_logprobs, logprobs_of, sequences, transformers_logprobs, worst
from transformers import AutoModelForCausalLM, modeling_rope_utils

TOLERANCE = 1e-4
IN_DOUBLE = 1e-9
WITH_CASTS = 2e-6  # transformers' float64 as it is: with steps in float32
NEW_TOKENS = 48

LONGROPE = {
    "rope_type": "longrope",
    "short_factor": [1.0, 1.1, 1.3, 1.6],
    "long_factor": [2.0, 3.0, 5.0, 8.0],
    "rope_theta": 10000.0,
    "partial_rotary_factor": 0.67,
}
CONTEXT = 512  # of longrope's long factors
TYPES = ["sliding_attention", "full_attention", "sliding_attention"]


def rope(kind: str, **settings) -> dict:
    return {"rope_parameters": {"rope_type": kind, "rope_theta": 10000.0, **settings}}


# Name: transformers' prefix of the classes, and the settings beside the common ones.
CASES = {
    "llama": ("Llama", {"rope_parameters": {"rope_type": "default", "rope_theta": 500.0}}),
    "llama, biases, head_dim, gelu": (
        "Llama",
        {"attention_bias": True, "mlp_bias": True, "head_dim": 20, "hidden_act": "gelu_pytorch_tanh"},
    ),
    "llama, llama3": (
        "Llama",
        rope("llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=32),
    ),
    "llama, linear": ("Llama", rope("linear", factor=4.0)),
    "llama, dynamic": ("Llama", rope("dynamic", factor=4.0)),
    "llama, yarn": ("Llama", rope("yarn", factor=4.0, original_max_position_embeddings=32)),
    "llama, yarn, every setting": (
        "Llama",
        rope("yarn", factor=4.0, original_max_position_embeddings=40, beta_fast=12.0, beta_slow=2.0, mscale=0.7,
             mscale_all_dim=1.3),
    ),
    "llama, yarn, not truncated": (
        "Llama",
        rope("yarn", factor=8.0, original_max_position_embeddings=16, truncate=False, attention_factor=1.3),
    ),
    "qwen2, windows": (
        "Qwen2",
        {"use_sliding_window": True, "sliding_window": 7, "max_window_layers": 1},
    ),
    "qwen2, layer_types": ("Qwen2", {"use_sliding_window": True, "sliding_window": 9, "layer_types": TYPES}),
    "qwen3": ("Qwen3", {"head_dim": 20}),
    "qwen3, biases, tied": ("Qwen3", {"head_dim": 16, "attention_bias": True, "tie_word_embeddings": True}),
    "mistral": ("Mistral", {"sliding_window": 11, "head_dim": 8}),
    "mistral, no window": ("Mistral", {"sliding_window": None}),
    "phi3": ("Phi3", {"sliding_window": 13}),
    "phi3, longrope, partial": ("Phi3", {"rope_parameters": LONGROPE, "original_max_position_embeddings": 100}),
    "phi3, longrope, long": ("Phi3", {"rope_parameters": LONGROPE, "max_position_embeddings": CONTEXT,
                                      "original_max_position_embeddings": 64}),
    "llama, longrope, long": ("Llama", rope("longrope", short_factor=[1.0, 1.1, 1.3, 1.5, 1.7, 2.0],
                                            long_factor=[1.0, 2.0, 3.0, 5.0, 8.0, 13.0], factor=8.0,
                                            original_max_position_embeddings=64)
                              | {"max_position_embeddings": CONTEXT}),
    "qwen3_moe": (
        "Qwen3Moe",
        {"head_dim": 16, "num_experts": 6, "num_experts_per_tok": 2, "moe_intermediate_size": 24,
         "norm_topk_prob": True, "mlp_only_layers": [1]},
    ),
    "qwen3_moe, plain weights, window": (
        "Qwen3Moe",
        {"head_dim": 16, "num_experts": 5, "num_experts_per_tok": 3, "moe_intermediate_size": 20,
         "decoder_sparse_step": 2, "use_sliding_window": True, "sliding_window": 9},
    ),
    "gemma2": ("Gemma2", {"head_dim": 16, "sliding_window": 9, "query_pre_attn_scalar": 20,
                          "attn_logit_softcapping": 3.0, "final_logit_softcapping": 5.0}),
    "gemma2, no caps": ("Gemma2", {"head_dim": 16, "sliding_window": 9, "attn_logit_softcapping": None,
                                   "final_logit_softcapping": None, "attention_bias": True}),
    "gemma3": (
        "Gemma3",
        {
            "head_dim": 16,
            "sliding_window": 9,
            "query_pre_attn_scalar": 20,
            "layer_types": TYPES,
            "rope_parameters": {
                "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 1e6},
                "sliding_attention": {"rope_type": "default", "rope_theta": 300.0},
            },
        },
    ),
}


def make_model(folder: Path, prefix: str, settings: dict, seed: int) -> int:
    """A random folder as transformers writes it, weights spread wide. Returns the size of its vocabulary."""
    torch.manual_seed(seed)
    tokenizer = make_tokenizer(folder)
    common = dict(
        vocab_size=len(tokenizer),
        hidden_size=48,
        intermediate_size=64,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=128,
        initializer_range=0.1,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    config_class = getattr(transformers, "Gemma3TextConfig" if prefix == "Gemma3" else prefix + "Config")
    config = config_class(**{**common, **settings})
    config._attn_implementation = "eager"
    model = getattr(transformers, prefix + "ForCausalLM")(config).to(torch.float32)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "norm" in name or "bias" in name:  # constants would hide a mistake in them
                parameter.add_(0.2 * torch.randn_like(parameter))
    model.save_pretrained(folder)
    return len(tokenizer)


def greedy(folder: Path, prompts: list[list[int]]) -> list[list[int]]:
    """One whole forward a token."""
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    result = []
    with torch.no_grad():
        for prompt in prompts:
            tokens = list(prompt)
            for _ in range(NEW_TOKENS):
                tokens.append(model(torch.tensor([tokens]), use_cache=False).logits[0, -1].argmax().item())
            result.append(tokens[len(prompt):])
    return result


def hone_greedy(model: Path, prompts: list[list[int]], folder: Path, *flags: str) -> list[list[int]]:
    path = folder / "prompts.jsonl"
    path.write_text("".join(json.dumps({"tokens": tokens}) + "\n" for tokens in prompts))
    out = run_hone("generate", "--model", str(model), "--prompts", str(path), "--greedy", "--ignore-eos",
                   "--max-tokens", str(NEW_TOKENS), *flags)
    return [json.loads(line)["tokens"] for line in out.splitlines()]


class InDouble:
    """torch for a module of transformers, with every cast to float32 one to float64 instead."""

    float = float32 = torch.float64

    def __getattr__(self, name: str):
        return getattr(torch, name)


def float64_logprobs(folder: Path, inputs: list[list[int]]) -> list[list[float]]:
    """transformers' float64 as it is. (Its experts are not in double by default.)"""
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float64, attn_implementation="eager",
                                                 experts_implementation="eager")
    return logprobs_of(model, inputs)


def double_logprobs(folder: Path, inputs: list[list[int]]) -> list[list[float]]:
    """transformers in double throughout. A model in float64 still goes through float32 in norms, softmax, router,
    rotary embedding and the scale of embeddings; here each of these casts is one to float64."""
    model_class = type(AutoModelForCausalLM.from_pretrained(folder))
    module = sys.modules[model_class.__module__]
    to_float = torch.Tensor.float
    module.torch = modeling_rope_utils.torch = InDouble()
    torch.Tensor.float = torch.Tensor.double
    torch.set_default_dtype(torch.float64)
    try:
        model = model_class.from_pretrained(folder, dtype=torch.float64, attn_implementation="eager",
                                            experts_implementation="eager")
        for name, buffer in model.named_buffers():
            if buffer.is_floating_point() and buffer.dtype != torch.float64:
                raise SystemExit(f"{folder}: transformers' buffer {name} is {buffer.dtype}")
        return logprobs_of(model, inputs)
    finally:
        torch.set_default_dtype(torch.float32)
        module.torch = modeling_rope_utils.torch = torch
        torch.Tensor.float = to_float


def main() -> int:
    torch.set_num_threads(1)  # tiny models: threads only wait for each other
    report = Report()
    with tempfile.TemporaryDirectory() as root:
        for number, (name, (prefix, settings)) in enumerate(CASES.items()):
            if len(sys.argv) > 1 and not name.startswith(sys.argv[1]):
                continue
            folder = Path(root) / str(number)
            inputs = sequences(make_model(folder, prefix, settings, seed=number), count=4)
            flags, prompt = [], 20
            if name.endswith(", long"):  # transformers takes the long factors for long sequences alone
                inputs = [(tokens * 50)[:length] for tokens, length in zip(inputs, [65, 128, 300, CONTEXT])]
                flags, prompt = ["--context-length", str(CONTEXT)], 90
            theirs = transformers_logprobs(folder, inputs)
            difference = worst(hone_logprobs(folder, inputs, Path(root), *flags), theirs)
            report(difference <= TOLERANCE, f"{name}: largest difference {difference:.1e}")
            ours = hone_logprobs(folder, inputs, Path(root), "--backend", "torch", "--float64", *flags)
            difference = worst(ours, double_logprobs(folder, inputs))
            report(difference <= IN_DOUBLE, f"{name}: in double, {difference:.1e}")
            difference = worst(ours, float64_logprobs(folder, inputs))
            report(difference <= WITH_CASTS, f"{name}: beside float64 with steps in float32, {difference:.1e}")
            prompts = [tokens[:prompt] for tokens in inputs[-2:]]
            same = hone_greedy(folder, prompts, Path(root), *flags) == greedy(folder, prompts)
            report(same, f"{name}: greedy text of {NEW_TOKENS} tokens {'the same' if same else 'differs'}")
            made = Path(root) / f"{number}-made"
            run_hone("init-model", "--config", str(folder / "config.json"), "--tokenizer",
                     str(folder / "tokenizer.json"), "--seed", "5", "--output", str(made))
            difference = worst(hone_logprobs(made, inputs, Path(root), *flags), transformers_logprobs(made, inputs))
            report(difference <= TOLERANCE, f"{name}: hone's folder in transformers, {difference:.1e}")
    print("all agree" if not report.failed else f"{report.failed} do not agree")
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
