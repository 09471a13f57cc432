# The front door. Each target does what is left to do and no more.
BUILD := build/release
JOBS  ?= $(shell nproc)
SEED  ?= 1
OUT   ?= runs/quickstart
export CTEST_OUTPUT_ON_FAILURE := 1

.PHONY: build parquet test bench quickstart countdown parity setup clean

build: setup
	@cmake --preset release $$(command -v ninja >/dev/null && echo -G Ninja) >$(BUILD).log 2>&1 || { cat $(BUILD).log; exit 1; }
	cmake --build $(BUILD) -j $(JOBS) --target hone hone_torch

setup:
	@mkdir -p build
	@tools/setup.sh

# The build with a reader of Parquet files: fetches Arrow once (55 MB), then builds as ever.
parquet:
	@mkdir -p build
	@HONE_PARQUET=1 tools/setup.sh
	@$(MAKE) --no-print-directory build

test: build
	cmake --build $(BUILD) -j $(JOBS)
	ctest --test-dir $(BUILD) -j $(JOBS) -LE slow --no-tests=error

quickstart: build
	$(BUILD)/hone quickstart --seed $(SEED) --output $(OUT)

# The longer run of the same kind; tens of minutes on 2 cores.
countdown: build
	$(BUILD)/hone quickstart --task countdown --set-task max_number=50 --set-task tries=8 \
	  --sft configs/countdown-sft.toml --grpo configs/countdown.toml --seed $(SEED) --output runs/countdown

# Against transformers and TRL, in a Python environment of its own. Takes minutes and 3 GB.
parity: build
	cmake --build $(BUILD) -j $(JOBS) --target safetensors_verdict
	HONE=$(abspath $(BUILD)/hone) tests/parity/run.sh

# Everything of docs/benchmarks.md, on this machine; the better part of an hour on 2 cores. BENCH="--only matmul": some of it (bench/run_all).
bench: build
	cmake --build $(BUILD) -j $(JOBS) --target bench_programs
	HONE_BUILD=$(abspath $(BUILD)) bench/run_all $(BENCH)

clean:
	rm -rf build
