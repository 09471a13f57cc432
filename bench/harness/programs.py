"""Where hone and the C++ benchmarks lie, and running them."""

import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
BENCH = REPOSITORY / "bench"
BUILD = Path(os.environ.get("HONE_BUILD", REPOSITORY / "build" / "release"))
CACHE = Path(os.environ.get("HONE_CACHE", Path.home() / ".cache" / "hone")) / "bench"


class BenchError(Exception):
    """Told to the user without a traceback."""


def log(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


def program(name: str) -> str:
    """Path of a built program: "hone", or a benchmark of bench/micro/."""
    path = BUILD / name
    if not path.exists():
        target = "" if name == "hone" else f", then cmake --build {BUILD} --target bench_programs"
        raise BenchError(f"{path} is missing: run `make build`{target} (HONE_BUILD=DIR: another build)")
    return str(path)


@dataclass
class Finished:
    """A process that ended well."""

    stdout: str
    seconds: float
    peak_rss_bytes: int


def run(command: list[str], environment: dict[str, str] | None = None, show: bool = False) -> Finished:
    """Runs to the end; a failure is told with what the process wrote on stderr (`show`: it is shown as it comes)."""
    begin = time.perf_counter()
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=None if show else subprocess.PIPE,
        text=True,
        env={**os.environ, **(environment or {})},
    )
    stdout, stderr, usage = _drain(process)
    seconds = time.perf_counter() - begin
    if process.returncode != 0:
        tail = "its errors stand above" if show else "\n".join(stderr.splitlines()[-20:])
        raise BenchError(f"$ {' '.join(command)}\nended with {process.returncode}:\n{tail}")
    return Finished(stdout, seconds, usage.ru_maxrss * 1024)  # Linux counts in KiB


def _drain(process: subprocess.Popen) -> tuple[str, str, "os.struct_rusage"]:
    """Output of both pipes, then the resources of this one child (getrusage would add up them all)."""
    errors: list[str] = []
    reader = threading.Thread(target=lambda: errors.append(process.stderr.read() if process.stderr else ""))
    reader.start()
    stdout = process.stdout.read()
    reader.join()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return stdout, errors[-1], usage


def run_json(command: list[str], show: bool = False) -> dict:
    """The last line of stdout, parsed."""
    finished = run(command, show=show)
    lines = finished.stdout.strip().splitlines()
    if not lines:
        raise BenchError(f"$ {' '.join(command)}\nprinted nothing")
    return json.loads(lines[-1])


def commit() -> str:
    """Of the source that was measured."""
    done = subprocess.run(
        ["git", "-C", str(REPOSITORY), "describe", "--always", "--dirty"], capture_output=True, text=True
    )
    return done.stdout.strip() or "unknown"
