#include "learner/learner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "common/error.h"
#include "fixtures.h"
#include "learner/advantages.h"
#include "learner/batch_arrays.h"
#include "learner/loss.h"

namespace hone {
namespace {

using ::testing::HasSubstr;

// A backend that hands everything on, and keeps the gradients and how often it was asked.
class WatchedBackend : public Backend {
 public:
  explicit WatchedBackend(std::unique_ptr<Backend> inner) : inner_(std::move(inner)) {}
  const ModelConfig& config() const override { return inner_->config(); }
  const WeightsLayout& layout() const override { return inner_->layout(); }
  ThreadPool& pool() override { return inner_->pool(); }
  void SetWeights(std::shared_ptr<const Weights> weights) override {
    inner_->SetWeights(std::move(weights));
  }
  const Weights& weights() const override { return inner_->weights(); }
  bool exact() const override { return promises && inner_->exact(); }
  std::unique_ptr<KvCache> NewCache(int32_t pages, int32_t page_size) override {
    return inner_->NewCache(pages, page_size);
  }
  void Forward(const Batch& batch, KvCache& cache, std::span<const int32_t> rows,
               std::span<float> logits, std::shared_ptr<const Activations>* record) override {
    inner_->Forward(batch, cache, rows, logits, record);
  }
  void ForwardLogprobs(const Batch& batch, KvCache& cache, std::span<const Target> targets,
                       float temperature, bool keep, std::span<float> logprobs,
                       std::span<float> entropies, std::span<const ActivationRow> known) override {
    ++forwards;
    inner_->ForwardLogprobs(batch, cache, targets, temperature, keep, logprobs, entropies, known);
  }
  void Backward(std::span<const float> dlogprobs, std::span<const float> dentropies,
                std::span<float> grads) override {
    ++backwards;
    inner_->Backward(dlogprobs, dentropies, grads);
    gradient.assign(grads.begin(), grads.end());
  }

  bool promises = true;  // the numerics contract
  int forwards = 0, backwards = 0;
  std::vector<float> gradient;  // as it stood after the last Backward

 private:
  std::unique_ptr<Backend> inner_;
};

// What a learner is made of, for one run of a test.
struct Trainee {
  Trainee(const ModelFolder& model, const Config& settings, int threads = 1)
      : config(settings),
        backend(testing::ExactBackendOf(model, threads)),
        reference(testing::ExactBackendOf(model, threads)),
        learner(Made(model, threads)) {}
  std::unique_ptr<Learner> Made(const ModelFolder& model, int threads) {
    reference->SetWeights(model.weights);
    return std::make_unique<Learner>(config, model, backend, reference.get(), threads);
  }
  Config config;
  WatchedBackend backend;
  std::unique_ptr<Backend> reference;
  std::unique_ptr<Learner> learner;
};

// The batch as the policy's engine would have drawn it, with entropies; the log-probabilities
// shifted a little on demand: recorded ones that are not on-policy.
StepBatch WithLogprobs(StepBatch batch, const ModelFolder& model, float temperature, float shift) {
  const auto backend = testing::ExactBackendOf(model);
  backend->SetWeights(model.weights);
  for (ScoredGroup& group : batch.groups) {
    const auto& prompt = group.rollout.task.prompt_tokens;
    for (Completion& completion : group.rollout.completions) {
      // One sequence alone, in one piece.
      Batch single;
      single.tokens_T = prompt;
      single.tokens_T.insert(single.tokens_T.end(), completion.tokens.begin(),
                             completion.tokens.end());
      const int32_t pages = PagesFor(single.rows(), kDefaultPageSize);
      for (int32_t p = 0; p < pages; ++p) single.pages.push_back(p);
      single.spans.push_back(
          {.first_row = 0, .rows = single.rows(), .position = 0, .first_page = 0});
      std::vector<Target> targets;
      for (size_t t = 0; t < completion.tokens.size(); ++t) {
        targets.push_back({static_cast<int32_t>(prompt.size() + t) - 1, completion.tokens[t]});
      }
      const auto cache = backend->NewCache(pages);
      completion.version = model.weights->version;
      completion.fingerprint = model.weights->fingerprint;
      completion.entropies.resize(targets.size());
      completion.logprobs.resize(targets.size());
      backend->ForwardLogprobs(single, *cache, targets, temperature, false, completion.logprobs,
                               completion.entropies);
      for (size_t t = 0; t < targets.size(); ++t) completion.logprobs[t] += t % 2 ? shift : -shift;
    }
  }
  return batch;
}

// The step's loss at given weights, by the learner's own forward.
double LossAt(const ModelFolder& model, const Config& config, const StepBatch& batch,
              std::vector<float> weights) {
  ModelFolder moved = model;
  Buffer<float> data(weights.size());
  std::copy(weights.begin(), weights.end(), data.begin());
  moved.weights = MakeWeights(model.layout, std::move(data), 0);
  Trainee trainee(moved, config);
  trainee.reference->SetWeights(model.weights);
  return trainee.learner->Step(batch)[0].at("loss");
}

Config LossConfig(const std::string& loss_type, double beta) {
  Config config = testing::TinyConfig();
  config.algorithm.loss_type = loss_type;
  config.algorithm.beta = beta;
  config.algorithm.epsilon = 0.5;  // wide: no token sits at the corner of its clip
  config.rollout.temperature = 0.8;
  return config;
}

TEST(LearnerTest, TheGradientIsThatOfTheLoss) {
  const ModelFolder model = testing::TinyModel();
  for (const auto& [loss_type, beta] :
       std::vector<std::pair<std::string, double>>{{"grpo", 0.3}, {"dr_grpo", 0}}) {
    SCOPED_TRACE(loss_type);
    const Config config = LossConfig(loss_type, beta);
    const StepBatch batch = WithLogprobs(testing::RandomBatch(11), model, 0.8f, 0.1f);
    Trainee trainee(model, config);
    const Metrics metrics = trainee.learner->Step(batch)[0];
    const std::vector<float>& gradient = trainee.backend.gradient;
    // The derivative along a few tensors' own gradients, which is the squared norm of each.
    for (const std::string name :
         {"model.embed_tokens.weight", "model.layers.0.self_attn.k_proj.weight",
          "model.layers.0.self_attn.q_proj.bias", "model.layers.1.mlp.gate_proj.weight",
          "model.layers.1.input_layernorm.weight", "model.norm.weight"}) {
      const TensorSpec& tensor = model.layout.Find(name);
      double squares = 0;
      for (int64_t i = tensor.offset; i < tensor.offset + tensor.size; ++i)
        squares += std::pow(gradient[i], 2);
      const double h = 5e-3 / std::sqrt(squares);
      double losses[2];
      for (const int side : {0, 1}) {
        std::vector<float> weights = testing::Copy(model.weights->data);
        for (int64_t i = tensor.offset; i < tensor.offset + tensor.size; ++i) {
          weights[i] += static_cast<float>((side ? h : -h) * gradient[i]);
        }
        losses[side] = LossAt(model, config, batch, std::move(weights));
      }
      const double slope = (losses[1] - losses[0]) / (2 * h);
      EXPECT_NEAR(slope / squares, 1, 5e-3) << name;
    }
    EXPECT_GT(metrics.at("grad_norm"), 0.01);
  }
}

TEST(LearnerTest, FreshLogprobsAreTheLearnersToTheBit) {
  const ModelFolder model = testing::TinyModel();
  Config config = testing::TinyConfig();
  config.rollout.temperature = 0.7;
  config.algorithm.epsilon = 0;  // any ratio but 1 would be clipped
  Trainee trainee(model, config);
  const Metrics metrics =
      trainee.learner->Step(WithLogprobs(testing::RandomBatch(5, 6), model, 0.7f, 0))[0];
  EXPECT_EQ(metrics.at("policy/logprob_max_abs_diff"), 0);
  EXPECT_EQ(metrics.at("clip_ratio/region_mean"), 0);
  Trainee stale(model, config);
  const Metrics moved =
      stale.learner->Step(WithLogprobs(testing::RandomBatch(5, 6), model, 0.7f, 0.25f))[0];
  EXPECT_NEAR(moved.at("policy/logprob_max_abs_diff"), 0.25, 1e-5);
  EXPECT_GT(moved.at("clip_ratio/region_mean"), 0.2);
}

TEST(LearnerTest, CuttingIntoMicroBatchesChangesNoBitOfWholeGroups) {
  const ModelFolder model = testing::TinyModel();
  const StepBatch batch = testing::RandomBatch(9, 5);
  const auto outcome = [&](int64_t rows) {
    Config config = testing::TinyConfig();
    config.algorithm.beta = 0.04;
    config.learner.micro_batch_tokens = rows;
    Trainee trainee(model, config);
    Metrics metrics = trainee.learner->Step(batch)[0];
    metrics.erase("time/learn");
    return std::tuple(trainee.backend.forwards, metrics, trainee.learner->weights()->fingerprint);
  };
  const auto [whole_forwards, whole_metrics, whole_weights] = outcome(100000);
  const auto [cut_forwards, cut_metrics, cut_weights] = outcome(120);
  EXPECT_EQ(whole_forwards, 1);
  EXPECT_GT(cut_forwards, 2);
  EXPECT_EQ(whole_metrics, cut_metrics);
  EXPECT_EQ(whole_weights, cut_weights);

  // Where groups are cut too, prompts are run again: the same numbers but for the gradient's
  // rounding.
  const auto [torn_forwards, torn_metrics, torn_weights] = outcome(40);
  EXPECT_GT(torn_forwards, cut_forwards);
  EXPECT_EQ(torn_metrics.at("loss"), whole_metrics.at("loss"));
  EXPECT_EQ(torn_metrics.at("entropy"), whole_metrics.at("entropy"));
  EXPECT_NEAR(torn_metrics.at("grad_norm") / whole_metrics.at("grad_norm"), 1, 1e-5);
}

TEST(LearnerTest, ThreadsAndRepetitionChangeNoBit) {
  const ModelFolder model = testing::TinyModel();
  std::vector<Hash128> fingerprints;
  for (const int threads : {1, 2, 1}) {
    Config config = testing::TinyConfig();
    config.algorithm.num_iterations = 2;
    Trainee trainee(model, config, threads);
    for (uint64_t seed = 1; seed <= 3; ++seed) trainee.learner->Step(testing::RandomBatch(seed));
    EXPECT_EQ(trainee.learner->state().step, 6u);
    fingerprints.push_back(trainee.learner->weights()->fingerprint);
  }
  EXPECT_EQ(fingerprints[0], fingerprints[1]);
  EXPECT_EQ(fingerprints[0], fingerprints[2]);
}

TEST(LearnerTest, TheSecondIterationComparesWithThePolicyOfTheFirst) {
  const ModelFolder model = testing::TinyModel();
  Config config = testing::TinyConfig();
  config.optimizer.learning_rate = 1e-2;
  config.algorithm.num_iterations = 2;
  const StepBatch bare = testing::RandomBatch(2);
  Trainee without(model, config), with(model, config);
  const auto a = without.learner->Step(bare);
  ASSERT_EQ(a.size(), 2u);
  EXPECT_EQ(a[0].at("clip_ratio/region_mean"), 0);
  EXPECT_GT(a[1].at("clip_ratio/region_mean"), 0);
  EXPECT_FALSE(a[0].contains("policy/logprob_max_abs_diff"));
  EXPECT_EQ(a[0].at("num_tokens"), a[1].at("num_tokens"));
  // Recorded log-probabilities that are the policy's own make no difference.
  const auto b = with.learner->Step(WithLogprobs(bare, model, 1, 0));
  EXPECT_EQ(a[1].at("loss"), b[1].at("loss"));
  EXPECT_EQ(without.learner->weights()->fingerprint, with.learner->weights()->fingerprint);
}

TEST(LearnerTest, TheRunsLastBatchServesOnlyTheStepsThatAreLeft) {
  const ModelFolder model = testing::TinyModel();
  Config config = testing::TinyConfig();
  config.run.steps = 3;
  config.algorithm.num_iterations = 2;
  Trainee trainee(model, config);
  EXPECT_EQ(trainee.learner->Step(testing::RandomBatch(1)).size(), 2u);
  EXPECT_EQ(trainee.learner->Step(testing::RandomBatch(2)).size(), 1u);
  EXPECT_EQ(trainee.learner->state().batches, 2u);
}

TEST(LearnerTest, GroupsWithoutSignalAreRunButNotDifferentiated) {
  const ModelFolder model = testing::TinyModel();
  StepBatch batch = testing::RandomBatch(3, 3);
  const Config config = testing::TinyConfig();
  Trainee full(model, config);
  const double entropy = full.learner->Step(batch)[0].at("entropy");
  for (ScoredGroup& group : batch.groups) group.rewards_G.assign(group.rewards_G.size(), 0.7f);
  Trainee flat(model, config);
  const Metrics metrics = flat.learner->Step(batch)[0];
  EXPECT_EQ(flat.backend.backwards, 0);
  EXPECT_EQ(flat.backend.forwards, 1);
  EXPECT_EQ(metrics.at("grad_norm"), 0);
  EXPECT_EQ(metrics.at("entropy"), entropy);
  EXPECT_EQ(metrics.at("frac_reward_zero_std"), 1);
}

// Four groups, of which the second and the last have no signal.
StepBatch HalfWithoutSignal(const ModelFolder& model) {
  StepBatch batch = WithLogprobs(testing::RandomBatch(3, 4), model, 0.7f, 0);
  for (const size_t g : {1, 3}) {
    auto& rewards = batch.groups[g].rewards_G;
    rewards.assign(rewards.size(), 0.7f);
  }
  return batch;
}

// What a step leaves, and how many forwards it took.
struct StepOutcome {
  std::vector<Metrics> steps;
  std::vector<float> gradient;
  Hash128 weights;
  int forwards = 0;
  bool operator==(const StepOutcome&) const = default;
};

StepOutcome StepOnce(const ModelFolder& model, const StepBatch& batch, bool promises = true) {
  Config config = testing::TinyConfig();
  config.rollout.temperature = 0.7;
  config.algorithm.num_iterations = 2;
  config.learner.micro_batch_tokens = 1 << 20;
  Trainee trainee(model, config);
  trainee.backend.promises = promises;
  StepOutcome outcome;
  outcome.steps = trainee.learner->Step(batch);
  for (Metrics& metrics : outcome.steps) metrics.erase("time/learn");
  outcome.gradient = trainee.backend.gradient;
  outcome.weights = trainee.learner->weights()->fingerprint;
  outcome.forwards = trainee.backend.forwards;
  return outcome;
}

TEST(LearnerTest, GroupsWithoutSignalAreNotRunWhenTheirEntropiesCameWithThem) {
  const ModelFolder model = testing::TinyModel();
  const StepBatch known = HalfWithoutSignal(model);
  StepBatch unknown = known;
  for (ScoredGroup& group : unknown.groups) {
    for (Completion& completion : group.rollout.completions) completion.entropies.clear();
  }
  StepOutcome saved = StepOnce(model, known), run = StepOnce(model, unknown);
  // Two iterations, each one batch with signal and one without; by the second the weights are
  // others than those that drew.
  EXPECT_EQ(run.forwards, 4);
  EXPECT_EQ(saved.forwards, 3);
  EXPECT_EQ(saved.steps[0].at("policy/logprob_max_abs_diff"), 0);
  saved.forwards = run.forwards;
  EXPECT_EQ(saved, run);

  // The numbers are the batch's indeed.
  StepBatch forged = known;
  forged.groups[3].rollout.completions[0].entropies[0] += 1;
  EXPECT_GT(StepOnce(model, forged).steps[0].at("entropy"), run.steps[0].at("entropy"));
}

TEST(LearnerTest, OnlyNumbersOfTheLearnersOwnWeightsAreTaken) {
  const ModelFolder model = testing::TinyModel();
  const StepBatch known = HalfWithoutSignal(model);
  const StepOutcome expected = StepOnce(model, known, /*promises=*/false);
  EXPECT_EQ(expected.forwards, 4);
  // One sample of each group without signal differs, its entropy is wrong: the group is run.
  const std::vector<std::function<void(Completion&)>> changes = {
      [](Completion& completion) { completion.version += 1; },
      [](Completion& completion) { completion.fingerprint.low ^= 1; },
      [](Completion& completion) { completion.entropies.clear(); }};
  for (size_t i = 0; i < changes.size(); ++i) {
    SCOPED_TRACE(i);
    StepBatch batch = known;
    for (const size_t g : {1, 3}) {
      Completion& completion = batch.groups[g].rollout.completions[2];
      for (float& entropy : completion.entropies) entropy += 1;
      changes[i](completion);
    }
    EXPECT_EQ(StepOnce(model, batch), expected);
  }
}

TEST(LearnerTest, MaskedTruncatedCompletionsDoNotMoveThePolicy) {
  const ModelFolder model = testing::TinyModel();
  Config config = testing::TinyConfig();
  config.algorithm.mask_truncated_completions = true;
  StepBatch batch = testing::RandomBatch(4, 2);
  Trainee first(model, config), second(model, config);
  first.learner->Step(batch);
  for (ScoredGroup& group : batch.groups) group.rollout.completions.back().tokens.assign(7, 9);
  second.learner->Step(batch);
  EXPECT_EQ(first.learner->weights()->fingerprint, second.learner->weights()->fingerprint);
}

TEST(LearnerTest, SamplesThatNobodyJudgedLeaveTheGradientOfTheOthers) {
  const ModelFolder model = testing::TinyModel();
  for (const std::string loss_type : {"grpo", "bnpo", "dr_grpo", "dapo"}) {
    for (const std::string scale : {"group", "batch"}) {
      SCOPED_TRACE(loss_type + " " + scale);
      Config config = LossConfig(loss_type, 0.3);
      config.algorithm.scale_rewards = scale;
      StepBatch kept = testing::RandomBatch(4, 2), all = kept;
      for (ScoredGroup& group : all.groups) {
        Completion extra = group.rollout.completions.front();
        extra.tokens.assign(7, 9);
        group.rollout.completions.push_back(extra);
        ++group.rollout.task.num_generations;
        for (auto* rewards : {&group.rewards_G, &group.rewards_VG[0]}) {
          rewards->push_back(std::numeric_limits<float>::quiet_NaN());
        }
      }
      Trainee first(model, config), second(model, config);
      const Metrics of_kept = first.learner->Step(kept)[0], of_all = second.learner->Step(all)[0];
      EXPECT_EQ(first.backend.gradient, second.backend.gradient);
      for (const char* name : {"loss", "kl", "entropy", "reward", "reward_std", "grad_norm"}) {
        EXPECT_EQ(of_kept.at(name), of_all.at(name)) << name;
      }
    }
  }
}

TEST(LearnerTest, SupervisedStepsLowerTheLossOnCompletionTokensOnly) {
  const ModelFolder model = testing::TinyModel();
  Config config = testing::TinyConfig();
  config.run.steps = 60;
  config.optimizer.learning_rate = 5e-3;
  Trainee trainee(model, config);
  const std::vector<Learner::Example> examples = {{{5, 6, 7}, {8, 9, 1}}, {{9, 9}, {4, 1}}};
  const Metrics first = trainee.learner->SftStep(examples);
  Metrics last;
  for (int i = 0; i < 50; ++i) last = trainee.learner->SftStep(examples);
  EXPECT_GT(first.at("loss"), 2);
  EXPECT_LT(last.at("loss"), 0.1);
  EXPECT_EQ(first.at("num_tokens"), 10);
  EXPECT_EQ(trainee.learner->state().step, 51u);
}

TEST(LearnerTest, ABatchThatCannotBeLearnedIsARunError) {
  const ModelFolder model = testing::TinyModel();
  Trainee trainee(model, testing::TinyConfig());
  StepBatch batch = testing::RandomBatch(1);
  batch.groups[0].rollout.completions[0].tokens[0] = 96;
  EXPECT_THAT([&] { trainee.learner->Step(batch); },
              ::testing::ThrowsMessage<RunError>(HasSubstr("token 96")));
  batch = testing::RandomBatch(1);
  batch.groups[0].rollout.completions[0].tokens.assign(130, 3);
  EXPECT_THAT([&] { trainee.learner->Step(batch); },
              ::testing::ThrowsMessage<RunError>(HasSubstr("128 positions")));
  batch = testing::RandomBatch(1);
  batch.groups[0].rollout.completions[0].entropies.assign(99, 1.0f);
  EXPECT_THAT([&] { trainee.learner->Step(batch); },
              ::testing::ThrowsMessage<RunError>(HasSubstr("99 entropies")));
  EXPECT_EQ(trainee.learner->state().step, 0u);
}

}  // namespace
}  // namespace hone
