"""The outside of every benchmark: its flags, its one JSON object, its errors."""

import argparse
import json
import sys
from collections.abc import Callable

from harness import machine
from harness.programs import BenchError, commit


def parser(about: str, pairs: int, models: bool = True) -> argparse.ArgumentParser:
    """The flags that all benchmarks have."""
    result = argparse.ArgumentParser(
        description=about, formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="One JSON object on stdout, progress on stderr.",
    )
    if models:
        result.add_argument("--models", default="micro,small", help="of bench/peers/make_model.py (micro,small)")
    result.add_argument("--threads", type=int, default=2, help="of every side (2)")
    result.add_argument("--pairs", type=int, default=pairs, help=f"rounds in which every side runs once ({pairs})")
    result.add_argument("--quick", action="store_true", help="one pair and little work: does it run?")
    return result


def parse(arguments: argparse.ArgumentParser) -> argparse.Namespace:
    flags = arguments.parse_args()
    if flags.quick:
        flags.pairs = 1
    if flags.pairs < 1 or flags.threads < 1:
        arguments.error("--pairs and --threads: expected at least 1")
    if hasattr(flags, "models"):
        flags.models = flags.models.split(",")
        unknown = set(flags.models) - {"micro", "small"}
        if unknown:
            arguments.error(f"--models: expected micro or small, found {', '.join(sorted(unknown))}")
    return flags


def main(name: str, flags: argparse.Namespace, measure: Callable[[argparse.Namespace], dict]) -> None:
    """Prints what `measure` gives, with machine, ISA and threads."""
    try:
        about = machine.describe()
        result = {
            "benchmark": name,
            "machine": about,
            "isa": about["isa"],
            "threads": flags.threads,
            "pairs": flags.pairs,
            "quick": flags.quick,
            "commit": commit(),
            **measure(flags),
        }
    except BenchError as error:
        print(f"{name}: {error}", file=sys.stderr)
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    print(json.dumps(result))
