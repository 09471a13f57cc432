"""How far whole workloads are from what the machine could do: FLOPs and bytes that they need, against its roofline."""

from harness.growth_models import MICRO, SMALL

SHAPES = {"micro": MICRO, "small": SMALL}


def matrix_parameters(shape: tuple) -> tuple[int, int]:
    """Weights that every token is multiplied with: of the layers, of the head."""
    hidden, layers, heads, kv_heads, ffn, vocabulary = shape
    kv = hidden // heads * kv_heads
    return layers * (hidden * (hidden + 2 * kv) + hidden * hidden + 3 * hidden * ffn), hidden * vocabulary


def decode_share(model: str, batch: int, tokens_per_s: float, roofline: dict) -> float:
    """Of the roofline; attention and the cache left out. Above 1: the weights came from a cache, not from memory."""
    weights = sum(matrix_parameters(SHAPES[model]))
    limit = max(batch * 2 * weights / (roofline["fma_gflops"] * 1e9), 4 * weights / (roofline["read_gb_s"] * 1e9))
    return tokens_per_s / batch * limit


def prefill_share(model: str, tokens_per_s: float, roofline: dict) -> float:
    """Of the FMA peak; attention and the head left out."""
    return tokens_per_s * 2 * matrix_parameters(SHAPES[model])[0] / (roofline["fma_gflops"] * 1e9)


def step_share(model: str, work: dict, seconds: float, roofline: dict) -> float:
    """Of the FMA peak: each row once through layers and head in the rollout (a prompt once a group); twice that through
    the layers in the learner, whose forward is the sampler's, and three times through the head, whose logits are
    computed again. Attention, sampling and the update left out."""
    layers, head = matrix_parameters(SHAPES[model])
    completions = work["prompts"] * work["group"] * work["new_tokens"]
    rows = work["prompts"] * work["prompt_tokens"] + completions
    return 2 * (3 * rows * layers + 4 * completions * head) / (roofline["fma_gflops"] * 1e9) / seconds
