"""Tokenizers as SentencePiece trains them and as they are published with Llama 2, Mistral, Phi-3 and Gemma, or saved by
transformers 5: a tokenizer.json with every merge that the pieces allow, in the order of their scores."""

import io
import json
from pathlib import Path

import sentencepiece
from transformers import AddedToken, LlamaTokenizer

REPOSITORY = Path(__file__).resolve().parents[2]
UNK, BOS, EOS = "<unk>", "<s>", "</s>"
PIECES = {"type": "Sequence", "decoders": [{"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
                                           {"type": "ByteFallback"}, {"type": "Fuse"}]}
STRIPPED = {"type": "Sequence", "decoders": [*PIECES["decoders"], {"type": "Strip", "content": " ", "start": 1, "stop": 0}]}
SPACES = {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}
PREPENDED = {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "▁"}, SPACES]}
SPLIT = {"type": "Split", "pattern": {"String": " "}, "behavior": "MergedWithPrevious", "invert": False}
ALWAYS, FIRST, NEVER = ({"type": "Metaspace", "replacement": "▁", "prepend_scheme": scheme, "split": False}
                        for scheme in ("always", "first", "never"))
RUNS = [mark * length for mark in ("\n", "▁") for length in range(2, 12)]
TURNS = ["<start_of_turn>", "<end_of_turn>"]

# name: the parts of the tokenizer.json, "user" for symbols that the training is given, "added" for tokens added
# afterwards, as (content, special, rstrip), "chat" its template. "legacy": transformers' LlamaTokenizer makes the file.
PLAIN_CHAT = "{{ bos_token }}{% for message in messages %}{{ message.content }}{% endfor %}"
INST_CHAT = ("{{ bos_token }}{% for message in messages %}{% if message.role == 'user' %}[INST] {{ message.content }}[/INST]"
             "{% else %} {{ message.content }}{{ eos_token }}{% endif %}{% endfor %}")
TURNS_CHAT = ("{% for message in messages %}{{ message.role }}: {{ message.content }}\n{% endfor %}")
INST = [("[INST]", True, False), ("[/INST]", True, False), ("<think>", False, False)]
KINDS = {
    "llama 2": {"normalizer": PREPENDED, "decoder": STRIPPED, "added": [("<think>", False, False), ("<pad>", True, False)]},
    "phi-3": {"normalizer": PREPENDED, "decoder": STRIPPED, "rstrip": [EOS],
              "added": [("<|endoftext|>", True, False), ("<|assistant|>", True, True), ("<|end|>", True, True)]},
    "gemma": {"normalizer": SPACES, "pre_tokenizer": SPLIT, "decoder": PIECES, "user": [*TURNS, *RUNS], "special": TURNS},
    "metaspace, never": {"pre_tokenizer": NEVER, "decoder": PIECES, "added": [("<a>", False, False), ("<ab>", True, False)]},
    "mistral 0.3": {"pre_tokenizer": FIRST, "decoder": STRIPPED, "added": INST, "chat": INST_CHAT},
    "metaspace, first, without a template": {"pre_tokenizer": FIRST, "decoder": STRIPPED, "added": INST, "chat": None},
    "metaspace, always, spaces behind tokens": {"pre_tokenizer": ALWAYS, "decoder": STRIPPED, "added": INST,
                                                "chat": INST_CHAT},
    "transformers 5, legacy": {"legacy": True, "added": INST, "chat": PLAIN_CHAT},
    "transformers 5": {"legacy": False, "added": INST, "chat": TURNS_CHAT},
}


def corpus() -> list[str]:
    files = [*sorted((REPOSITORY / "docs").glob("*.md")), *sorted((REPOSITORY / "tests/parity").glob("*.py"))]
    return [line for path in files for line in path.read_text(encoding="utf-8").split("\n\n")]


def train(user: list[str]) -> sentencepiece.SentencePieceProcessor:
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(corpus()), model_writer=model, model_type="bpe", vocab_size=2500, byte_fallback=True,
        normalization_rule_name="identity", remove_extra_whitespaces=False, character_coverage=0.9997,
        allow_whitespace_only_pieces=True, split_digits=True, max_sentence_length=100_000, user_defined_symbols=user,
        minloglevel=2)
    return sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())


def merges(vocab: dict[str, int], scores: dict[str, float]) -> list[list[str]]:
    """Each way in which a piece is made of two, best score first, of a piece's own by the ids of the two."""
    result = []
    for piece, score in scores.items():
        ways = [(piece[:at], piece[at:]) for at in range(1, len(piece)) if piece[:at] in vocab and piece[at:] in vocab]
        result += [(score, way) for way in sorted(ways, key=lambda way: (vocab[way[0]], vocab[way[1]]))]
    return [list(way) for score, way in sorted(result, key=lambda entry: -entry[0])]


def added_token(number: int, content: str, special: bool, rstrip: bool = False) -> dict:
    return {"id": number, "content": content, "single_word": False, "lstrip": False, "rstrip": rstrip,
            "normalized": False, "special": special}


def save_with_transformers(folder: Path, kind: dict, vocab: dict[str, int], scores: dict[str, float]) -> int:
    tokenizer = LlamaTokenizer(vocab=vocab, merges=[tuple(merge) for merge in merges(vocab, scores)],
                               legacy=kind["legacy"], add_bos_token=True, chat_template=kind["chat"])
    for content, special, rstrip in kind["added"]:
        tokenizer.add_tokens([AddedToken(content, rstrip=rstrip, normalized=False)], special_tokens=special)
    tokenizer.save_pretrained(folder)
    return len(tokenizer)


def make_tokenizer(folder: Path, name: str) -> int:
    """Writes the files of a tokenizer; returns the size of its vocabulary."""
    kind = KINDS[name]
    user, rstrip = kind.get("user", []), kind.get("rstrip", [])
    processor = train(user)
    pieces = [processor.id_to_piece(i) for i in range(processor.vocab_size())]
    vocab = {piece: i for i, piece in enumerate(pieces)}
    scores = {piece: processor.get_score(i) for piece, i in vocab.items()}
    folder.mkdir(exist_ok=True)
    if "legacy" in kind:
        return save_with_transformers(folder, kind, vocab, scores)
    added = [added_token(vocab[piece], piece, True, piece in rstrip) for piece in (UNK, BOS, EOS)]
    added += [added_token(vocab[piece], piece, piece in kind.get("special", [])) for piece in user]
    for content, special, strips in kind.get("added", []):
        added.append(added_token(len(vocab), content, special, strips))
        vocab[content] = len(vocab)
    bos = {"id": BOS, "ids": [vocab[BOS]], "tokens": [BOS]}
    before, text = {"SpecialToken": {"id": BOS, "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}
    tokenizer = {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": added,
        "normalizer": kind.get("normalizer"), "pre_tokenizer": kind.get("pre_tokenizer"), "decoder": kind["decoder"],
        "post_processor": {"type": "TemplateProcessing", "single": [before, text],
                           "pair": [before, text, {"Sequence": {"id": "B", "type_id": 1}}], "special_tokens": {BOS: bos}},
        "model": {"type": "BPE", "dropout": None, "unk_token": UNK, "continuing_subword_prefix": None,
                  "end_of_word_suffix": None, "fuse_unk": True, "byte_fallback": True, "ignore_merges": False,
                  "vocab": {piece: i for piece, i in vocab.items()}, "merges": merges(vocab, scores)},
    }
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer, ensure_ascii=False), encoding="utf-8")
    (folder / "tokenizer_config.json").write_text(json.dumps({
        "tokenizer_class": "PreTrainedTokenizerFast", "bos_token": BOS, "eos_token": EOS, "unk_token": UNK,
        "chat_template": kind.get("chat", PLAIN_CHAT)}))
    return len(vocab)
