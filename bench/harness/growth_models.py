"""Random models of any size for bench/growth, made by `hone init-model`; no peer is needed."""

import json
import random
from pathlib import Path

from harness.programs import REPOSITORY, program, run

TOKENIZER = REPOSITORY / "configs" / "quickstart" / "tokenizer.json"  # byte by byte: a letter is a token
POSITIONS = 16384

# hidden size, layers, heads, kv heads, ffn, vocabulary
MICRO = (256, 4, 4, 2, 768, 512)
SMALL = (512, 8, 8, 2, 1536, 4096)
LARGE = (896, 24, 14, 2, 4864, 151936)  # Qwen2.5-0.5B's
BY_PARAMETERS = [(128, 4, 2, 1, 384, 512), MICRO, SMALL, (768, 12, 12, 4, 2304, 8192)]


def with_vocabulary(shape: tuple, vocabulary: int) -> tuple:
    return (*shape[:5], vocabulary)


def parameters(shape: tuple) -> int:
    """Of a tied Qwen2 model, biases and norms included."""
    hidden, layers, heads, kv_heads, ffn, vocabulary = shape
    kv = hidden // heads * kv_heads
    layer = hidden * (hidden + 2 * kv) + hidden + 2 * kv + hidden * hidden + 3 * hidden * ffn + 2 * hidden
    return layers * layer + vocabulary * hidden + hidden


def make(shape: tuple, folder: Path) -> Path:
    """A model folder inside `folder`, with prompts of 32 tokens beside the weights."""
    hidden, layers, heads, kv_heads, ffn, vocabulary = shape
    model = folder / "-".join(map(str, shape))
    if model.exists():
        return model
    config = folder / f"{model.name}.json"
    config.write_text(json.dumps({
        "architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "hidden_size": hidden,
        "num_hidden_layers": layers, "num_attention_heads": heads, "num_key_value_heads": kv_heads,
        "intermediate_size": ffn, "vocab_size": vocabulary, "max_position_embeddings": POSITIONS,
        "hidden_act": "silu", "rms_norm_eps": 1e-6, "rope_theta": 10000.0, "tie_word_embeddings": True,
        "initializer_range": 0.02, "bos_token_id": None, "eos_token_id": 1, "pad_token_id": 0, "dtype": "float32",
    }))
    run([program("hone"), "init-model", "--config", str(config), "--tokenizer", str(TOKENIZER), "--seed", "1",
         "--output", str(model)])
    rng = random.Random(0)
    letters = "abcdefghijklmnopqrstuvwxyz"
    lines = [json.dumps({"prompt": "".join(rng.choices(letters, k=32))}) + "\n" for _ in range(64)]
    (model / "prompts.jsonl").write_text("".join(lines))
    return model
