#include "reward/scorer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "common/error.h"
#include "common/nearest.h"

namespace hone {
namespace {

Json ParseColumns(const PromptTask& task) {
  if (task.columns.empty()) return Json::object();
  try {
    return Json::parse(task.columns);
  } catch (const Json::exception& error) {
    throw RunError(fmt::format("group {}: expected its columns as a JSON object, found {}: {}",
                               task.group_id, task.columns.substr(0, 100), error.what()));
  }
}

// What is wrong with a verdict; nothing when the sum may use it.
std::optional<VerifierError> Wrong(const Verdict& verdict) {
  if (verdict.error) return VerifierError{.cause = verdict.cause, .reason = *verdict.error};
  // Rewards travel as float: what overflows there is as useless as an infinity here.
  if (std::isfinite(static_cast<float>(verdict.reward))) return std::nullopt;
  return VerifierError{.reason = fmt::format("expected a finite reward, found {}", verdict.reward)};
}

}  // namespace

Scorer::Scorer(const std::vector<RewardConfig>& rewards, uint64_t seed,
               std::shared_ptr<const Tokenizer> tokenizer)
    : Scorer(rewards, MakeVerifiers(rewards, seed), std::move(tokenizer)) {}

Scorer::Scorer(const std::vector<RewardConfig>& rewards, Verifiers verifiers,
               std::shared_ptr<const Tokenizer> tokenizer)
    : tokenizer_(std::move(tokenizer)), verifiers_(std::move(verifiers)), rewards_(rewards) {
  for (const auto& verifier : verifiers_) {
    const std::string base = verifier->name();
    std::string name = base;
    // The same verifier may judge two columns; metrics need to tell the two apart.
    for (int n = 2; std::find(names_.begin(), names_.end(), name) != names_.end(); ++n) {
      name = fmt::format("{}_{}", base, n);
    }
    names_.push_back(name);
  }
  for (const auto& reward : rewards_) {
    const auto gate = std::find(names_.begin(), names_.end(), reward.gate);
    if (!reward.gate.empty() && gate == names_.end()) {
      throw UsageError(fmt::format("gate: no verifier of this run is named \"{}\"{}", reward.gate,
                                   DidYouMean(reward.gate, names_)));
    }
    gates_.push_back(reward.gate.empty() ? -1 : gate - names_.begin());
  }
}

std::vector<double> Scorer::Judge(size_t verifier, std::span<const Sample> batch,
                                  std::vector<VerifierError>* errors) const {
  using OnError = RewardConfig::OnError;
  const std::vector<Verdict> verdicts = verifiers_[verifier]->ScoreBatch(batch);
  std::vector<double> rewards;
  for (size_t i = 0; i < batch.size(); ++i) {
    std::optional<VerifierError> wrong = Wrong(verdicts[i]);
    if (!wrong) {
      rewards.push_back(verdicts[i].reward);
      continue;
    }
    if (rewards_[verifier].on_error == OnError::kStop) {
      throw RunError(fmt::format("{}: group {}, sample {}: {} (on_error = \"stop\")",
                                 names_[verifier], batch[i].group, i, wrong->reason));
    }
    wrong->verifier = static_cast<uint32_t>(verifier);
    wrong->sample = static_cast<uint32_t>(i);
    errors->push_back(std::move(*wrong));
    const bool mask = rewards_[verifier].on_error == OnError::kMask;
    rewards.push_back(mask ? std::numeric_limits<double>::quiet_NaN() : 0);
  }
  return rewards;
}

ScoredGroup Scorer::Score(RolloutGroup group) const {
  const size_t verifiers = verifiers_.size(), samples = group.completions.size();
  const Json columns = ParseColumns(group.task);
  ScoredGroup scored;
  scored.verifier_names = names_;
  scored.rewards_VG.assign(verifiers, std::vector<float>(samples));
  scored.rewards_G.resize(samples);
  std::vector<std::string> texts;
  for (const Completion& completion : group.completions) {
    texts.push_back(tokenizer_->Decode(completion.tokens, /*skip_special=*/true));
  }
  std::vector<Sample> batch;
  for (size_t i = 0; i < samples; ++i) {
    batch.push_back({.prompt = group.task.prompt,
                     .completion = texts[i],
                     .columns = columns,
                     .group = group.task.group_id,
                     .index = static_cast<uint32_t>(i),
                     .tokens = static_cast<int64_t>(group.completions[i].tokens.size())});
  }
  std::vector<std::vector<double>> reward_VG(verifiers);
  for (size_t v = 0; v < verifiers; ++v) reward_VG[v] = Judge(v, batch, &scored.errors);
  for (size_t i = 0; i < samples; ++i) {
    // A gate asks what its verifier gave, whether or not that one is gated itself.
    double sum = 0;
    for (size_t v = 0; v < verifiers; ++v) {
      const double gate = gates_[v] < 0 ? 1 : reward_VG[static_cast<size_t>(gates_[v])][i];
      const double reward = std::isnan(gate) ? gate : gate > 0 ? reward_VG[v][i] : 0;
      scored.rewards_VG[v][i] = static_cast<float>(reward);
      sum += rewards_[v].weight * reward;
    }
    scored.rewards_G[i] = static_cast<float>(sum);
  }
  scored.rollout = std::move(group);
  return scored;
}

}  // namespace hone
