"""Which safetensors files `hone` accepts, beside the `safetensors` package: header by header from a corpus and from random
changes of it. What the package refuses must be refused. What it accepts must be accepted, but for the rules in which
hone is stricter on purpose (STRICTER), each of which is a message of its own."""

import json
import os
import random
import struct
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import safetensors

BUILD = Path(os.environ.get("HONE", Path(__file__).resolve().parents[2] / "build/release/hone")).parent
STRICTER = ["stands here twice", "does not begin with '{'", "is not supported", "expected an object, found an array",
            "nested deeper", "in shape is too large", "has more than 64 sizes", "more than 65536 keys", "more than 131072"]


def entry(dtype="F32", shape=(1,), offsets=(0, 4)) -> dict:
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}


def whole(header: str | bytes, data: bytes = b"", length: int | None = None) -> bytes:
    header = header.encode() if isinstance(header, str) else header
    return struct.pack("<Q", len(header) if length is None else length) + header + data


def corpus() -> list[bytes]:
    two = json.dumps({"__metadata__": {"format": "pt"}, "a": entry(), "b": entry("BF16", (2, 2), (4, 12))})
    files = [b"", b"1234567", whole("{}"), whole("{}  "), whole(" {}"), whole("{}\0\0"), whole("[]"), whole("null"), whole("{"),
             whole("", length=1 << 63), whole("{}", length=100_000_001), whole("{}", length=3), whole(two, bytes(12)),
             whole(two, bytes(11)), whole(two, bytes(13)), whole('{"__metadata__":null}'), whole('{"__metadata__":{"a":1}}'),
             whole('{"a":["F32",[1],[0,4]]}', bytes(4)), whole(b'{"\xff":{}}'), whole('{"\\ud800":{}}'),
             whole('{"a":' + "[" * 100_000)]
    one = json.dumps(entry())
    files += [whole(f'{{"a":{one},"a":{one}}}', bytes(4)), whole('{"__metadata__":{"a":"","a":""}}'),
              whole('{"a":{"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]}}', bytes(4))]
    for dtype in ["BOOL", "U8", "I8", "F8_E5M2", "F8_E4M3", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ", "I16", "U16", "F16",
                  "BF16", "I32", "U32", "F32", "I64", "U64", "F64", "C64", "F4", "F6_E2M3", "F6_E3M2", "f32", "", "F3"]:
        for size in [1, 2, 4, 8, 16]:
            files.append(whole(json.dumps({"a": entry(dtype, (2,), (0, size))}), bytes(size)))
    for shape in [(), (0,), (0, 7), (2**32, 2**32), (2**62,), (2**64 - 1, 0), (2**32, 2**32, 0), (0, 2**40, 2**40), (1,) * 65,
                  (2**63,), (-1,), (1.0,), (4.5,), ("1",), (None,), (True,)]:
        for size in [0, 4]:
            files.append(whole(json.dumps({"a": entry("F32", shape, (0, size))}), bytes(size)))
    for offsets in [(0,), (0, 4, 8), (4, 0), (1, 5), (0, 8), (-1, 4), (0, 2**64 - 1), (0, 2**64), (0.0, 4)]:
        files.append(whole(json.dumps({"a": entry("F32", (1,), offsets)}), bytes(8)))
    for first, second in [((0, 4), (4, 8)), ((4, 8), (0, 4)), ((0, 4), (8, 12)), ((0, 4), (2, 6)), ((0, 4), (0, 4))]:
        files.append(whole(json.dumps({"a": entry(offsets=first), "b": entry(offsets=second)}), bytes(8)))
    return files


def mutated(files: list[bytes], rng: random.Random) -> bytes:
    """Changes within the header; its length follows, most of the time."""
    file = rng.choice(files)
    header, data = file[8:], b""
    if (end := header.rfind(b"}") + 1) > 0:
        header, data = header[:end], header[end:]
    words = [b"0", b"1", b"4", b"8", b",", b"[", b"]", b"{", b"}", b'"', b" ", b"\\", b"\0", b"-", b".5", b"e1", b'"a":', b"null",
             b"18446744073709551616", b"true", b'"dtype":', b"\xc3\xa9", b"\xed\xa0\x80"]
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(len(header) + 1)
        header = header[:at] + (rng.choice(words) if rng.random() < 0.7 else b"") + header[at + rng.randint(0, 3):]
    return whole(header, data, None if rng.random() < 0.95 else rng.randrange(200))


def theirs(file: bytes) -> bool:
    try:
        safetensors.deserialize(file)
        return True
    except safetensors.SafetensorError:
        return False


def ours(files: list[bytes], root: Path) -> list[str]:
    paths = []
    for i, file in enumerate(files):
        paths.append(root / str(i))
        paths[-1].write_bytes(file)
    run = subprocess.run([str(BUILD / "safetensors_verdict")], input="".join(f"{p}\n" for p in paths), text=True,
                         capture_output=True, check=True)
    return run.stdout.splitlines()


def main() -> int:
    rng = random.Random(2)
    files = corpus()
    seeds = [file for file in files if len(file) < 1000]
    files += [mutated(seeds, rng) for _ in range(20_000)]
    with tempfile.TemporaryDirectory() as root:
        verdicts = ours(files, Path(root))
    assert len(verdicts) == len(files), (len(verdicts), len(files))
    wrong, stricter, accepted = 0, Counter(), 0
    for file, verdict in zip(files, verdicts):
        peer = theirs(file)
        accepted += peer
        if (verdict == "accepted") == peer:
            continue
        rule = next((rule for rule in STRICTER if peer and rule in verdict), None)
        if rule:
            stricter[rule] += 1
            continue
        wrong += 1
        if wrong <= 5:
            print(f"MISS {file[:300]!r}: safetensors {'accepts' if peer else 'refuses'}; hone: {verdict[:300]}")
    for rule, count in stricter.items():
        print(f"     stricter: {rule}: {count}")
    print(f"{'MISS' if wrong else 'ok  '} {len(files)} files, of which the package accepts {accepted}: {wrong} verdicts differ")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
