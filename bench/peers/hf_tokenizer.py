"""Hugging Face's tokenizers in one thread: all documents once for each line on stdin, "encode" or "decode".

usage: hf_tokenizer.py TOKENIZER_JSON DOCUMENTS_JSONL
"""

import json
import sys
import time

import tokenizers


def main(path: str, documents: str) -> None:
    tokenizer = tokenizers.Tokenizer.from_file(path)
    with open(documents, encoding="utf-8") as lines:
        texts = [json.loads(line) for line in lines]
    ids = [encoding.ids for encoding in tokenizer.encode_batch(texts, add_special_tokens=False)]
    about = {"version": tokenizers.__version__, "bytes": sum(len(text.encode()) for text in texts),
             "tokens": sum(map(len, ids))}
    print(json.dumps(about), flush=True)
    for job in sys.stdin:
        begin = time.perf_counter()
        if job.strip() == "decode":
            tokenizer.decode_batch(ids, skip_special_tokens=False)
        else:  # without offsets: the faster of its calls
            tokenizer.encode_batch_fast(texts, add_special_tokens=False)
        print(json.dumps({"seconds": time.perf_counter() - begin}), flush=True)


if len(sys.argv) != 3:
    sys.exit(__doc__)
main(*sys.argv[1:])
