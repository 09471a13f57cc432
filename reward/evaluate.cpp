#include "reward/evaluate.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>

#include "common/error.h"
#include "common/philox.h"

namespace hone {
namespace {

// The metrics of each prompt, one row a metric: pass@k for each k, reward, length.
using PromptMetrics = std::vector<std::vector<double>>;

// 1 - C(n - c, k) / C(n, k) as a product: Chen et al., arXiv:2107.03374, eq. 1 and figure 3.
double PassAtK(int64_t n, int64_t correct, int64_t k) {
  if (n - correct < k) return 1;
  double none = 1;
  for (int64_t i = n - correct + 1; i <= n; ++i)
    none *= 1 - static_cast<double>(k) / static_cast<double>(i);
  return 1 - none;
}

double Mean(std::span<const double> values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

// Percentile bootstrap over prompts: all metrics of a resample come from the same prompts. The
// interval is a pure function of the metrics and the seed.
std::vector<Interval> Bootstrap(const PromptMetrics& metrics, int32_t resamples, uint64_t seed) {
  const auto prompts = static_cast<uint32_t>(metrics.front().size());
  std::vector<std::vector<double>> means(metrics.size());
  std::vector<double> sums(metrics.size());
  for (int32_t resample = 0; resample < resamples; ++resample) {
    PhiloxSequence draws(seed, {Purpose::kBootstrap, static_cast<uint64_t>(resample)});
    std::fill(sums.begin(), sums.end(), 0.0);
    for (uint32_t draw = 0; draw < prompts; ++draw) {
      const uint32_t prompt = draws.Below(prompts);
      for (size_t m = 0; m < metrics.size(); ++m) sums[m] += metrics[m][prompt];
    }
    for (size_t m = 0; m < metrics.size(); ++m) means[m].push_back(sums[m] / prompts);
  }
  std::vector<Interval> intervals;
  for (size_t m = 0; m < metrics.size(); ++m) {
    Interval interval;
    interval.value = interval.low = interval.high = Mean(metrics[m]);
    if (resamples > 0) {
      std::sort(means[m].begin(), means[m].end());
      const double last = resamples - 1;
      interval.low = means[m][static_cast<size_t>(std::floor(0.025 * last))];
      interval.high = means[m][static_cast<size_t>(std::ceil(0.975 * last))];
    }
    intervals.push_back(interval);
  }
  return intervals;
}

PromptMetrics Measure(const std::vector<ScoredGroup>& groups, const std::vector<int32_t>& ks) {
  PromptMetrics metrics(ks.size() + 2);
  for (const ScoredGroup& group : groups) {
    const auto n = static_cast<int64_t>(group.rollout.completions.size());
    int64_t correct = 0;
    double reward = 0, length = 0;
    for (int64_t i = 0; i < n; ++i) {
      correct += group.rewards_VG.front()[i] >= 1;
      reward += group.rewards_G[i];
      length += static_cast<double>(group.rollout.completions[i].tokens.size());
    }
    for (size_t k = 0; k < ks.size(); ++k) metrics[k].push_back(PassAtK(n, correct, ks[k]));
    metrics[ks.size()].push_back(reward / static_cast<double>(n));
    metrics[ks.size() + 1].push_back(length / static_cast<double>(n));
  }
  return metrics;
}

RolloutGroup MakeGroup(const PromptRow& row, uint64_t index, GenerationResult result) {
  RolloutGroup group;
  group.task.group_id = index;
  group.task.version = result.completions.front().version;
  group.task.num_generations = static_cast<int32_t>(result.completions.size());
  group.task.prompt_tokens = row.prompt_tokens;
  group.task.prompt = row.prompt;
  group.task.columns = row.columns;
  group.completions = std::move(result.completions);
  return group;
}

// The longest that a sequence can get decides how much cache is made.
EngineLimits FitLimits(EngineLimits limits, const std::vector<PromptRow>& rows, int32_t max_tokens,
                       int64_t samples) {
  if (limits.max_length == 0) {
    size_t longest = 0;
    for (const PromptRow& row : rows) longest = std::max(longest, row.prompt_tokens.size());
    const int64_t length = static_cast<int64_t>(longest) + max_tokens;
    limits.max_length =
        static_cast<int32_t>(std::min<int64_t>(length, std::numeric_limits<int32_t>::max()));
  }
  const int64_t sequences = samples * static_cast<int64_t>(rows.size());
  limits.max_sequences = static_cast<int32_t>(std::min<int64_t>(limits.max_sequences, sequences));
  return limits;
}

int32_t SamplesOfPrompt(const EvalOptions& options) {
  if (options.k.empty()) throw UsageError("k: expected at least one number, as in 1,8");
  int32_t samples = options.num_generations;
  for (const int32_t k : options.k) {
    if (k < 1) throw UsageError("k: expected numbers from 1 on");
    samples = std::max(samples, k);
  }
  return samples;
}

}  // namespace

EvalResult Evaluate(Backend& backend, const ModelFolder& model, const std::vector<PromptRow>& rows,
                    const Scorer& scorer, const EvalOptions& options) {
  const int32_t samples = SamplesOfPrompt(options);
  if (rows.empty()) throw UsageError("evaluation needs at least one prompt");
  Engine engine(backend, model.tokenizer.get(), options.generation,
                FitLimits(options.limits, rows, options.generation.max_tokens, samples));
  for (size_t index = 0; index < rows.size(); ++index) {
    engine.Submit({index, index, rows[index].prompt_tokens, samples});
  }
  EvalResult result;
  result.prompts = static_cast<int64_t>(rows.size());
  result.groups.resize(rows.size());
  while (engine.Step()) {
    for (GenerationResult& done : engine.TakeResults()) {
      const uint64_t index = done.id;
      result.groups[index] = scorer.Score(MakeGroup(rows[index], index, std::move(done)));
    }
  }
  const std::vector<Interval> intervals =
      Bootstrap(Measure(result.groups, options.k), options.bootstrap, options.generation.seed);
  for (size_t k = 0; k < options.k.size(); ++k) {
    result.pass_at_k.emplace_back(options.k[k], intervals[k]);
  }
  result.reward = intervals[options.k.size()];
  result.length = intervals[options.k.size() + 1];
  return result;
}

}  // namespace hone
