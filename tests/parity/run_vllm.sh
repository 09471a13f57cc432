#!/usr/bin/env bash
# Runs vllm_export.py. Needs build/release/hone (or HONE=path) and python3.12. Uses HONE_VLLM_PYTHON where given, else
# makes a venv of its own in ${HONE_CACHE:-~/.cache/hone}/vllm, of 6 GB. Arguments are the script's.
set -euo pipefail
cd "$(dirname "$0")"
source ./venv.sh
python=${HONE_VLLM_PYTHON:-}
[ -n "$python" ] || python=$(venv_python vllm python3.12 vllm_requirements.txt --no-deps)

exec "$python" vllm_export.py "$@"
