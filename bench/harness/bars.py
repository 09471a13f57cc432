"""What hone is measured against: for each quantity the bar it must reach, the aim, and where a result holds it."""

import statistics
from collections.abc import Callable
from dataclasses import dataclass

MODELS = ("micro", "small")
WIDE_ROWS, NARROW_ROWS = (64, 512, 2048), (1, 8)


@dataclass
class Value:
    """What a table shows; `note` tells its spread."""

    value: float
    note: str = ""


@dataclass
class Bar:
    what: str
    benchmark: str
    pick: Callable[[dict], Value | None]  # of the benchmark's result; None: it lacks this
    bar: tuple[float, float]  # with AVX-512, without
    aim: tuple[float, float]
    at_most: bool = False  # reached from above

    def reached(self, value: float, limits: tuple[float, float], isa: str) -> bool:
        limit = limits[0] if isa == "avx512" else limits[1]
        return value <= limit if self.at_most else value >= limit


def both(limit: float) -> tuple[float, float]:
    return (limit, limit)


def paired(ratio: dict) -> Value:
    return Value(ratio["median"], f"{ratio['least']:.2f}–{ratio['most']:.2f}")


def of_model(model: str, key: str) -> Callable[[dict], Value | None]:
    def pick(result: dict) -> Value | None:
        row = result["models"].get(model)
        return paired(row[key]) if row else None

    return pick


def of_row(model: str, rows: str, match: dict, key: str) -> Callable[[dict], Value | None]:
    """The ratio `key` of the row that has these values."""

    def pick(result: dict) -> Value | None:
        for row in result["models"].get(model, {}).get(rows, []):
            if all(row[name] == value for name, value in match.items()) and key in row:
                return paired(row[key])
        return None

    return pick


def of_products(model: str, what: tuple[str, ...], rows: int, key: str) -> Callable[[dict], Value | None]:
    """The least over the products: a bar is reached when all reach it."""

    def pick(result: dict) -> Value | None:
        values = [row[key] for row in result["models"].get(model, [])
                  if row["what"] in what and row["rows"] == rows and key in row]
        return Value(min(values), f"median {statistics.median(values):.2f}") if values else None

    return pick


def step_bars() -> list[Bar]:
    bars = []
    for m in MODELS:
        bars += [
            Bar(f"whole step, TRL / hone, {m}", "step_vs_trl", of_model(m, "ratio"), (4, 3), (7, 4.5)),
            Bar(f"peak memory of a step, hone / TRL, {m}", "step_vs_trl", of_model(m, "peak_rss_ratio"), both(0.4),
                both(0.2), at_most=True),
            Bar(f"step, 1 thread / 2 threads, {m}", "step_vs_trl", of_model(m, "threads_ratio"), both(1.7), both(1.95)),
        ]
    return bars


def decode_bars() -> list[Bar]:
    bars = []
    for m in MODELS:
        for batch, bar in ((1, both(1)), (8, both(1.5)), (32, (2, 1.5)), (64, (2, 1.5))):
            pick = of_row(m, "batches", {"batch": batch}, "ratio")
            bars.append(Bar(f"decode, hone / llama.cpp, {m}, batch {batch}", "decode_vs_llamacpp", pick, bar, both(3)))
        for batch in (32, 64):
            pick = of_row(m, "batches", {"batch": batch}, "transformers_ratio")
            what = f"decode, hone / transformers, {m}, batch {batch}"
            bars.append(Bar(what, "decode_vs_llamacpp", pick, both(3), both(5)))
        for batch in (1, 8, 32, 64):
            pick = of_row(m, "batches", {"batch": batch}, "threads_ratio")
            what = f"decode, 2 threads / 1 thread, {m}, batch {batch}"
            bars.append(Bar(what, "decode_vs_llamacpp", pick, both(1.7), both(1.95)))
        for batch, tokens in ((1, 512), (8, 256), (32, 32)):
            pick = of_row(m, "shapes", {"batch": batch, "prompt_tokens": tokens}, "ratio")
            what = f"prefill, hone / llama.cpp, {m}, {batch} × {tokens}"
            bars.append(Bar(what, "prefill_vs_llamacpp", pick, both(1.2), both(2)))
    return bars


def matmul_bars() -> list[Bar]:
    bars = []
    for m in MODELS:
        for rows in WIDE_ROWS:
            pick = of_products(m, ("forward",), rows, "share_of_peak")
            bars.append(Bar(f"product, share of the FMA peak, {m}, {rows} rows", "matmul", pick, both(0.85), both(0.95)))
        for rows in WIDE_ROWS:
            pick = of_products(m, ("forward",), rows, "ratio")
            bars.append(Bar(f"product, hone / LibTorch, {m}, {rows} rows", "matmul", pick, both(1.1), (2, 1.1)))
        for what in ("dX", "dW"):
            pick = of_products(m, (what,), 2048, "ratio")
            bars.append(Bar(f"product, hone / LibTorch, {m}, {what}, 2048 rows", "matmul", pick, both(1.1), (2, 1.1)))
        for rows in NARROW_ROWS:
            pick = of_products(m, ("forward",), rows, "ratio")
            bars.append(Bar(f"product, hone / LibTorch, {m}, {rows} {'row' if rows == 1 else 'rows'}", "matmul", pick,
                            both(2), both(2.5)))
    return bars


def learner_bars() -> list[Bar]:
    return [Bar(f"forward and backward, autograd / hone, {m}", "learner", of_model(m, "ratio"), both(1.5), both(3))
            for m in MODELS]


BARS = step_bars() + decode_bars() + matmul_bars() + learner_bars()
