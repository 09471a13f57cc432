"""Which machine this is: a figure without it says nothing."""

import os
import platform
import re
from pathlib import Path

AVX512_FLAGS = {"avx512f", "avx512vl", "avx512dq", "avx512bw"}


def cpu_facts() -> dict[str, str]:
    """The first processor of /proc/cpuinfo, key by key."""
    facts: dict[str, str] = {}
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if not line.strip():
            break
        key, _, value = line.partition(":")
        facts[key.strip()] = value.strip()
    return facts


def best_isa(flags: set[str]) -> str:
    """What hone picks by itself (kernels/exec.cpp)."""
    if not {"avx2", "fma"} <= flags:
        return "scalar"
    return "avx512" if AVX512_FLAGS <= flags else "avx2"


def memory_gib() -> float:
    kib = int(re.search(r"MemTotal:\s+(\d+)", Path("/proc/meminfo").read_text()).group(1))
    return round(kib / 2**20, 1)


def describe() -> dict:
    """CPU, cores, memory, the ISA in use and whether HONE_ISA forced it."""
    facts = cpu_facts()
    best = best_isa(set(facts.get("flags", "").split()))
    isa = os.environ.get("HONE_ISA") or best
    # Virtual machines often hide the model's name ("AMD EPYC"); family and model tell it still.
    generation = f"family {facts.get('cpu family', '?')} model {facts.get('model', '?')}"
    return {
        "cpu": facts.get("model name", platform.machine()),
        "generation": generation,
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": memory_gib(),
        "isa": isa,
        "best_isa": best,
        "isa_forced": isa != best,
        "system": f"{platform.system()} {platform.release()}",
    }


def name(machine: dict) -> str:
    """A file name for the machine and ISA."""
    numbers = "-".join(re.findall(r"\d+", machine["generation"]))
    text = f"{machine['cpu']} {numbers} {machine['cores']}c {machine['isa']}"
    if machine["isa_forced"]:
        text += " forced"
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def title(machine: dict) -> str:
    """How the page calls the machine and ISA."""
    isa = {"avx512": "AVX-512", "avx2": "AVX2"}.get(machine["isa"], machine["isa"])
    text = f"{machine['cpu']} ({machine['generation']}), {machine['cores']} cores, {isa}"
    return f"{text} (HONE_ISA={machine['isa']})" if machine["isa_forced"] else text
