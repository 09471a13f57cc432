#include "learner/session.h"

#include <algorithm>
#include <map>
#include <string>

#include "learner/policy_folder.h"
#include "learner/run_state.h"

namespace hone {
namespace fs = std::filesystem;
namespace {

// Completion tokens of a batch, the largest distance between the weights that drew them and
// `version`, and what its verdicts took.
struct BatchFacts {
  uint64_t completion_tokens = 0, staleness = 0;
  // That each verifier worked, summed over groups, which are judged side by side.
  std::map<std::string, double> verifier_seconds;
};

BatchFacts FactsOf(const StepBatch& batch, uint64_t version) {
  BatchFacts facts;
  for (const ScoredGroup& group : batch.groups) {
    for (size_t v = 0; v < group.seconds_V.size(); ++v) {
      facts.verifier_seconds[group.verifier_names[v]] += group.seconds_V[v];
    }
    for (const Completion& completion : group.rollout.completions) {
      facts.completion_tokens += completion.tokens.size();
      facts.staleness = std::max(facts.staleness, version - std::min(version, completion.version));
    }
  }
  return facts;
}

}  // namespace

class Session::Impl {
 public:
  Impl(const Config& config, const fs::path& folder, bool resume, int threads)
      : config_(config),
        folder_(folder),
        model_(LoadPolicyFolder(config_.policy)),
        backend_(MakePolicyBackend(config_.policy, model_.config, threads)),
        reference_(config_.algorithm.beta != 0
                       ? MakePolicyBackend(config_.policy, model_.config, threads)
                       : nullptr),
        learner_(config_, model_, *backend_, WithInitialWeights(reference_.get()), threads),
        state_(config_, folder_, resume, learner_) {
    model_.weights.reset();  // of the first version; the learner has the newest
  }

  std::vector<Metrics> Learn(const StepBatch& batch, const BatchTimes& times);

  Config config_;
  fs::path folder_;
  ModelFolder model_;
  std::unique_ptr<Backend> backend_, reference_;
  Learner learner_;
  RunState state_;

 private:
  Backend* WithInitialWeights(Backend* reference) const {
    if (reference != nullptr) reference->SetWeights(model_.weights);
    return reference;
  }
};

std::vector<Metrics> Session::Impl::Learn(const StepBatch& batch, const BatchTimes& times) {
  const uint64_t before = learner_.state().step;
  const BatchFacts facts = FactsOf(batch, before);
  std::vector<Metrics> steps = learner_.Step(batch);
  if (config_.logging.traces)
    WriteTrace(folder_, batch, learner_.advantages(), model_.tokenizer.get());
  double seconds = times.rollout + times.reward + times.sync;
  for (const Metrics& metrics : steps) seconds += metrics.at("time/learn");
  for (size_t i = 0; i < steps.size(); ++i) {
    Metrics& metrics = steps[i];
    // The batch's making counts with the first of the steps it serves.
    const BatchTimes own = i == 0 ? times : BatchTimes{};
    metrics["time/rollout"] = own.rollout;
    metrics["time/reward"] = own.reward;
    metrics["time/sync"] = own.sync;
    for (const auto& [verifier, judging] : facts.verifier_seconds) {
      metrics["time/reward/" + verifier] = i == 0 ? judging : 0;
    }
    metrics["step_time"] = own.rollout + own.reward + own.sync + metrics["time/learn"];
    metrics["tokens_per_second"] =
        static_cast<double>(facts.completion_tokens) / std::max(seconds, 1e-9);
    metrics["staleness"] = static_cast<double>(facts.staleness);
    metrics["rss_bytes"] = static_cast<double>(ResidentBytes());
    state_.Write(before + i + 1, metrics);
  }
  state_.SaveWhenDue();
  return steps;
}

Session::Session(const Config& config, const fs::path& folder, bool resume, int threads)
    : impl_(std::make_unique<Impl>(config, folder, resume, threads)) {}
Session::~Session() = default;
const ModelFolder& Session::model() const { return impl_->model_; }
std::shared_ptr<const Weights> Session::weights() const { return impl_->learner_.weights(); }
uint64_t Session::step() const { return impl_->learner_.state().step; }
uint64_t Session::next_batch() const { return impl_->learner_.state().batches; }
bool Session::done() const { return step() >= static_cast<uint64_t>(impl_->config_.run.steps); }
std::vector<Metrics> Session::Learn(const StepBatch& batch, const BatchTimes& times) {
  return impl_->Learn(batch, times);
}
fs::path Session::Checkpoint() { return impl_->state_.Save(); }

}  // namespace hone
