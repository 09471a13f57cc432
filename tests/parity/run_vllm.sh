#!/usr/bin/env bash
# Runs vllm_export.py. Needs build/release/hone (or HONE=path) and python3.12. Uses HONE_VLLM_PYTHON where given, else
# makes a venv of its own in ${HONE_CACHE:-~/.cache/hone}/vllm, of 6 GB. Arguments are the script's.
set -euo pipefail
cd "$(dirname "$0")"

python=${HONE_VLLM_PYTHON:-}
if [ -z "$python" ]; then
  venv=${HONE_CACHE:-$HOME/.cache/hone}/vllm
  if ! cmp -s vllm_requirements.txt "$venv/requirements.txt"; then
    python3.12 -m venv "$venv"
    "$venv/bin/pip" install --quiet --no-deps -r vllm_requirements.txt
    cp vllm_requirements.txt "$venv/requirements.txt"  # last: marks the venv as whole
  fi
  python=$venv/bin/python
fi

exec "$python" vllm_export.py "$@"
