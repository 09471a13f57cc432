#!/usr/bin/env bash
# Speed of the engine on this machine: decode and prefill of the quickstart's model over batch sizes, JSON Lines.
set -euo pipefail
cd "$(dirname "$0")/.."
hone=build/release/hone
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$hone" init-model --config configs/quickstart/model.json --tokenizer configs/quickstart/tokenizer.json --seed 1 \
  --output "$work/model" 2>/dev/null
for what in decode prefill; do
  "$hone" bench "$what" --model "$work/model" --batch 1,8,32,128 --runs 3
done
