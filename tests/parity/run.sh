#!/usr/bin/env bash
# Runs every parity script. Needs build/release/hone (or HONE=path). Uses HONE_PARITY_PYTHON where given, else makes
# a venv of its own in ${HONE_CACHE:-~/.cache/hone}/parity.
set -euo pipefail
cd "$(dirname "$0")"

python=${HONE_PARITY_PYTHON:-}
if [ -z "$python" ]; then
  venv=${HONE_CACHE:-$HOME/.cache/hone}/parity
  if ! cmp -s requirements.txt "$venv/requirements.txt"; then
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet -r requirements.txt
    cp requirements.txt "$venv/requirements.txt"  # last: marks the venv as whole
  fi
  python=$venv/bin/python
fi

export HF_HUB_OFFLINE=1 TRANSFORMERS_OFFLINE=1 TOKENIZERS_PARALLELISM=false CUDA_VISIBLE_DEVICES=
status=0
for script in *_parity.py; do
  echo "== $script"
  "$python" "$script" || status=1
done
exit $status
