"""Running a native benchmark (bench/native/), which pairs by itself, over the common flags."""

from harness.programs import program, run_json


def measure(name: str, flags) -> dict:
    command = [program(name), "--models", ",".join(flags.models), "--threads", str(flags.threads),
               "--rounds", str(flags.pairs)]
    return run_json(command + ["--quick"] * flags.quick, show=True)
