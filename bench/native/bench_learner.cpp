// Forward and backward of a step's packed batches on the exact backend, as a learner runs them.
//
// Timed: laying out a new version of the weights (they are new in every step), clearing the
// gradient, the forward with log-probabilities and entropies, the backward.
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <iostream>

#include "common/philox.h"
#include "flags.h"
#include "learner/packing.h"
#include "policy/files/model_folder.h"
#include "roofline.h"

namespace hone::bench {
namespace {

struct LearnerFlags {
  std::string model;
  int threads = 2, runs = 3;
  int32_t prompts = 8, group = 8, prompt_tokens = 32, new_tokens = 64;
};

// Groups of random tokens, and the storage that they refer to.
struct Groups {
  std::vector<std::vector<int32_t>> tokens;
  std::vector<PackedGroup> groups;
};

Groups RandomGroups(const LearnerFlags& flags, int64_t vocab_size) {
  PhiloxSequence draws(0, {Purpose::kGenerateData, 0});
  Groups out;
  const auto sequence = [&](int32_t length) {
    std::vector<int32_t> tokens(static_cast<size_t>(length));
    for (int32_t& token : tokens)
      token = static_cast<int32_t>(draws.Below(static_cast<uint32_t>(vocab_size)));
    return tokens;
  };
  for (int32_t g = 0; g < flags.prompts; ++g) {
    out.tokens.push_back(sequence(flags.prompt_tokens));
    for (int32_t s = 0; s < flags.group; ++s) out.tokens.push_back(sequence(flags.new_tokens));
  }
  for (int32_t g = 0; g < flags.prompts; ++g) {
    const size_t first = static_cast<size_t>(g * (flags.group + 1));
    PackedGroup group{out.tokens[first], {}};
    for (int32_t s = 0; s < flags.group; ++s)
      group.completions.emplace_back(out.tokens[first + 1 + static_cast<size_t>(s)]);
    out.groups.push_back(std::move(group));
  }
  return out;
}

// Multiply-adds that the result needs, as FLOPs: matrices of the layers on every row, the head on
// every target, attention on every pair of a query and a key; the backward twice as much.
double UsefulFlops(const PackedBatch& packed, const ModelConfig& config) {
  const double d = static_cast<double>(config.hidden_size), q = static_cast<double>(config.q_dim()),
               kv = static_cast<double>(config.kv_dim()),
               f = static_cast<double>(config.intermediate_size);
  const double layer = d * (q + 2 * kv) + q * d + 3 * d * f;
  double pairs = 0;
  for (const SequenceSpan& span : packed.batch.spans) {
    for (int32_t i = 0; i < span.rows; ++i) pairs += span.position + i + 1;
  }
  const double layers = static_cast<double>(config.num_layers);
  const double rows = packed.batch.rows(), targets = static_cast<double>(packed.targets.size());
  const double head = d * static_cast<double>(config.vocab_size);
  return 6 * (layers * (layer * rows + 2 * q * pairs) + head * targets);
}

double MeasureRun(const ModelFolder& model, const std::vector<PackedBatch>& batches, KvCache& cache,
                  std::span<const float> dlogprobs, Backend& backend, Buffer<float>* grads) {
  auto weights = std::make_shared<Weights>(*model.weights);
  weights->version = backend.weights().version + 1;
  std::vector<float> logprobs(dlogprobs.size()), entropies(dlogprobs.size());
  const auto begin = std::chrono::steady_clock::now();
  backend.SetWeights(std::move(weights));
  grads->Resize(grads->size());
  size_t first = 0;
  for (const PackedBatch& packed : batches) {
    const size_t targets = packed.targets.size();
    backend.ForwardLogprobs(packed.batch, cache, packed.targets, 1.0f, /*keep=*/true,
                            std::span(logprobs).subspan(first, targets),
                            std::span(entropies).subspan(first, targets));
    backend.Backward(dlogprobs.subspan(first, targets), {}, grads->span());
    first += targets;
  }
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

OrderedJson Measure(const LearnerFlags& flags) {
  const ModelFolder model = LoadModelFolder(flags.model);
  const auto backend = MakeBackend({.threads = flags.threads}, model.config);
  backend->SetWeights(model.weights);
  const Groups groups = RandomGroups(flags, model.config.vocab_size);
  std::vector<int32_t> use(groups.groups.size());
  for (size_t g = 0; g < use.size(); ++g) use[g] = static_cast<int32_t>(g);
  constexpr int64_t kRows = 1536;  // learner.micro_batch_tokens by default
  const std::vector<PackedBatch> batches = Pack(groups.groups, use, kRows);
  int32_t rows = 0, pages = 0;
  size_t targets = 0;
  double flops = 0;
  for (const PackedBatch& packed : batches) {
    rows += packed.batch.rows();
    pages = std::max(pages, packed.pages);
    targets += packed.targets.size();
    flops += UsefulFlops(packed, model.config);
  }
  const auto cache = backend->NewCache(pages);
  Buffer<float> grads(static_cast<size_t>(model.layout.size));
  PhiloxSequence draws(0, {Purpose::kGenerateData, 1});
  std::vector<float> dlogprobs(targets);
  for (float& d : dlogprobs) d = static_cast<float>(draws.Below(2001)) / 1000 - 1;

  std::vector<double> seconds;
  for (int run = 0; run <= flags.runs; ++run) {
    const double s = MeasureRun(model, batches, *cache, dlogprobs, *backend, &grads);
    if (run > 0) seconds.push_back(s);  // the first warms up
  }
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);  // before the roofline, which has memory of its own

  ThreadPool pool(flags.threads);
  const kernels::Exec exec{&pool, kernels::DetectIsa()};
  OrderedJson fma;
  if (const auto per_call = FmaFlopsOfCall(exec)) {
    const auto calls = MeasureRounds({{"fma", [&] { RunFma(exec); }}}, {5, 0.02});
    fma = *per_call / Median(calls[0]) / 1e9;
  }
  return {{"seconds", Median(seconds)}, {"rows", rows},
          {"targets", targets},         {"useful_flops", flops},
          {"fma_gflops", fma},          {"peak_rss_bytes", int64_t{usage.ru_maxrss} * 1024}};
}

}  // namespace
}  // namespace hone::bench

int main(int argc, char** argv) {
  CLI::App program("Forward and backward of packed batches; bench/learner runs it",
                   "bench_learner");
  hone::bench::LearnerFlags flags;
  program.add_option("--model", flags.model, "Hugging Face folder")->required();
  program.add_option("--threads", flags.threads)->check(CLI::PositiveNumber);
  program.add_option("--runs", flags.runs, "after one to warm up")->check(CLI::PositiveNumber);
  program.add_option("--prompts", flags.prompts)->check(CLI::PositiveNumber);
  program.add_option("--group", flags.group)->check(CLI::PositiveNumber);
  program.add_option("--prompt-tokens", flags.prompt_tokens)->check(CLI::PositiveNumber);
  program.add_option("--new-tokens", flags.new_tokens)->check(CLI::PositiveNumber);
  return hone::bench::RunMain(program, argc, argv, [&] { return hone::bench::Measure(flags); });
}
