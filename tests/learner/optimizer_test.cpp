#include "learner/optimizer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "common/philox.h"
#include "fixtures.h"

namespace hone {
namespace {

class OptimizerTest : public ::testing::Test {
 protected:
  OptimizerTest() : model_(testing::TinyModel()), pool_(2), exec_{&pool_, kernels::DetectIsa()} {
    settings_.learning_rate = 1e-2;
    settings_.weight_decay = 0.1;
  }

  // Gradients in the tensors, zeros in the gaps.
  Buffer<float> Gradient(uint64_t seed) const {
    PhiloxSequence draws(seed, {.purpose = Purpose::kGenerateData});
    Buffer<float> grads(static_cast<size_t>(model_.layout.size));
    for (const TensorSpec& tensor : model_.layout.tensors) {
      for (int64_t i = 0; i < tensor.size; ++i) {
        grads[static_cast<size_t>(tensor.offset + i)] = static_cast<float>(draws.Uniform() - 0.5);
      }
    }
    return grads;
  }

  ModelFolder model_;
  ThreadPool pool_;
  kernels::Exec exec_;
  OptimizerSection settings_;
};

// One parameter under AdamW, in double.
struct PlainParameter {
  double w = 0, m = 0, v = 0;
  void Step(double g, double rate, double decay, int step) {
    w *= 1 - rate * decay;
    m = 0.9 * m + 0.1 * g;
    v = 0.999 * v + 0.001 * g * g;
    const double corrected = std::sqrt(v / (1 - std::pow(0.999, step)));
    w -= rate * (m / (1 - std::pow(0.9, step))) / (corrected + 1e-8);
  }
};

TEST_F(OptimizerTest, ThreeStepsAreAdamWInDouble) {
  AdamWOptimizer optimizer(settings_, model_.layout, exec_);
  std::map<int64_t, PlainParameter> plain;
  for (const TensorSpec& tensor : model_.layout.tensors) {
    for (int64_t i = tensor.offset; i < tensor.offset + tensor.size; ++i)
      plain[i].w = model_.weights->data[i];
  }
  std::shared_ptr<const Weights> weights = model_.weights;
  for (int step = 1; step <= 3; ++step) {
    const Buffer<float> grads = Gradient(static_cast<uint64_t>(step));
    const double norm = optimizer.GradNorm(grads.span());
    double squares = 0;
    for (const float g : grads) squares += static_cast<double>(g) * g;
    EXPECT_NEAR(norm, std::sqrt(squares), 1e-9 * norm);
    EXPECT_GT(norm, settings_.max_grad_norm) << "else nothing is clipped";
    const double clip = std::min(1.0, settings_.max_grad_norm / (norm + 1e-6));
    weights = optimizer.Step(*weights, Gradient(static_cast<uint64_t>(step)), norm,
                             settings_.learning_rate, static_cast<uint64_t>(step));
    EXPECT_EQ(weights->version, static_cast<uint64_t>(step));
    for (const TensorSpec& tensor : model_.layout.tensors) {
      const double decay = tensor.shape.size() > 1 ? settings_.weight_decay : 0;
      for (int64_t i = tensor.offset; i < tensor.offset + tensor.size; ++i) {
        plain[i].Step(grads[static_cast<size_t>(i)] * clip, settings_.learning_rate, decay, step);
        ASSERT_NEAR(weights->data[i], plain[i].w, 3e-6) << tensor.name << " step " << step;
      }
    }
  }
}

TEST_F(OptimizerTest, MatricesDecayNormsAndBiasesDoNot) {
  std::map<std::string, bool> decays;
  int64_t covered = 0;
  for (const DecayRange& range : DecayRanges(model_.layout)) {
    EXPECT_EQ(range.begin, covered);
    covered = range.end;
    for (const TensorSpec& tensor : model_.layout.tensors) {
      if (tensor.offset >= range.begin && tensor.offset < range.end)
        decays[tensor.name] = range.decays;
    }
  }
  EXPECT_EQ(covered, model_.layout.size);
  EXPECT_TRUE(decays.at("model.embed_tokens.weight"));
  EXPECT_TRUE(decays.at("model.layers.1.mlp.down_proj.weight"));
  EXPECT_FALSE(decays.at("model.layers.0.self_attn.q_proj.bias"));
  EXPECT_FALSE(decays.at("model.layers.0.input_layernorm.weight"));
  EXPECT_FALSE(decays.at("model.norm.weight"));
  EXPECT_EQ(decays.size(), model_.layout.tensors.size());
}

TEST_F(OptimizerTest, TheClipFactorIsTorchs) {
  EXPECT_EQ(AdamWOptimizer::ClipFactor(0.5, 1.0), 1.0f);
  EXPECT_EQ(AdamWOptimizer::ClipFactor(4, 1.0), static_cast<float>(1.0 / (4 + 1e-6)));
  EXPECT_EQ(AdamWOptimizer::ClipFactor(4, 0), 1.0f);
}

TEST_F(OptimizerTest, AVersionStaysAsItIsWhileSomebodyHoldsIt) {
  AdamWOptimizer optimizer(settings_, model_.layout, exec_);
  const auto held = optimizer.Step(*model_.weights, Gradient(1), 1, 1e-2, 1);
  const Hash128 before = held->fingerprint;
  std::shared_ptr<const Weights> weights = held;
  for (uint64_t step = 2; step < 6; ++step)
    weights = optimizer.Step(*weights, Gradient(step), 1, 1e-2, step);
  EXPECT_EQ(Fingerprint(model_.layout, held->data), before);
  EXPECT_EQ(Fingerprint(model_.layout, weights->data), weights->fingerprint);
  EXPECT_NE(weights->fingerprint, before);
}

TEST_F(OptimizerTest, ArraysNobodyHoldsAreUsedAgain) {
  AdamWOptimizer optimizer(settings_, model_.layout, exec_);
  std::shared_ptr<const Weights> weights = model_.weights;
  std::map<const float*, int> arrays;
  for (uint64_t step = 1; step < 9; ++step) {
    Buffer<float> grads = optimizer.TakeArray();
    std::copy_n(Gradient(step).begin(), grads.size(), grads.begin());
    weights = optimizer.Step(*weights, std::move(grads), 1, 1e-2, step);
    ++arrays[weights->data.data()];
  }
  EXPECT_EQ(arrays.size(), 2u);
}

}  // namespace
}  // namespace hone
