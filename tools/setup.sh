#!/usr/bin/env bash
# Makes a bare Debian 12 machine ready to build hone: Debian packages, and LibTorch from its PyPI wheel; with
# HONE_PARQUET=1 also Arrow from its own.
# Run again at any time: it only does what is left. Downloads are kept in ~/.cache/hone (or HONE_CACHE).
set -euo pipefail
cd "$(dirname "$0")/.."
source tools/versions.sh
cache=${HONE_CACHE:-$HOME/.cache/hone}

packages=(
  g++ cmake ninja-build ccache                                    # build
  python3 python3-venv                                            # only to fetch the wheel
  libcaf-dev                                                      # actors
  libzmq3-dev cppzmq-dev libflatbuffers-dev flatbuffers-compiler  # messages
  libtomlplusplus-dev libcli11-dev libspdlog-dev libfmt-dev       # config, command line, log
  nlohmann-json3-dev libvalijson-dev                              # JSON, its schemas
  libpcre2-dev libutf8proc-dev                                    # patterns, Unicode
  libgmp-dev libmpfr-dev libmpc-dev                               # exact and precise arithmetic
  libcurl4-openssl-dev ca-certificates                            # verifiers that are servers
  libzstd-dev zlib1g-dev libxxhash-dev                            # traces and data files, fingerprints
  libprotobuf-dev protobuf-compiler                               # TensorBoard files
  bubblewrap libseccomp-dev                                       # the sandbox of the verifier `code`
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

# fetch_wheels NAME FOLDER WHEELS TRIM: unpacked, not installed: hone needs the headers and libraries and no Python.
# TRIM is called with the unpacked tree and removes what hone does without.
fetch_wheels() {
  local name=$1 folder=$2 wheels=$3 trim=$4
  [ -e "$folder/complete" ] && return
  [ "$(uname -m)" = x86_64 ] || { say "expected an x86-64 machine, found $(uname -m)"; exit 1; }
  mkdir -p "$cache"
  local work
  work=$(mktemp -d "$cache/.setup-XXXXXX")
  # Expanded now, on purpose: $work is local and gone when the trap runs.
  # shellcheck disable=SC2064
  trap "rm -rf '$work'" EXIT
  say "fetching $name"
  while read -r requirement hash; do
    [ -n "$requirement" ] && echo "$requirement --hash=sha256:$hash"
  done <<<"$wheels" >"$work/requirements.txt"
  python3 -m venv "$work/venv"
  "$work/venv/bin/pip" --disable-pip-version-check download -q --no-deps --require-hashes \
    --only-binary=:all: --python-version 3.11 --implementation cp --abi cp311 --abi abi3 --abi none \
    --platform manylinux_2_28_x86_64 --platform manylinux_2_25_x86_64 \
    --platform manylinux_2_17_x86_64 --platform manylinux2014_x86_64 \
    -r "$work/requirements.txt" -d "$work/wheels" >&2
  mkdir "$work/tree"
  local wheel
  for wheel in "$work"/wheels/*.whl; do python3 -m zipfile -e "$wheel" "$work/tree"; done
  "$trim" "$work/tree"
  touch "$work/tree/complete"
  rm -rf "$folder"
  mv "$work/tree" "$folder"
  rm -rf "$work"
}

# What hone links and includes; the rest of the wheel (CUDA kernels, Python) is 800 MB more.
trim_libtorch() {
  [ "${HONE_KEEP_CUDA:-0}" = 1 ] || rm -f "$1"/torch/lib/libtorch_{cuda,cuda_linalg,nvshmem,python}.so
}

trim_arrow() {
  mv "$1/pyarrow" "$1/wheel"
  mkdir "$1/pyarrow"
  mv "$1"/wheel/{include,libarrow.so.*,libparquet.so.*} "$1/pyarrow"
  rm -rf "$1/wheel"
}

install_packages
fetch_wheels "LibTorch $HONE_TORCH_VERSION (about 530 MB, once)" "$cache/libtorch-$HONE_TORCH_VERSION" \
  "$HONE_WHEELS" trim_libtorch
if [ "${HONE_PARQUET:-0}" = 1 ]; then
  fetch_wheels "Arrow $HONE_ARROW_VERSION (about 55 MB, once)" "$cache/arrow-$HONE_ARROW_VERSION" \
    "$HONE_ARROW_WHEELS" trim_arrow
fi
say "ready"
