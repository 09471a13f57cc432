"""The peers' side of harness/peers.py: JSON lines in, JSON lines out. Whatever a library prints on stdout goes to
stderr, so that an answer stands alone on its line."""

import json
import os
import sys
from collections.abc import Callable


def serve(about: dict, answer: Callable[[dict], dict]) -> None:
    """Says hello, then answers until stdin ends."""
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def send(message: dict) -> None:
        replies.write(json.dumps(message) + "\n")
        replies.flush()

    send(about)
    for line in sys.stdin:
        send(answer(json.loads(line)))
