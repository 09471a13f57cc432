#!/usr/bin/env bash
# Runs every parity script. Needs build/release/hone (or HONE=path). Uses HONE_PARITY_PYTHON where given, else makes
# a venv of its own in ${HONE_CACHE:-~/.cache/hone}/parity.
set -euo pipefail
cd "$(dirname "$0")"
source ./venv.sh
python=${HONE_PARITY_PYTHON:-}
[ -n "$python" ] || python=$(venv_python parity python3 requirements.txt)

export HF_HUB_OFFLINE=1 TRANSFORMERS_OFFLINE=1 TOKENIZERS_PARALLELISM=false CUDA_VISIBLE_DEVICES=
status=0
for script in *_parity.py; do
  echo "== $script"
  "$python" "$script" || status=1
done
exit $status
