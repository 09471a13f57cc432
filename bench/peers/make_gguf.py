"""Writes a model folder of make_model.py as an F32 GGUF file, tensor by tensor.

usage: make_gguf.py MODEL_DIR OUTPUT.gguf
"""

import json
import sys
from pathlib import Path

import gguf
from safetensors.numpy import load_file


def add_shape(writer: gguf.GGUFWriter, config: dict) -> None:
    rope = config.get("rope_parameters") or config
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_freq_base(rope.get("rope_theta", 10000.0))
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)


def add_tokenizer(writer: gguf.GGUFWriter, tokenizer: dict, config: dict) -> None:
    special = {token["id"]: token["content"] for token in tokenizer["added_tokens"]}
    texts = {**{id: text for text, id in tokenizer["model"]["vocab"].items()}, **special}
    ids = range(config["vocab_size"])
    kinds = gguf.TokenType
    writer.add_tokenizer_model("gpt2")  # byte-level BPE
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list([texts[id] for id in ids])
    writer.add_token_types([kinds.CONTROL if id in special else kinds.NORMAL for id in ids])
    merges = tokenizer["model"]["merges"]
    writer.add_token_merges([merge if isinstance(merge, str) else " ".join(merge) for merge in merges])
    writer.add_eos_token_id(config["eos_token_id"])
    writer.add_add_bos_token(False)


def main(folder: Path, output: str) -> None:
    config = json.loads((folder / "config.json").read_text())
    partial = output + ".partial"  # a file that is there is whole
    writer = gguf.GGUFWriter(partial, "qwen2")
    writer.add_name(folder.name)
    add_shape(writer, config)
    add_tokenizer(writer, json.loads((folder / "tokenizer.json").read_text()), config)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.QWEN2, config["num_hidden_layers"])
    for name, tensor in load_file(folder / "model.safetensors").items():
        theirs = names.get_name(name, try_suffixes=(".weight", ".bias"))
        if theirs is None:
            sys.exit(f"no GGUF name is known for the tensor {name}")
        writer.add_tensor(theirs, tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    Path(partial).rename(output)


if len(sys.argv) != 3:
    sys.exit(__doc__)
main(Path(sys.argv[1]), sys.argv[2])
