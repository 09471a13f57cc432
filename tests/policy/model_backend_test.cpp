#include <gmock/gmock.h>

#include <cstdlib>
#include <filesystem>

#include "common/error.h"
#include "model_fixtures.h"

namespace hone {
namespace {

using testing::AllOf;
using testing::HasSubstr;

const ModelConfig kConfig = ConfigOf(Families()[0]);

// What MakeBackend says to it; empty when it is content.
std::string UsageErrorOf(const BackendOptions& options, const ModelConfig& config = kConfig) {
  try {
    MakeBackend(options, config);
  } catch (const UsageError& error) {
    return error.what();
  }
  return "";
}

template <class Call>
std::string RunErrorOf(Call call) {
  try {
    call();
  } catch (const RunError& error) {
    return error.what();
  }
  return "";
}

class EnvironmentVariable {
 public:
  EnvironmentVariable(const char* name, const std::string& value) : name_(name) {
    setenv(name, value.c_str(), 1);
  }
  ~EnvironmentVariable() { unsetenv(name_); }

 private:
  const char* name_;
};

TEST(ModelBackendTest, UnknownNamesAreRefusedWithTheNearest) {
  EXPECT_THAT(UsageErrorOf({.name = "exakt"}),
              AllOf(HasSubstr("policy.backend"), HasSubstr("did you mean \"exact\"?")));
  EXPECT_THAT(UsageErrorOf({.name = "torhc"}), HasSubstr("did you mean \"torch\"?"));
  EXPECT_THAT(UsageErrorOf({.device = "cudaa"}),
              AllOf(HasSubstr("policy.device"), HasSubstr("did you mean \"cuda\"?")));
  EXPECT_THAT(UsageErrorOf({.device = "cuda"}),
              HasSubstr("the exact backend runs on \"cpu\" only"));
  EXPECT_THAT(
      UsageErrorOf({.dtype = "bf61"}),
      HasSubstr(
          "policy.dtype: expected \"f32\" or \"bf16\", found \"bf61\"; did you mean \"bf16\"?"));
  EXPECT_THAT(UsageErrorOf({.threads = -1}), HasSubstr("threads"));
}

TEST(ModelBackendTest, ImpossibleSizesAreRefused) {
  ModelConfig config = kConfig;
  config.num_kv_heads = 3;
  EXPECT_THAT(UsageErrorOf({}, config),
              HasSubstr("multiple of num_key_value_heads, found 4 and 3"));
  config = kConfig;
  config.head_dim = 7;
  EXPECT_THAT(UsageErrorOf({}, config), HasSubstr("head_dim must be even"));
  config = kConfig;
  config.hidden_size = 0;
  EXPECT_THAT(UsageErrorOf({}, config), HasSubstr("hidden_size must be positive"));
  config = kConfig;
  config.sparse.assign(static_cast<size_t>(config.num_layers), 1);
  config.num_experts = 4;
  config.experts_per_token = 5;
  config.expert_size = 8;
  EXPECT_THAT(UsageErrorOf({}, config), HasSubstr("found 4 experts of size 8, 5 a token"));
  config.experts_per_token = 2;
  config.sparse.push_back(1);
  EXPECT_THAT(UsageErrorOf({}, config), HasSubstr("says of each of its"));
  config.sparse.pop_back();
  config.mlp_bias = true;
  EXPECT_THAT(UsageErrorOf({}, config), HasSubstr("no mlp_bias"));
}

TEST(ModelBackendTest, AMissingTorchModuleIsNamedWithTheWayOut) {
  const EnvironmentVariable variable("HONE_TORCH_MODULE", "/nowhere/libhone_torch.so");
  EXPECT_THAT(RunErrorOf([] { MakeBackend({.name = "torch"}, kConfig); }),
              AllOf(HasSubstr("/nowhere/libhone_torch.so"), HasSubstr("hone_torch"),
                    HasSubstr("HONE_TORCH_MODULE")));
}

TEST(ModelBackendTest, AFileThatIsNoModuleIsRefused) {
  const EnvironmentVariable variable("HONE_TORCH_MODULE",
                                     std::string(HONE_SOURCE_DIR) + "/CMakeLists.txt");
  EXPECT_THAT(RunErrorOf([] { MakeBackend({.name = "torch"}, kConfig); }),
              HasSubstr("cannot be loaded"));
}

// Thrown inside the module, caught here by its own type.
TEST(ModelBackendTest, ErrorsOfTheTorchModuleKeepTheirType) {
#ifndef HONE_CUDA
  EXPECT_THAT(UsageErrorOf({.name = "torch", .device = "cuda"}), HasSubstr("-DHONE_CUDA=ON"));
#endif
  const auto torch = MakeBackend({.name = "torch"}, kConfig);
  EXPECT_THAT(RunErrorOf([&] { torch->weights(); }), HasSubstr("SetWeights comes first"));
}

class ModelBackendCallsTest : public testing::TestWithParam<std::string> {
 protected:
  // One sequence of four tokens.
  TrainingBatch Good() const {
    TrainingBatch batch;
    AddUnshared({{1, 2}, {{3, 4, 5}}}, &batch);
    return batch;
  }
  std::string ErrorOf(const TrainingBatch& batch) {
    return RunErrorOf([&] { RunTraining(*backend_, batch, 1.0f); });
  }

  const std::unique_ptr<Backend> backend_ =
      NewBackend(kConfig, {.name = GetParam()}, RandomWeights(kConfig, 1));
};

TEST_P(ModelBackendCallsTest, BatchesThatDoNotFitAreRefused) {
  EXPECT_EQ(ErrorOf(Good()), "");
  TrainingBatch batch = Good();
  batch.batch.tokens_T[1] = static_cast<int32_t>(kConfig.vocab_size);
  EXPECT_THAT(ErrorOf(batch), HasSubstr("token 61 is not one of the model's 61"));
  batch = Good();
  batch.batch.tokens_T.push_back(0);
  EXPECT_THAT(ErrorOf(batch), HasSubstr("cover 4 of its 5 rows"));
  batch = Good();
  batch.batch.spans[0].first_row = 1;
  EXPECT_THAT(ErrorOf(batch), HasSubstr("cover its 4 rows in order"));
  batch = Good();
  batch.batch.pages[0] = 1;
  EXPECT_THAT(ErrorOf(batch), HasSubstr("page 1 is not one of the cache's 1"));
  batch = Good();
  batch.batch.spans[0].position = 14;
  EXPECT_THAT(ErrorOf(batch), HasSubstr("18 positions needs 2 pages"));
  batch = Good();
  batch.batch.spans[0].position = 255;
  EXPECT_THAT(ErrorOf(batch), HasSubstr("max_position_embeddings"));
  batch = Good();
  batch.batch.copies.push_back({0, 0, 17});
  EXPECT_THAT(ErrorOf(batch), HasSubstr("17 slots"));
}

TEST_P(ModelBackendCallsTest, PagesAreOfTheCachesSizeAMultipleOf16) {
  const auto cache = backend_->NewCache(2, 48);
  EXPECT_EQ(cache->page_size(), 48);
  EXPECT_EQ(cache->bytes(), 3 * backend_->NewCache(2)->bytes());
  EXPECT_THAT(RunErrorOf([&] { backend_->Forward(Good().batch, *cache, {}, {}); }),
              HasSubstr("pages of 16 positions, the cache's have 48"));
  for (const int32_t page_size : {0, -16, 8, 24}) {
    EXPECT_THROW(backend_->NewCache(2, page_size), UsageError) << page_size;
  }
}

TEST_P(ModelBackendCallsTest, ABackwardNeedsAKeptForwardOfItsOwn) {
  std::vector<float> grads(static_cast<size_t>(backend_->layout().size));
  const std::vector<float> dlogprobs = {1, 1, 1};
  EXPECT_THAT(RunErrorOf([&] { backend_->Backward(dlogprobs, {}, grads); }), HasSubstr("kept"));
  const TrainingBatch batch = Good();
  RunTraining(*backend_, batch, 1.0f, dlogprobs);
  EXPECT_THAT(RunErrorOf([&] { backend_->Backward(dlogprobs, {}, grads); }), HasSubstr("kept"));
  const auto cache = backend_->NewCache(1);
  std::vector<float> logprobs(3);
  backend_->ForwardLogprobs(batch.batch, *cache, batch.targets, 1.0f, /*keep=*/true, logprobs, {});
  EXPECT_THAT(RunErrorOf([&] { backend_->Backward(std::span(dlogprobs).first(2), {}, grads); }),
              HasSubstr("gradients of log-probabilities: expected 3 elements, found 2"));
}

TEST_P(ModelBackendCallsTest, ABackwardAddsToTheGradients) {
  const std::vector<float> dlogprobs = {1, -2, 1}, twice = {2, -4, 2};
  const Result once = RunTraining(*backend_, Good(), 1.0f, dlogprobs);
  const Result both = RunTraining(*backend_, Good(), 1.0f, dlogprobs, {}, once.grads);
  const Result expected = RunTraining(*backend_, Good(), 1.0f, twice);
  for (size_t i = 0; i < both.grads.size(); ++i)
    ASSERT_NEAR(both.grads[i], expected.grads[i], 1e-4) << i;
}

TEST_P(ModelBackendCallsTest, ABatchOfNoRowsIsNoWork) {
  const auto cache = backend_->NewCache(1);
  backend_->Forward({}, *cache, {}, {});
  backend_->ForwardLogprobs({}, *cache, {}, 1.0f, /*keep=*/true, {}, {});
  std::vector<float> grads(static_cast<size_t>(backend_->layout().size));
  backend_->Backward({}, {}, grads);
  for (const float grad : grads) ASSERT_EQ(grad, 0);
}

TEST_P(ModelBackendCallsTest, ACacheOfAnotherBackendIsRefused) {
  const auto other = MakeBackend({.name = GetParam() == "exact" ? "torch" : "exact"}, kConfig);
  const auto cache = other->NewCache(1);
  EXPECT_THAT(RunErrorOf([&] { backend_->Forward(Good().batch, *cache, {}, {}); }),
              HasSubstr("another backend"));
}

INSTANTIATE_TEST_SUITE_P(Backends, ModelBackendCallsTest, testing::Values("exact", "torch"),
                         [](const auto& parameter) { return parameter.param; });

}  // namespace
}  // namespace hone
