"""Paired runs: every side is run once in each round (A, B, A, B, …), so that what the machine does
besides falls on all of them alike; a ratio is taken inside a round, and the median over the rounds."""

import statistics
from collections.abc import Callable


def median(values: list[float]) -> float:
    return statistics.median(values)


def rounds(count: int, sides: dict[str, Callable[[], object]]) -> dict[str, list]:
    """Calls each side once a round, in order; its results, round by round."""
    results: dict[str, list] = {name: [] for name in sides}
    for _ in range(count):
        for name, measure in sides.items():
            results[name].append(measure())
    return results


def spread(values: list[float], digits: int = 3) -> dict:
    return {"median": round(median(values), digits), "least": round(min(values), digits),
            "most": round(max(values), digits)}


def ratio(above: list[float], below: list[float]) -> dict:
    """above / below, round by round."""
    return spread([a / b for a, b in zip(above, below, strict=True)])
