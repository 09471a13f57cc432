#!/usr/bin/env bash
# Makes a bare Debian 12 machine ready to build hone: Debian packages, and LibTorch from its PyPI wheel.
# Run again at any time: it only does what is left. Downloads are kept in ~/.cache/hone (or HONE_CACHE).
set -euo pipefail
cd "$(dirname "$0")/.."
source tools/versions.sh
cache=${HONE_CACHE:-$HOME/.cache/hone}
libtorch=$cache/libtorch-$HONE_TORCH_VERSION

packages=(
  g++ cmake ninja-build ccache                                    # build
  python3 python3-venv                                            # only to fetch the wheel
  libcaf-dev                                                      # actors
  libzmq3-dev cppzmq-dev libflatbuffers-dev flatbuffers-compiler  # messages
  libtomlplusplus-dev libcli11-dev libspdlog-dev libfmt-dev       # config, command line, log
  nlohmann-json3-dev libvalijson-dev                              # JSON, its schemas
  libpcre2-dev libutf8proc-dev                                    # patterns, Unicode
  libgmp-dev libmpfr-dev libmpc-dev                               # exact and precise arithmetic
  libzstd-dev libxxhash-dev                                       # traces, fingerprints
  libprotobuf-dev protobuf-compiler                               # TensorBoard files
  libgtest-dev libgmock-dev                                       # tests
)

say() { printf 'setup: %s\n' "$*" >&2; }

install_packages() {
  local missing=()
  for package in "${packages[@]}"; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return
  local root=()
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || { say "need root or sudo to install: ${missing[*]}"; exit 1; }
    root=(sudo)
  fi
  say "installing ${missing[*]}"
  "${root[@]}" apt-get update -qq
  "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >&2
}

# The wheels are unpacked, not installed: hone needs the headers and libraries and no Python.
fetch_libtorch() {
  [ -e "$libtorch/complete" ] && return
  [ "$(uname -m)" = x86_64 ] || { say "expected an x86-64 machine, found $(uname -m)"; exit 1; }
  mkdir -p "$cache"
  local work
  work=$(mktemp -d "$cache/.setup-XXXXXX")
  # Expanded now, on purpose: $work is local and gone when the trap runs.
  # shellcheck disable=SC2064
  trap "rm -rf '$work'" EXIT
  say "fetching LibTorch $HONE_TORCH_VERSION (about 530 MB, once)"
  while read -r requirement hash; do
    [ -n "$requirement" ] && echo "$requirement --hash=sha256:$hash"
  done <<<"$HONE_WHEELS" >"$work/requirements.txt"
  python3 -m venv "$work/venv"
  "$work/venv/bin/pip" --disable-pip-version-check download -q --no-deps --require-hashes \
    --only-binary=:all: --python-version 3.11 --implementation cp --abi cp311 --abi abi3 --abi none \
    --platform manylinux_2_28_x86_64 --platform manylinux_2_25_x86_64 \
    --platform manylinux_2_17_x86_64 --platform manylinux2014_x86_64 \
    -r "$work/requirements.txt" -d "$work/wheels" >&2
  mkdir "$work/tree"
  local wheel
  for wheel in "$work"/wheels/*.whl; do python3 -m zipfile -e "$wheel" "$work/tree"; done
  # What hone links and includes; the rest of the wheel (CUDA kernels, Python) is 800 MB more.
  if [ "${HONE_KEEP_CUDA:-0}" != 1 ]; then
    rm -f "$work"/tree/torch/lib/libtorch_{cuda,cuda_linalg,nvshmem,python}.so
  fi
  touch "$work/tree/complete"
  rm -rf "$libtorch"
  mv "$work/tree" "$libtorch"
}

install_packages
fetch_libtorch
say "ready"
