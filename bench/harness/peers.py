"""The peers: their Python environment, the models both sides run, and processes that stay up."""

import json
import os
import subprocess
import venv
from pathlib import Path

from harness.programs import BENCH, CACHE, BenchError, log, run

# Nothing is fetched while measuring, and no GPU helps.
ENVIRONMENT = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "CUDA_VISIBLE_DEVICES": "",
    "PYTHONWARNINGS": "ignore",
}


def python() -> str:
    """HONE_BENCH_PYTHON, else that of a venv which is made at the first use."""
    given = os.environ.get("HONE_BENCH_PYTHON")
    if given:
        if not Path(given).exists():
            raise BenchError(f"HONE_BENCH_PYTHON={given}: no such file")
        return given
    wanted = (BENCH / "requirements.txt").read_text()
    folder = CACHE / "venv"
    mark = folder / "requirements.txt"
    if not mark.exists() or mark.read_text() != wanted:
        log(f"making the peers' environment in {folder} (minutes: llama.cpp is compiled)")
        venv.create(folder, with_pip=True, clear=True)
        run([str(folder / "bin" / "pip"), "install", "--quiet", "-r", str(BENCH / "requirements.txt")])
        mark.write_text(wanted)  # last: marks the environment as whole
    return str(folder / "bin" / "python")


def threads_environment(threads: int) -> dict[str, str]:
    return {**ENVIRONMENT, "OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}


def script(name: str) -> str:
    return str(BENCH / "peers" / name)


def model(name: str) -> Path:
    """The Hugging Face folder of a benchmark model, made at the first use; all sides read this one."""
    folder = CACHE / "models" / name
    if not (folder / "prompts.jsonl").exists():  # written last
        log(f"making the model {name}")
        run([python(), script("make_model.py"), name, str(folder)], ENVIRONMENT)
    return folder


def gguf(name: str) -> Path:
    """The same weights as an F32 GGUF file."""
    path = CACHE / "models" / f"{name}-f32.gguf"
    if not path.exists():
        log(f"making {path.name}")
        run([python(), script("make_gguf.py"), str(model(name)), str(path)], ENVIRONMENT)
    return path


class Peer:
    """A peer's script that stays up, so that loading is never timed: a JSON line in, a JSON line out."""

    def __init__(self, name: str, arguments: list[str], threads: int):
        self._name = name
        self._process = subprocess.Popen(
            [python(), script(name), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **threads_environment(threads)},
        )
        self.about = self._read()  # the peer says hello when it is ready

    def ask(self, **job) -> dict:
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()
        return self._read()

    def _read(self) -> dict:
        line = self._process.stdout.readline()
        if not line:
            raise BenchError(f"the peer {self._name} ended with {self._process.wait()}; its errors stand above")
        return json.loads(line)

    def __enter__(self) -> "Peer":
        return self

    def __exit__(self, *_) -> None:
        self._process.stdin.close()
        self._process.wait()
