#!/usr/bin/env bash
# How the quickstart fails when RL begins too early, and what mends it: GRPO from a cold start of fewer steps, with
# the format reward free and gated by the answer. One JSON line a run: reward and accuracy over the steps.
# usage: bench/collapse.sh [QUICKSTART_DIR=runs/quickstart] [COLD_START_STEPS=200] [GRPO_STEPS=60] [SEED=1]
set -euo pipefail
cd "$(dirname "$0")/.."
hone=build/release/hone
run=${1:-runs/quickstart} cold_steps=${2:-200} steps=${3:-60} seed=${4:-1}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$hone" sft configs/quickstart/sft.toml --set run.output_dir="$work" --set run.steps="$cold_steps" --set run.seed="$seed" \
  --set policy.model="$run/model" --set data.train="$run/data/demonstrations.jsonl" >/dev/null 2>"$work/log"
cold=$(ls -d "$work"/cold-start/checkpoints/step-* | tail -n 1)
greedy() { "$hone" eval --model "$1" --data "$run/data/eval.jsonl" --verifier arithmetic --max-tokens 64 | sed 's/.*"pass@1":\([0-9.e-]*\).*/\1/'; }

for gate in free gated; do
  set=()
  [ "$gate" = gated ] && set=(--set reward.1.gate=arithmetic)
  "$hone" train configs/quickstart/grpo.toml --set run.output_dir="$work" --set run.name="$gate" --set run.seed="$seed" \
    --set run.steps="$steps" --set rollout.prompts_per_step=8 --set optimizer.lr_scheduler_type=constant \
    --set policy.model="$cold" --set data.train="$run/data/train.jsonl" "${set[@]}" >/dev/null 2>>"$work/log"
  every=$((steps / 6))
  series() { sed -n "s/.*\"$1\":\([0-9.e-]*\).*/\1/p" "$work/$gate/metrics.jsonl" | awk -v e="$every" 'NR % e == 1 {printf "%s%.3f", n++ ? ", " : "", $1}'; }
  printf '{"format_reward": "%s", "cold_start": %s, "after": %s, "accuracy": [%s], "format": [%s]}\n' "$gate" \
    "$(greedy "$cold")" "$(greedy "$(ls -d "$work/$gate"/checkpoints/step-* | tail -n 1)")" \
    "$(series 'rewards\/arithmetic\/mean')" "$(series 'rewards\/format\/mean')"
done
