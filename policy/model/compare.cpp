#include "policy/model/compare.h"

#include <cmath>
#include <limits>
#include <vector>

#include "common/error.h"
#include "policy/model/batch_plan.h"

namespace hone {
namespace {

struct Scores {
  std::vector<float> logprobs, entropies;
};

Scores Score(Backend& backend, const Batch& batch, std::span<const Target> targets) {
  Scores scores{std::vector<float>(targets.size()), std::vector<float>(targets.size())};
  const auto cache = backend.NewCache(static_cast<int32_t>(batch.pages.size()));
  backend.ForwardLogprobs(batch, *cache, targets, 1.0f, /*keep=*/false, scores.logprobs,
                          scores.entropies);
  return scores;
}

// A difference that is not a number counts as infinite.
double Distance(float x, float y) {
  const double distance = std::fabs(static_cast<double>(x) - y);
  return std::isnan(distance) ? std::numeric_limits<double>::infinity() : distance;
}

}  // namespace

Comparison CompareBackends(Backend& a, Backend& b, std::span<const int32_t> tokens) {
  if (a.config().vocab_size != b.config().vocab_size)
    throw RunError("the two backends have different vocabularies");
  if (tokens.size() < 2) throw RunError("a comparison needs at least two tokens");
  Batch batch;
  batch.tokens_T.assign(tokens.begin(), tokens.end() - 1);
  batch.spans.push_back({.first_row = 0, .rows = batch.rows(), .position = 0, .first_page = 0});
  for (int32_t i = 0; i < PagesFor(batch.rows(), batch.page_size); ++i) batch.pages.push_back(i);
  std::vector<Target> targets;
  for (int32_t i = 0; i < batch.rows(); ++i) targets.push_back({i, tokens[i + 1]});

  const Scores first = Score(a, batch, targets), second = Score(b, batch, targets);
  Comparison comparison;
  for (size_t i = 0; i < targets.size(); ++i) {
    const double distance = Distance(first.logprobs[i], second.logprobs[i]);
    comparison.mean_logprob_diff += distance / static_cast<double>(targets.size());
    comparison.max_entropy_diff =
        std::max(comparison.max_entropy_diff, Distance(first.entropies[i], second.entropies[i]));
    if (i > 0 && distance <= comparison.max_logprob_diff) continue;
    comparison.max_logprob_diff = distance;
    comparison.worst_position = static_cast<int64_t>(i) + 1;
  }
  return comparison;
}

}  // namespace hone
