"""Plain data between the judge and the program it judges: length, then JSON.

Only values of Python's own types travel, and only as values: what arrives is built anew, so that no method of
the other side's ever runs here.
"""

import json
import os

READ_FD, WRITE_FD = 3, 4
MAX_BYTES = 8 << 20
MAX_DEPTH = 100
MAX_SMALL_INT = 1 << 62


class NotPlain(Exception):
    """A value that is not plain data, or too deep or large a one."""


class TooLarge(NotPlain):
    """A message of more than MAX_BYTES."""


class Closed(Exception):
    """The other side has ended."""


def encode(value, depth=0):
    if depth > MAX_DEPTH:
        raise NotPlain("deeper than %d" % MAX_DEPTH)
    if value is None or value is True or value is False:
        return value
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        number = int.__index__(value)
        return number if -MAX_SMALL_INT < number < MAX_SMALL_INT else {"int": hex(number)}
    if isinstance(value, float):
        return {"float": float.hex(value)}
    if isinstance(value, complex):
        return {"complex": [float.hex(value.real), float.hex(value.imag)]}
    if isinstance(value, (bytes, bytearray)):
        return {"bytes" if isinstance(value, bytes) else "bytearray": value.hex()}
    if isinstance(value, list):
        return [encode(item, depth + 1) for item in list.__iter__(value)]
    for kind, name in ((tuple, "tuple"), (set, "set"), (frozenset, "frozenset")):
        if isinstance(value, kind):
            return {name: [encode(item, depth + 1) for item in kind.__iter__(value)]}
    if isinstance(value, dict):
        pairs = dict.items(value)
        return {"dict": [[encode(key, depth + 1), encode(item, depth + 1)] for key, item in pairs]}
    raise NotPlain("a value of type %s" % type(value).__name__)


def decode(value, depth=0):
    if depth > MAX_DEPTH:
        raise NotPlain("deeper than %d" % MAX_DEPTH)
    if isinstance(value, list):
        return [decode(item, depth + 1) for item in value]
    if not isinstance(value, dict):
        if isinstance(value, float):
            raise NotPlain("a bare float")
        return value
    if len(value) != 1:
        raise NotPlain("an unknown form")
    ((kind, body),) = value.items()
    try:
        if kind == "int":
            return int(body, 16)
        if kind == "float":
            return float.fromhex(body)
        if kind == "complex":
            return complex(float.fromhex(body[0]), float.fromhex(body[1]))
        if kind == "bytes":
            return bytes.fromhex(body)
        if kind == "bytearray":
            return bytearray.fromhex(body)
        if kind == "dict":
            return {decode(key, depth + 1): decode(item, depth + 1) for key, item in body}
        if kind in ("tuple", "set", "frozenset"):
            items = [decode(item, depth + 1) for item in body]
            return {"tuple": tuple, "set": set, "frozenset": frozenset}[kind](items)
    except (TypeError, ValueError, IndexError, OverflowError) as error:
        raise NotPlain("an unknown form") from error
    raise NotPlain("an unknown form")


def send(message):
    body = json.dumps(message).encode()
    if len(body) > MAX_BYTES:
        raise TooLarge("more than %d bytes" % MAX_BYTES)
    view = memoryview(len(body).to_bytes(4, "little") + body)
    try:
        while view:
            view = view[os.write(WRITE_FD, view) :]
    except OSError as error:
        raise Closed from error


def read_exactly(size):
    parts = []
    while size > 0:
        try:
            part = os.read(READ_FD, min(size, 1 << 20))
        except OSError as error:
            raise Closed from error
        if not part:
            raise Closed
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def receive():
    size = int.from_bytes(read_exactly(4), "little")
    if size > MAX_BYTES:
        raise TooLarge("more than %d bytes" % MAX_BYTES)
    try:
        return json.loads(read_exactly(size))
    except (ValueError, RecursionError) as error:
        raise NotPlain("no JSON") from error
