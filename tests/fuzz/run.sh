#!/usr/bin/env bash
# Fuzzes every target, or those named, for SECONDS each (60) under ASan and UBSan. A finding stops it and stays in
# build/fuzz/findings; what was learned stays in build/fuzz/corpus.
set -euo pipefail
cd "$(dirname "$0")/../.."
seconds=${1:-60}
shift || true
names=("$@")
if [ ${#names[@]} -eq 0 ]; then
  for source in tests/fuzz/*_target.cpp; do names+=("$(basename "$source" _target.cpp)"); done
fi
command -v clang++ >/dev/null || { echo "run.sh: needs clang (Debian: apt-get install clang)" >&2; exit 1; }
generator=()
if command -v ninja >/dev/null; then generator=(-G Ninja); fi
cmake -S . -B build/fuzz "${generator[@]}" -DCMAKE_CXX_COMPILER=clang++ -DCMAKE_BUILD_TYPE=RelWithDebInfo -DHONE_FUZZ=ON \
  -DHONE_WERROR=OFF >build/fuzz.log 2>&1 || { cat build/fuzz.log; exit 1; }
cmake --build build/fuzz -j "${JOBS:-$(nproc)}" --target "${names[@]/#/fuzz_}"
mkdir -p build/fuzz/findings
for name in "${names[@]}"; do
  corpus=build/fuzz/corpus/$name
  mkdir -p "$corpus"
  echo "== $name"
  build/fuzz/fuzz_"$name" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=512 -max_len=65536 -print_final_stats=1 \
    -artifact_prefix=build/fuzz/findings/"$name"- "$corpus" tests/fuzz/seeds/"$name" 2>&1 | grep -v '^#.*\(REDUCE\|NEW\)'
done
