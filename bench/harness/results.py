"""Results on disk: a file a machine and ISA, with the last result of each benchmark."""

import json
from pathlib import Path

from harness import machine
from harness.programs import BENCH

RESULTS = BENCH / "results"


def add(folder: Path, result: dict) -> Path:
    """Puts a benchmark's output into its machine's file, in place of an earlier one."""
    about = result["machine"]
    path = folder / f"{machine.name(about)}.json"
    kept = json.loads(path.read_text()) if path.exists() else {"benchmarks": {}}
    kept["machine"] = about
    kept["benchmarks"][result["benchmark"]] = {
        key: value for key, value in result.items() if key not in ("benchmark", "machine", "isa")
    }
    kept["benchmarks"] = dict(sorted(kept["benchmarks"].items()))
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(dump({"machine": kept["machine"], "benchmarks": kept["benchmarks"]}))
    return path


def load(folder: Path) -> list[dict]:
    """All machines, those with the most capable ISA first, forced ones last."""
    order = {"avx512": 0, "avx2": 1, "scalar": 2}
    files = [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]
    return sorted(files, key=lambda f: (f["machine"]["isa_forced"], order.get(f["machine"]["isa"], 3)))


def dump(value, indent: int = 0) -> str:
    """JSON whose innermost objects and lists of numbers stand on one line each: a change shows as few lines."""
    flat = json.dumps(rounded(value))
    if not isinstance(value, (dict, list)) or len(flat) + indent <= 110:
        return flat + ("\n" if indent == 0 else "")
    pad = " " * (indent + 1)
    if isinstance(value, dict):
        items = [f"{pad}{json.dumps(key)}: {dump(item, indent + 1)}" for key, item in value.items()]
        text = "{\n" + ",\n".join(items) + "\n" + " " * indent + "}"
    elif value and isinstance(value[0], dict):
        items = [pad + json.dumps(rounded(item)) for item in value]
        text = "[\n" + ",\n".join(items) + "\n" + " " * indent + "]"
    else:
        text = flat
    return text + ("\n" if indent == 0 else "")


def rounded(value):
    """Four significant digits: more is noise."""
    if isinstance(value, float):
        return float(f"{value:.4g}")
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [rounded(item) for item in value]
    return value
