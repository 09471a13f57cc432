#include "learner/learner.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <optional>

#include "common/error.h"
#include "learner/advantages.h"
#include "learner/batch_arrays.h"
#include "learner/checkpoint.h"
#include "learner/loss.h"
#include "learner/optimizer.h"
#include "learner/packing.h"
#include "learner/schedule.h"

namespace hone {
namespace {

double SecondsSince(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

// The first version is not held for the whole run.
ModelFolder WithoutWeights(ModelFolder model) {
  model.weights.reset();
  return model;
}

// A backend with a cache that grows to what the batches need.
struct CachedBackend {
  Backend* backend = nullptr;
  std::unique_ptr<KvCache> cache;

  KvCache& CacheOf(int32_t pages) {
    if (!cache || cache->pages() < pages) {
      cache.reset();  // before the larger one is made: both at once could be too much
      cache = backend->NewCache(pages);
    }
    return *cache;
  }
};

}  // namespace

class Learner::Impl {
 public:
  Impl(const Config& config, const ModelFolder& model, Backend& backend, Backend* reference,
       int threads)
      : config_(config),
        model_(WithoutWeights(model)),
        policy_{&backend, nullptr},
        reference_{reference, nullptr},
        pool_(threads),
        optimizer_(config_.optimizer, model_.layout, {&pool_, kernels::DetectIsa()}),
        weights_(model.weights) {
    if (config.algorithm.beta != 0 && reference == nullptr) {
      throw UsageError("algorithm.beta is not 0: the learner needs a reference policy");
    }
    backend.SetWeights(weights_);
  }

  std::vector<Metrics> Step(const StepBatch& batch);
  Metrics SftStep(const std::vector<Example>& examples);
  void Load(const std::filesystem::path& folder);
  void Save(const std::filesystem::path& folder) const;

  std::shared_ptr<const Weights> weights() const { return weights_; }
  const LearnerState& state() const { return state_; }
  const std::vector<std::vector<float>>& advantages() const { return advantages_; }

 private:
  // A batch's groups: those whose loss has a gradient, packed, and the numbers of the others, whose
  // log-probabilities and entropies only the metrics want.
  struct Work {
    std::vector<PackedBatch> learn;
    std::vector<int32_t> no_signal;
  };

  Work Cut(const BatchArrays& arrays, const std::vector<std::vector<float>>& advantages) const;
  // Forward of packed batches on a backend, to `logprobs` and `entropies` (flat, as arrays); with
  // `gradient`, the backward too: it fills a sample's dlogprobs.
  using Gradient = std::function<void(size_t sample, std::span<float> dlogprobs)>;
  // `known`: the batch whose activations are used where it has them; may be null.
  void Run(CachedBackend& on, const BatchArrays& arrays, const std::vector<PackedBatch>& batches,
           double temperature, const Gradient& gradient, std::vector<float>* logprobs,
           std::vector<float>* entropies, const StepBatch* known = nullptr);
  std::vector<PackedBatch> Cut(const BatchArrays& arrays, std::span<const int32_t> groups) const;
  // Runs one sample whose activations were taken on trust, another each batch, and returns how far
  // its log-probabilities are from those recorded.
  double CheckOne(const StepBatch& batch, const BatchArrays& arrays, double temperature);
  // Log-probabilities and entropies of groups whose loss has no gradient.
  void Measure(const StepBatch& batch, const BatchArrays& arrays, std::span<const int32_t> groups,
               double temperature, std::vector<float>* logprobs, std::vector<float>* entropies);
  bool KnowsForward(const ScoredGroup& group) const;
  std::vector<SampleTokens> Samples(const StepBatch& batch, const BatchArrays& arrays,
                                    std::span<const double> weights) const;
  void ClearGrads();
  // The optimizer's part of a step: grad_norm and learning_rate, new weights, step + 1.
  void Update(Metrics* metrics);
  void CheckBatch(const BatchArrays& arrays) const;

  const Config config_;
  const ModelFolder model_;
  CachedBackend policy_, reference_;
  ThreadPool pool_;
  AdamWOptimizer optimizer_;
  Buffer<float> grads_;  // from ClearGrads to Update, whose new weights take its memory
  std::shared_ptr<const Weights> weights_;
  LearnerState state_;
  std::vector<std::vector<float>> advantages_;
};

void Learner::Impl::CheckBatch(const BatchArrays& arrays) const {
  const int64_t vocabulary = model_.config.vocab_size,
                positions = model_.config.max_position_embeddings;
  for (const PackedGroup& group : arrays.groups()) {
    const auto check = [&](std::span<const int32_t> tokens) {
      for (const int32_t token : tokens) {
        if (token < 0 || token >= vocabulary) {
          throw RunError(fmt::format("a batch holds token {}, the model's vocabulary ends at {}",
                                     token, vocabulary - 1));
        }
      }
    };
    if (group.prompt.empty()) throw RunError("a batch holds a prompt without tokens");
    check(group.prompt);
    for (const auto& completion : group.completions) {
      check(completion);
      const int64_t length = static_cast<int64_t>(group.prompt.size() + completion.size());
      if (length > positions) {
        throw RunError(
            fmt::format("a batch holds a sequence of {} tokens, the model has {} positions "
                        "({})",
                        length, positions, model_.config.positions_key));
      }
    }
  }
}

Learner::Impl::Work Learner::Impl::Cut(const BatchArrays& arrays,
                                       const std::vector<std::vector<float>>& advantages) const {
  std::vector<int32_t> learn, no_signal;
  for (size_t g = 0; g < advantages.size(); ++g) {
    // Without a KL term, a group whose advantages are all 0 has no gradient: its backward is left
    // out.
    const bool signal =
        config_.algorithm.beta != 0 ||
        std::any_of(advantages[g].begin(), advantages[g].end(), [](float a) { return a != 0; });
    (signal ? learn : no_signal).push_back(static_cast<int32_t>(g));
  }
  return {Cut(arrays, learn), no_signal};
}

std::vector<PackedBatch> Learner::Impl::Cut(const BatchArrays& arrays,
                                            std::span<const int32_t> groups) const {
  return Pack(arrays.groups(), groups, config_.learner.micro_batch_tokens,
              config_.learner.max_group_tokens);
}

// True when the group's samples came with the very bits that a forward would give: the backend
// keeps the numerics contract, and they were drawn by the weights at hand (at rollout.temperature,
// as all that carry entropies; a replayed trace has none).
bool Learner::Impl::KnowsForward(const ScoredGroup& group) const {
  const auto& completions = group.rollout.completions;
  return policy_.backend->exact() &&
         std::all_of(completions.begin(), completions.end(), [&](const Completion& completion) {
           return completion.version == weights_->version &&
                  completion.fingerprint == weights_->fingerprint &&
                  completion.logprobs.size() == completion.tokens.size() &&
                  completion.entropies.size() == completion.tokens.size();
         });
}

void Learner::Impl::Measure(const StepBatch& batch, const BatchArrays& arrays,
                            std::span<const int32_t> groups, double temperature,
                            std::vector<float>* logprobs, std::vector<float>* entropies) {
  std::vector<int32_t> unknown;
  for (const int32_t g : groups) {
    if (!KnowsForward(batch.groups[g])) {
      unknown.push_back(g);
      continue;
    }
    const auto& completions = batch.groups[g].rollout.completions;
    for (size_t s = 0; s < completions.size(); ++s) {
      const size_t offset = arrays.offset(arrays.Sample(g, static_cast<int32_t>(s)));
      std::copy(completions[s].logprobs.begin(), completions[s].logprobs.end(),
                logprobs->begin() + offset);
      std::copy(completions[s].entropies.begin(), completions[s].entropies.end(),
                entropies->begin() + offset);
    }
  }
  Run(policy_, arrays, Cut(arrays, unknown), temperature, nullptr, logprobs, entropies);
}

double Learner::Impl::CheckOne(const StepBatch& batch, const BatchArrays& arrays,
                               double temperature) {
  const size_t groups = batch.activations.size();
  if (groups == 0) return 0;
  const size_t g = state_.batches % groups, s = state_.batches / groups;
  const GroupActivations* known = batch.activations[g].get();
  if (known == nullptr || known->fingerprint != weights_->fingerprint) return 0;
  const auto& completions = batch.groups[g].rollout.completions;
  const Completion& completion = completions[s % completions.size()];
  if (completion.tokens.empty() || completion.logprobs.size() != completion.tokens.size()) return 0;
  const PackedGroup alone{arrays.groups()[g].prompt, {completion.tokens}};
  const std::vector<int32_t> use = {0};
  const PackedBatch packed = std::move(Pack({&alone, 1}, use, 1)[0]);
  std::vector<float> logprobs(packed.targets.size());
  policy_.backend->ForwardLogprobs(packed.batch, policy_.CacheOf(packed.pages), packed.targets,
                                   static_cast<float>(temperature), false, logprobs, {});
  double difference = 0;
  for (size_t i = 0; i < logprobs.size(); ++i) {
    difference = std::max(difference, std::abs(double{logprobs[i]} - completion.logprobs[i]));
  }
  return difference;
}

void Learner::Impl::Run(CachedBackend& on, const BatchArrays& arrays,
                        const std::vector<PackedBatch>& batches, double temperature,
                        const Gradient& gradient, std::vector<float>* logprobs,
                        std::vector<float>* entropies, const StepBatch* known) {
  for (const PackedBatch& packed : batches) {
    const size_t targets = packed.targets.size();
    std::vector<float> logprobs_N(targets), entropies_N(targets), dlogprobs_N(targets);
    const auto rows = known == nullptr
                          ? std::vector<ActivationRow>()
                          : KnownRows(packed, known->activations, weights_->fingerprint);
    on.backend->ForwardLogprobs(packed.batch, on.CacheOf(packed.pages), packed.targets,
                                static_cast<float>(temperature), gradient != nullptr, logprobs_N,
                                entropies_N, rows);
    for (const PackedCompletion& part : packed.completions) {
      const size_t sample = arrays.Sample(part.group, part.sample);
      const size_t length = arrays.length(sample), at = static_cast<size_t>(part.first_target);
      std::copy_n(logprobs_N.begin() + at, length, logprobs->begin() + arrays.offset(sample));
      std::copy_n(entropies_N.begin() + at, length, entropies->begin() + arrays.offset(sample));
      if (gradient) gradient(sample, std::span(dlogprobs_N).subspan(at, length));
    }
    if (gradient) on.backend->Backward(dlogprobs_N, {}, grads_.span());
  }
}

std::vector<SampleTokens> Learner::Impl::Samples(const StepBatch& batch, const BatchArrays& arrays,
                                                 std::span<const double> weights) const {
  std::vector<SampleTokens> samples;
  for (size_t g = 0; g < batch.groups.size(); ++g) {
    const auto& completions = batch.groups[g].rollout.completions;
    for (size_t s = 0; s < completions.size(); ++s) {
      SampleTokens& sample = samples.emplace_back();
      sample.old_logprobs = completions[s].logprobs;
      sample.advantage = advantages_[g][s];
      sample.weight = weights[samples.size() - 1];
      sample.masked = arrays.masked()[samples.size() - 1] != 0;
    }
  }
  return samples;
}

std::vector<Metrics> Learner::Impl::Step(const StepBatch& batch) {
  auto begin = std::chrono::steady_clock::now();
  const BatchArrays arrays(batch, config_.algorithm.mask_truncated_completions);
  CheckBatch(arrays);
  std::vector<std::vector<float>> rewards;
  for (const ScoredGroup& group : batch.groups) rewards.push_back(group.rewards_G);
  const Advantages advantages = ComputeAdvantages(rewards, config_.algorithm.scale_rewards);
  advantages_ = advantages.values;
  const Work work = Cut(arrays, advantages_);
  const LossSettings settings = LossSettingsOf(config_.algorithm);
  const std::vector<double> weights =
      TokenWeights(config_.algorithm.loss_type, arrays.lengths(), arrays.masked(), arrays.judged(),
                   config_.rollout.max_completion_length);
  std::vector<SampleTokens> samples = Samples(batch, arrays, weights);
  std::vector<float> logprobs(arrays.tokens()), entropies(arrays.tokens()), reference, first;
  const double temperature = config_.rollout.temperature;
  if (settings.beta != 0) {
    reference.resize(arrays.tokens());
    Run(reference_, arrays, work.learn, temperature, nullptr, &reference, &entropies);
  }
  for (size_t i = 0; i < samples.size(); ++i) {
    samples[i].logprobs = arrays.Slice(logprobs, i);
    samples[i].entropies = arrays.Slice(entropies, i);
    if (settings.beta != 0) samples[i].reference = arrays.Slice(reference, i);
  }

  Metrics common;  // of the batch, the same in each of its steps
  AddRewardMetrics(batch, advantages, &common);
  AddCompletionMetrics(arrays.lengths(), arrays.truncated(), &common);
  state_.num_tokens += arrays.tokens_with_prompts();
  common["num_tokens"] = static_cast<double>(state_.num_tokens);

  const Gradient gradient = [&](size_t sample, std::span<float> dlogprobs) {
    SampleGradient(settings, samples[sample], dlogprobs);
  };
  std::vector<Metrics> steps;
  const auto total = static_cast<uint64_t>(config_.run.steps);
  for (int64_t i = 0; i < config_.algorithm.num_iterations && state_.step < total; ++i) {
    ClearGrads();
    const StepBatch* known = i == 0 ? &batch : nullptr;  // after a step the weights are others
    Run(policy_, arrays, work.learn, temperature, gradient, &logprobs, &entropies, known);
    Measure(batch, arrays, work.no_signal, temperature, &logprobs, &entropies);
    if (i == 0) {
      if (const auto diff = arrays.MaxDifference(batch, logprobs))
        common["policy/logprob_max_abs_diff"] =
            std::max(*diff, CheckOne(batch, arrays, temperature));
    }
    Metrics metrics = common;
    AddLossMetrics(settings, samples, &metrics);
    Update(&metrics);
    metrics["time/learn"] = SecondsSince(begin);
    begin = std::chrono::steady_clock::now();
    steps.push_back(std::move(metrics));
    if (i > 0) continue;
    // From here on, samples without recorded log-probabilities are compared with the policy's own
    // of this moment.
    first = logprobs;
    for (size_t s = 0; s < samples.size(); ++s) {
      if (samples[s].old_logprobs.empty()) samples[s].old_logprobs = arrays.Slice(first, s);
    }
  }
  ++state_.batches;
  return steps;
}

Metrics Learner::Impl::SftStep(const std::vector<Example>& examples) {
  const auto begin = std::chrono::steady_clock::now();
  const BatchArrays arrays(examples);
  CheckBatch(arrays);
  std::vector<int32_t> all(arrays.groups().size());
  for (size_t i = 0; i < all.size(); ++i) all[i] = static_cast<int32_t>(i);
  const std::vector<PackedBatch> batches = Cut(arrays, all);
  std::vector<float> logprobs(arrays.tokens()), entropies(arrays.tokens());
  const double tokens = static_cast<double>(std::max<size_t>(1, arrays.tokens()));
  ClearGrads();
  const auto gradient = [&](size_t, std::span<float> dlogprobs) {
    std::fill(dlogprobs.begin(), dlogprobs.end(), static_cast<float>(-1 / tokens));
  };
  Run(policy_, arrays, batches, 1.0, gradient, &logprobs, &entropies);
  double loss = 0, entropy = 0;
  for (size_t i = 0; i < logprobs.size(); ++i) {
    loss -= logprobs[i];
    entropy += entropies[i];
  }
  state_.num_tokens += arrays.tokens_with_prompts();
  Metrics metrics;
  metrics["loss"] = loss / tokens;
  metrics["entropy"] = entropy / tokens;
  metrics["num_tokens"] = static_cast<double>(state_.num_tokens);
  Update(&metrics);
  ++state_.batches;
  metrics["time/learn"] = SecondsSince(begin);
  return metrics;
}

void Learner::Impl::ClearGrads() {
  if (grads_.empty()) grads_ = optimizer_.TakeArray();
  pool_.For(static_cast<int64_t>(grads_.size()), 4096, [&](int64_t begin, int64_t end) {
    std::fill(grads_.begin() + begin, grads_.begin() + end, 0.0f);
  });
}

void Learner::Impl::Update(Metrics* metrics) {
  const double norm = optimizer_.GradNorm(grads_.span());
  if (!std::isfinite(norm)) {
    throw RunError(fmt::format(
        "step {}: the gradient is not finite (loss {}); lower optimizer.learning_rate or look "
        "at the batch's trace",
        state_.step + 1, metrics->at("loss")));
  }
  const double rate =
      LearningRate(config_.optimizer, static_cast<int64_t>(state_.step), config_.run.steps);
  weights_ = optimizer_.Step(*weights_, std::move(grads_), norm, rate, state_.step + 1);
  policy_.backend->SetWeights(weights_);
  ++state_.step;
  (*metrics)["grad_norm"] = norm;
  (*metrics)["learning_rate"] = rate;
}

void Learner::Impl::Save(const std::filesystem::path& folder) const {
  SaveCheckpoint(folder, model_, *weights_, optimizer_.m().span(), optimizer_.v().span(), state_);
}

void Learner::Impl::Load(const std::filesystem::path& folder) {
  weights_ = LoadCheckpoint(folder, model_, optimizer_.m().span(), optimizer_.v().span(), &state_);
  policy_.backend->SetWeights(weights_);
}

Learner::Learner(const Config& config, const ModelFolder& model, Backend& backend,
                 Backend* reference, int threads)
    : impl_(std::make_unique<Impl>(config, model, backend, reference, threads)) {}
Learner::~Learner() = default;
std::vector<Metrics> Learner::Step(const StepBatch& batch) { return impl_->Step(batch); }
Metrics Learner::SftStep(const std::vector<Example>& examples) { return impl_->SftStep(examples); }
std::shared_ptr<const Weights> Learner::weights() const { return impl_->weights(); }
const LearnerState& Learner::state() const { return impl_->state(); }
const std::vector<std::vector<float>>& Learner::advantages() const { return impl_->advantages(); }
void Learner::Save(const std::filesystem::path& folder) const { impl_->Save(folder); }
void Learner::Load(const std::filesystem::path& folder) { impl_->Load(folder); }

}  // namespace hone
