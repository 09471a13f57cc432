#include "reward/scorer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
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

constexpr size_t kMaxReason = 1000;  // bytes: a verifier of a user's own may say anything

// At a character's end, where it is UTF-8.
void Shorten(std::string* text) {
  if (text->size() <= kMaxReason) return;
  size_t end = kMaxReason;
  while (end > 0 && (static_cast<uint8_t>((*text)[end]) & 0xc0) == 0x80) --end;
  text->resize(end);
  *text += "…";
}

// What a verifier said, as it is counted and kept: a number that the sum can use, or a short
// reason.
Verdict Settle(Verdict verdict) {
  // Rewards travel as float: what overflows there is as useless as an infinity here.
  if (!verdict.error && !std::isfinite(static_cast<float>(verdict.reward))) {
    verdict.error = fmt::format("expected a finite reward, found {}", verdict.reward);
  }
  if (!verdict.error) return {.reward = verdict.reward};
  Shorten(&*verdict.error);
  verdict.reward = 0;
  return verdict;
}

void UpdateText(Hasher* hasher, std::string_view text) {
  const uint64_t size = text.size();
  hasher->Update(&size, sizeof(size));
  hasher->Update(text.data(), text.size());
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

int Scorer::parallel() const {
  int most = 1;
  for (const auto& verifier : verifiers_) most = std::max(most, verifier->parallel());
  return most;
}

Hash128 Scorer::HashOf(size_t verifier, const RolloutGroup& group) const {
  Hasher hasher;
  // Not of its folder: workers may know the same program by other paths.
  UpdateText(&hasher, std::filesystem::path(rewards_[verifier].verifier).filename().string());
  UpdateText(&hasher, Dump(rewards_[verifier].options));
  UpdateText(&hasher, group.task.prompt);
  UpdateText(&hasher, group.task.columns);
  for (const Completion& completion : group.completions) {
    const uint64_t tokens = completion.tokens.size();
    hasher.Update(&tokens, sizeof(tokens));
    hasher.Update(completion.tokens.data(), tokens * sizeof(int32_t));
  }
  return hasher.Digest();
}

std::vector<Verdict> Scorer::Judge(size_t verifier, std::span<const Sample> batch,
                                   const std::vector<VerdictRecord>& known, const Hash128& judged,
                                   ScoringWatch& watch) const {
  for (const VerdictRecord& record : known) {
    if (record.verifier == names_[verifier] && record.judged == judged &&
        record.verdicts.size() == batch.size()) {
      return record.verdicts;
    }
  }
  std::vector<Verdict> verdicts = verifiers_[verifier]->ScoreBatch(batch, watch);
  for (Verdict& verdict : verdicts) verdict = Settle(std::move(verdict));
  return verdicts;
}

std::vector<double> Scorer::Given(size_t verifier, uint64_t group, std::vector<Verdict> verdicts,
                                  std::vector<VerifierError>* errors) const {
  std::vector<double> given;
  for (size_t i = 0; i < verdicts.size(); ++i) {
    Verdict& verdict = verdicts[i];
    if (!verdict.error) {
      given.push_back(verdict.reward);
      continue;
    }
    if (rewards_[verifier].on_error == RewardConfig::OnError::kStop) {
      throw OnErrorStop(fmt::format("{}: group {}, sample {}: {} (on_error = \"stop\")",
                                    names_[verifier], group, i, *verdict.error));
    }
    errors->push_back({static_cast<uint32_t>(verifier), static_cast<uint32_t>(i), verdict.cause,
                       std::move(*verdict.error)});
    given.push_back(std::numeric_limits<double>::quiet_NaN());
  }
  return given;
}

ScoredGroup Scorer::Score(RolloutGroup group) const {
  ScoringWatch unwatched;
  return Score(std::move(group), {}, unwatched);
}

ScoredGroup Scorer::Score(RolloutGroup group, const std::vector<VerdictRecord>& known,
                          ScoringWatch& watch) const {
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
  std::vector<std::vector<double>> gave_VG(verifiers);
  for (size_t v = 0; v < verifiers; ++v) {
    const double deadline_s = verifiers_[v]->deadline_s();
    const Hash128 judged = deadline_s > 0 ? HashOf(v, group) : Hash128{};
    watch.Begin(names_[v], deadline_s);
    std::vector<Verdict> verdicts = Judge(v, batch, known, judged, watch);
    scored.seconds_V.push_back(watch.End());
    if (deadline_s > 0) scored.records.push_back({names_[v], judged, verdicts});
    gave_VG[v] = Given(v, group.task.group_id, std::move(verdicts), &scored.errors);
  }
  const auto masked = [&](size_t v, size_t i) {
    return std::isnan(gave_VG[v][i]) && rewards_[v].on_error == RewardConfig::OnError::kMask;
  };
  for (size_t i = 0; i < samples; ++i) {
    double sum = 0;
    for (size_t v = 0; v < verifiers; ++v) {
      // A gate asks what its verifier gave, whether or not that one is clipped or gated itself.
      const size_t gate = gates_[v] < 0 ? v : static_cast<size_t>(gates_[v]);
      const bool open = gates_[v] < 0 || gave_VG[gate][i] > 0;
      double reward = 0;
      if (masked(gate, i) || (open && masked(v, i))) {
        reward = std::numeric_limits<double>::quiet_NaN();
      } else if (open && !std::isnan(gave_VG[v][i])) {
        reward = std::clamp(gave_VG[v][i], rewards_[v].min, rewards_[v].max);
      }
      scored.rewards_VG[v][i] = static_cast<float>(reward);
      sum += rewards_[v].weight * reward;
    }
    scored.rewards_G[i] = static_cast<float>(sum);
  }
  scored.rollout = std::move(group);
  return scored;
}

}  // namespace hone
