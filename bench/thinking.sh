#!/usr/bin/env bash
# Is the thought needed? Two answers on the quickstart's task, as one JSON object:
#   forbidden  the trained policy of a finished quickstart, whose prompt already ends with an empty thought
#   never      a policy whose demonstrations had no thought at all (and no forgotten carry), the same steps
# usage: bench/thinking.sh [QUICKSTART_DIR=runs/quickstart]
set -euo pipefail
cd "$(dirname "$0")/.."
hone=build/release/hone
run=${1:-runs/quickstart}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

model=$(sed -n 's/.*"model": "\(.*\)",*/\1/p' "$run/summary.json")
sed 's/="/=<think><\/think>"/' "$run/data/eval.jsonl" >"$work/forbidden.jsonl"
pass() { "$hone" eval --model "$1" --data "$2" --verifier arithmetic --max-tokens 64 | sed 's/.*"pass@1":\([0-9.e-]*\).*/\1/'; }

demonstrations=$(wc -l <"$run/data/demonstrations.jsonl")
"$hone" data arithmetic --count "$demonstrations" --seed 2000001 --set carry_error=0 --exclude "$run/data/eval.jsonl" \
  --demonstrations --output "$work/careful.jsonl"
sed 's/<think>[^<]*<\/think>/<think><\/think>/' "$work/careful.jsonl" >"$work/thoughtless.jsonl"
"$hone" sft configs/quickstart/sft.toml --set run.output_dir="$work" --set policy.model="$run/model" \
  --set data.train="$work/thoughtless.jsonl" >/dev/null 2>"$work/log"
cold=$(ls -d "$work"/cold-start/checkpoints/step-* | tail -n 1)
"$hone" train configs/quickstart/grpo.toml --set run.output_dir="$work" --set policy.model="$cold" \
  --set data.train="$run/data/train.jsonl" >/dev/null 2>>"$work/log"
trained=$(ls -d "$work"/grpo/checkpoints/step-* | tail -n 1)

printf '{"with_thought": %s, "thought_forbidden": %s, "never_thought_cold_start": %s, "never_thought_after_grpo": %s}\n' \
  "$(pass "$model" "$run/data/eval.jsonl")" "$(pass "$model" "$work/forbidden.jsonl")" \
  "$(pass "$cold" "$run/data/eval.jsonl")" "$(pass "$trained" "$run/data/eval.jsonl")"
