"""docs/benchmarks.md, from results."""

from harness import limits, machine
from harness.bars import BARS, Bar

ALL = ("step_vs_trl", "decode_vs_llamacpp", "prefill_vs_llamacpp", "matmul", "attention", "learner", "growth",
       "growth_large")
KINDS = {  # what a full picture would hold
    "a machine with AVX-512": lambda m: m["isa"] == "avx512",
    "a machine that has AVX2 and no more": lambda m: m["isa"] == "avx2" and not m["isa_forced"],
    "a machine with AVX-512 under HONE_ISA=avx2": lambda m: m["isa"] == "avx2" and m["isa_forced"],
}

HEAD = """\
<!-- Written by bench/write_page from bench/results/. Edit bench/harness/page.py. -->
# Benchmarks

`make bench` measures on the machine at hand, keeps the figures in `bench/results/`, and writes this page from all that lie
there. `bench/run_all --only matmul,learner` measures some again; each benchmark runs by itself too and prints one JSON
object (`bench/step_vs_trl --help`).

## How it is measured

- **In pairs.** hone and the peer run in turn (A, B, A, B, …) on the same machine; a ratio is taken inside a round, and the
  median over the rounds is given with the least and the most. Ratios and shares are what is claimed; absolute figures stand
  for orientation, and hold for one machine on one day.
- **The same work.** Two random models of Qwen2's shape in fp32, `micro` (hidden 256, 4 layers, vocabulary 512, 3.3M
  parameters) and `small` (512, 8 layers, 4096, 26M): all sides load the same folder, llama.cpp the same weights as F32 GGUF.
  Prompts of 32 tokens, 64 new ones, EOS suppressed. A step has 8 prompts × 8 completions (`micro`) or 4 × 8 (`small`).
- **Where sides differ, the peer is favoured, but for two things.** llama.cpp samples nothing and is timed without its
  Python; TRL's clock leaves the optimizer's update out; autograd is spared the entropy that both trainers log; LibTorch
  writes into memory that is there, and its keys and values lie without pages. Against the peer: `generate` of transformers
  is timed whole, with its prompt; and hone's weights are packed before a product is timed (in `learner` and in a step the
  packing is timed).
- **`HONE_ISA=avx2` on a machine with AVX-512** holds hone alone to AVX2: the peers are free to use AVX-512 there.
- **AVX-512 is not always twice AVX2.** A processor that runs it in two halves (Zen 4) has the FMA peak of AVX2, as the table
  of machines shows; the bars "with AVX-512" stand there all the same.
- **A virtual core may be shared with a neighbour.** The FMA peak is a loop over registers alone. Where LibTorch's share of it,
  beside hone's in the table of products, is low as well, it is the machine that no product gets further on.
- **A second thread adds what the machine adds.** Decoding few sequences reads all weights for each token: where they do not
  fit a cache (`small`, 105 MB) and one thread alone reads memory nearly as fast as two (table of machines), two threads
  decode nearly as fast as one, whatever the code. Weights of bf16 are half of it. Where they do fit (`micro`), two threads
  meet 21 times a token: how long a line of the cache takes from one core to the other and back stands in the table of
  decode, and is several times as long where the two share no cache. A hypervisor may change that at any time.
- In a step hone's learner takes the activations that its sampler computed, since they are equal to the bit
  ([numerics.md](numerics.md)); `learner` measures forward and backward without that.
- A product's ratio is the least over a layer's products and the head: a bar is reached when all of them reach it. Their
  weights take turns, as many as make up the model, so that they are as warm or cold as in a decode.
"""

PEERS = """\
Peers: TRL's `GRPOTrainer`, transformers' `generate` and autograd on LibTorch, llama.cpp through `llama-cpp-python`;
versions in `bench/requirements.txt`.
"""


MEMORY = """
Where the memory of such a step goes, in fp32: the weights, the gradient (whose memory the next version of the weights
takes), AdamW's two moments and one packed copy for the products are five times the parameters (9.9 GB at 494M; commits up
to 5e1837a held one more). The rest are the activations of one micro-batch (here one group: 544 rows of 1.3 MB), the logits
of 256 rows at a time (156 MB), the cache of keys and values, and `learner.activation_cache_mib` (512 by default: what a
step of this size would keep does not fit it, so its forward is computed again).
"""


def number(value: float) -> str:
    """Three significant digits, thousands set apart."""
    if value >= 1000:
        return f"{float(f'{value:.3g}'):,.0f}"
    return f"{value:.3g}"


def limit(value: float, bar: Bar) -> str:
    return f"{'≤' if bar.at_most else '≥'} {value:g}"


def limit_pair(pair: tuple[float, float], bar: Bar) -> str:
    same = pair[0] == pair[1]
    return limit(pair[0], bar) if same else f"{limit(pair[0], bar)} ({limit(pair[1], bar)} without AVX-512)"


def table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def short(file: dict, files: list[dict]) -> str:
    return f"machine {files.index(file) + 1}"


def bar_cell(bar: Bar, file: dict) -> str:
    result = file["benchmarks"].get(bar.benchmark)
    value = bar.pick(result) if result else None
    if value is None:
        return "not timed"
    isa = file["machine"]["isa"]
    text = f"**{value.value:.2f}**" + (f" ({value.note})" if value.note else "")
    if bar.reached(value.value, bar.aim, isa):
        return text + ", aim"
    return text if bar.reached(value.value, bar.bar, isa) else text + ", below the bar"


def machines_section(files: list[dict]) -> str:
    rows = []
    for file in files:
        results = file["benchmarks"].values()
        threads = sorted({str(result["threads"]) for result in results})
        commits = sorted({result["commit"] for result in results})
        roof = roofline(file)
        peak = f"{number(roof['fma_gflops'])} GFLOP/s" if roof and roof["fma_gflops"] else "not taken"
        read = f"{number(roof['read_gb_s'])} GB/s" if roof else "not taken"
        if roof and "read_one_thread_gb_s" in roof:
            read += f", one thread {number(roof['read_one_thread_gb_s'])}"
        rows.append([short(file, files), machine.title(file["machine"]), ", ".join(threads),
                     f"{file['machine']['memory_gib']:g} GiB", peak, read, ", ".join(commits)])
    return "## Machines\n\n" + table(
        ["", "machine, ISA", "threads", "memory", "FMA peak", "memory read", "commit"], rows)


def bars_section(files: list[dict]) -> str:
    rows = [[bar.what, limit_pair(bar.bar, bar), limit_pair(bar.aim, bar), *(bar_cell(bar, file) for file in files)]
            for bar in BARS]
    return "## Against the peers: ratio, bar and aim\n\n" + table(
        ["quantity", "bar", "aim", *(short(file, files) for file in files)], rows)


def roofline(file: dict) -> dict | None:
    """Of the latest native benchmark that took one."""
    for name in ("matmul", "attention"):
        if name in file["benchmarks"]:
            return file["benchmarks"][name]["roofline"]
    return None


def shares(file: dict) -> dict[str, float]:
    """Quantity -> share of the machine's limit."""
    roof, found, benchmarks = roofline(file), {}, file["benchmarks"]
    if not roof or not roof["fma_gflops"]:
        return {}
    for model, row in benchmarks.get("step_vs_trl", {"models": {}})["models"].items():
        share = limits.step_share(model, row["work"], row["hone_step_s"], roof)
        found[f"whole step, {model}: FMA peak"] = share
    for model, rows in benchmarks.get("decode_vs_llamacpp", {"models": {}})["models"].items():
        for row in rows["batches"]:
            share = limits.decode_share(model, row["batch"], row["hone_tokens_per_s"], roof)
            found[f"decode, {model}, batch {row['batch']}: roofline"] = share
    for model, rows in benchmarks.get("prefill_vs_llamacpp", {"models": {}})["models"].items():
        for row in rows["shapes"]:
            share = limits.prefill_share(model, row["hone_tokens_per_s"], roof)
            found[f"prefill, {model}, {row['batch']} × {row['prompt_tokens']}: FMA peak"] = share
    for model, row in benchmarks.get("learner", {"models": {}})["models"].items():
        if "share_of_peak" in row:
            found[f"forward and backward, {model}: FMA peak"] = row["share_of_peak"]
    return found


def limits_section(files: list[dict]) -> str:
    each = [shares(file) for file in files]
    names = list(dict.fromkeys(name for found in each for name in found))
    rows = [[name, *(f"{found[name]:.2f}" if name in found else "not timed" for found in each)] for name in names]
    return ("## Against the machine: share of its limits\n\n"
            "The FMA peak is that of the ISA in use; the roofline is the nearer of peak and memory bandwidth. Both stand above,\n"
            "taken by `matmul`; `learner` takes its own. FLOPs are those the result needs: attention, sampling and the update\n"
            "are left out in a step, attention in a decode and a prefill. A share of the roofline above 1 means that weights\n"
            "came from a cache.\n\n"
            + table(["quantity", *(short(file, files) for file in files)], rows))


def per_machine(files: list[dict], benchmark: str, title: str, render) -> str:
    parts = []
    for file in files:
        result = file["benchmarks"].get(benchmark)
        if result:
            parts.append(f"**{short(file, files)}** ({machine.title(file['machine'])})\n\n{render(result)}")
    return f"## {title}\n\n" + "\n".join(parts) if parts else ""


def share_cell(row: dict, key: str) -> str:
    return f"{row[key]:.2f}" if key in row else "–"


def render_step(result: dict) -> str:
    rows = []
    for model, row in result["models"].items():
        rows.append([model, number(row["hone_step_s"]), number(row["hone_rollout_s"]), number(row["hone_learn_s"]),
                     number(row["trl_step_s"]), number(row["hone_peak_rss_bytes"] / 2**20),
                     number(row["trl_peak_rss_bytes"] / 2**20)])
    return table(["model", "hone, s", "of it rollout", "of it learning", "TRL, s", "hone, MiB", "TRL, MiB"], rows)


def render_decode(result: dict) -> str:
    rows = []
    for model, found in result["models"].items():
        for row in found["batches"]:
            other = row.get("transformers_tokens_per_s")
            rows.append([model, str(row["batch"]), number(row["hone_tokens_per_s"]), number(row["llamacpp_tokens_per_s"]),
                         number(other) if other else "–", number(row["hone_one_thread_tokens_per_s"]),
                         f"{row['bf16_ratio']['median']:.2f}" if "bf16_ratio" in row else "–", round_trip(row)])
    return table(["model", "batch", "hone, tokens/s", "llama.cpp", "transformers", "hone, 1 thread",
                  'hone, `dtype = "bf16"` / `"f32"`', "a line there and back, ns"], rows)


def round_trip(row: dict) -> str:
    """Of a line of the cache between two cores; from the least to the most, where the machine changed."""
    trip = row.get("line_round_trip_ns")
    if trip is None:
        return "–"
    changed = trip["most"] > 1.2 * trip["least"]
    return f"{trip['median']:.0f}" + (f" ({trip['least']:.0f}–{trip['most']:.0f})" if changed else "")


def render_prefill(result: dict) -> str:
    rows = []
    for model, found in result["models"].items():
        for row in found["shapes"]:
            rows.append([model, f"{row['batch']} × {row['prompt_tokens']}", number(row["hone_tokens_per_s"]),
                         number(row["llamacpp_tokens_per_s"])])
    return table(["model", "prompts × tokens", "hone, tokens/s", "llama.cpp"], rows)


def render_learner(result: dict) -> str:
    rows = []
    for model, row in result["models"].items():
        rows.append([model, f"{row['rows']:,}", number(row["hone_s"]), number(row["autograd_s"]),
                     number(row["hone_peak_rss_bytes"] / 2**20), number(row["autograd_peak_rss_bytes"] / 2**20)])
    return table(["model", "hone's rows", "hone, s", "autograd, s", "hone, MiB", "autograd, MiB"], rows)


def render_matmul(result: dict) -> str:
    rows = []
    for model, found in result["models"].items():
        for row in found:
            rows.append([model, row["product"], row["what"], f"{row['rows']} × {row['k']} × {row['n']}",
                         number(row["hone_gflops"]), number(row["libtorch_gflops"]), f"{row['ratio']:.2f}",
                         share_cell(row, "share_of_peak"), share_cell(row, "libtorch_share_of_peak"),
                         share_cell(row, "share_of_roofline")])
    return table(["model", "product", "", "rows × k × n", "hone, GFLOP/s", "LibTorch", "ratio", "hone of peak",
                  "LibTorch of peak", "hone of roofline"], rows)


def render_attention(result: dict) -> str:
    rows = []
    for model, found in result["models"].items():
        for row in found:
            rows.append([model, row["what"], f"{row['sequences']} × {row['length']}", number(row["hone_gflops"]),
                         number(row["hone_gb_s"]) if "hone_gb_s" in row else "–", f"{row['ratio']:.2f}",
                         share_cell(row, "share_of_peak"), share_cell(row, "share_of_roofline")])
    return table(["model", "", "sequences × length", "hone, GFLOP/s", "hone, GB/s", "hone / LibTorch", "of peak",
                  "of roofline"], rows)


COLUMNS = {"tokens_per_s": "tokens/s", "step_s": "step, s", "rollout_s": "rollout, s", "learn_s": "learning, s",
           "peak_rss_bytes": "peak memory, MiB",
           "new_tokens": "new tokens", "micro_batch_tokens": "rows of a micro-batch"}


def render_growth(result: dict) -> str:
    parts = []
    for name, points in result["sections"].items():
        head = [COLUMNS.get(key, key) for key in points[0]]
        rows = [[number(value / 2**20 if key == "peak_rss_bytes" else value) if isinstance(value, float)
                 or key == "peak_rss_bytes" else f"{value:,}" for key, value in point.items()] for point in points]
        parts.append(f"By {name}:\n\n{table(head, rows)}" if name != "large" else table(head, rows))
    return "\n".join(parts)


def untimed_section(files: list[dict]) -> str:
    lines = [f"- {kind}" for kind, test in KINDS.items() if not any(test(file["machine"]) for file in files)]
    for file in files:
        missing = [name for name in ALL if name not in file["benchmarks"]]
        if missing:
            lines.append(f"- on {short(file, files)}: {', '.join(missing)}")
    lines.append("- a GPU, more than one socket, any processor that is not x86-64")
    return "## What was never timed\n\n" + "\n".join(lines) + "\n"


def render(files: list[dict]) -> str:
    parts = [HEAD, PEERS]
    if any(result["quick"] for file in files for result in file["benchmarks"].values()):
        parts.append("**Some figures here are of a quick run, which shows that the benchmarks work and nothing else.**\n")
    if files:
        parts += [
            machines_section(files), bars_section(files), limits_section(files),
            per_machine(files, "step_vs_trl", "A GRPO step", render_step),
            per_machine(files, "decode_vs_llamacpp", "Decode", render_decode),
            per_machine(files, "prefill_vs_llamacpp", "Prefill", render_prefill),
            per_machine(files, "learner", "Forward and backward of a batch", render_learner),
            per_machine(files, "matmul", "Matrix products", render_matmul),
            per_machine(files, "attention", "Attention", render_attention),
            per_machine(files, "growth", "How cost grows", render_growth),
            per_machine(files, "growth_large", "One step at Qwen2.5-0.5B's shape", render_growth) + MEMORY,
        ]
    parts.append(untimed_section(files))
    return "\n".join(part for part in parts if part)
