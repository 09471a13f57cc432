#include <set>

#include "model_fixtures.h"

namespace hone {
namespace {

TEST(ModelWeightsTest, LayoutHasTheNamesAndShapesOfHuggingFace) {
  ModelConfig config = ConfigOf(Families()[3]);  // Qwen2, tied
  const WeightsLayout layout = MakeLayout(config);
  using Shape = std::vector<int64_t>;
  EXPECT_EQ(layout.Find("model.embed_tokens.weight").shape, (Shape{97, 96}));
  EXPECT_EQ(layout.Find("model.layers.1.self_attn.q_proj.weight").shape, (Shape{128, 96}));
  EXPECT_EQ(layout.Find("model.layers.1.self_attn.k_proj.weight").shape, (Shape{64, 96}));
  EXPECT_EQ(layout.Find("model.layers.0.self_attn.v_proj.bias").shape, (Shape{64}));
  EXPECT_EQ(layout.Find("model.layers.0.self_attn.o_proj.weight").shape, (Shape{96, 128}));
  EXPECT_EQ(layout.Find("model.layers.0.mlp.gate_proj.weight").shape, (Shape{112, 96}));
  EXPECT_EQ(layout.Find("model.layers.0.mlp.down_proj.weight").shape, (Shape{96, 112}));
  EXPECT_EQ(layout.tensors.size(), 2u + 2 * 12);
  EXPECT_THROW(layout.Find("lm_head.weight"), std::out_of_range);
  config.tie_word_embeddings = false;
  EXPECT_EQ(MakeLayout(config).Find("lm_head.weight").shape, (Shape{97, 96}));
}

TEST(ModelWeightsTest, LayoutIsAlignedAndTensorsDoNotOverlap) {
  for (const Family& family : Families()) {
    const WeightsLayout layout = MakeLayout(ConfigOf(family));
    int64_t end = 0, parameters = 0;
    for (const TensorSpec& tensor : layout.tensors) {
      EXPECT_EQ(tensor.offset % 16, 0) << tensor.name;
      EXPECT_GE(tensor.offset, end) << tensor.name;
      EXPECT_LT(tensor.offset - end, 16) << tensor.name;
      end = tensor.offset + tensor.size;
      parameters += tensor.size;
    }
    EXPECT_GE(layout.size, end);
    EXPECT_EQ(layout.parameters(), parameters);
  }
}

TEST(ModelWeightsTest, InitIsAFunctionOfConfigAndSeed) {
  const ModelConfig config = ConfigOf(Families()[3]);
  const WeightsLayout layout = MakeLayout(config);
  EXPECT_EQ(Fingerprint(layout, InitWeights(config, layout, 1).span()).Hex(),
            "7a63bd9ed1b24376fb75fd0c1c23f90a");
  EXPECT_NE(Fingerprint(layout, InitWeights(config, layout, 2).span()),
            Fingerprint(layout, InitWeights(config, layout, 1).span()));
}

TEST(ModelWeightsTest, InitDrawsNormalMatricesUnitNormsAndZeroBiases) {
  ModelConfig config = ConfigOf(Families()[4]);
  config.initializer_range = 0.02;
  const WeightsLayout layout = MakeLayout(config);
  const Buffer<float> data = InitWeights(config, layout, 3);
  std::set<float> firsts;  // tensors must not repeat each other
  for (const TensorSpec& tensor : layout.tensors) {
    const auto values =
        data.span().subspan(static_cast<size_t>(tensor.offset), static_cast<size_t>(tensor.size));
    if (tensor.shape.size() == 1) {
      const float expected = tensor.name.ends_with("bias") ? 0.0f : 1.0f;
      for (const float value : values) EXPECT_EQ(value, expected) << tensor.name;
      continue;
    }
    EXPECT_TRUE(firsts.insert(values[0]).second) << tensor.name;
    const double n = static_cast<double>(values.size());
    double mean = 0, square = 0, beyond = 0;
    for (const float value : values) {
      mean += value / n;
      square += static_cast<double>(value) * value / n;
      beyond += std::fabs(value) > 0.04 ? 1 / n : 0;  // two sigma: 4.55 %
    }
    EXPECT_NEAR(mean, 0, 5 * 0.02 / std::sqrt(n)) << tensor.name;
    EXPECT_NEAR(std::sqrt(square), 0.02, 5 * 0.02 / std::sqrt(2 * n)) << tensor.name;
    EXPECT_NEAR(beyond, 0.0455, 5 * std::sqrt(0.0455 / n)) << tensor.name;
  }
}

TEST(ModelWeightsTest, AnyFlippedBitChangesTheFingerprint) {
  ModelConfig config = ConfigOf(Families()[2]);
  config.num_layers = 1;
  const WeightsLayout layout = MakeLayout(config);
  Buffer<float> data = InitWeights(config, layout, 1);
  const Hash128 before = Fingerprint(layout, data.span());
  auto* words = reinterpret_cast<uint32_t*>(data.data());
  for (const TensorSpec& tensor : layout.tensors) {
    for (const int64_t element : {int64_t{0}, tensor.size / 2, tensor.size - 1}) {
      for (int bit = 0; bit < 32; ++bit) {
        words[tensor.offset + element] ^= 1u << bit;
        EXPECT_NE(Fingerprint(layout, data.span()), before) << tensor.name << ", bit " << bit;
        words[tensor.offset + element] ^= 1u << bit;
      }
    }
  }
  EXPECT_EQ(Fingerprint(layout, data.span()), before);
}

TEST(ModelWeightsTest, NameAndShapeCountInTheFingerprint) {
  const ModelConfig config = ConfigOf(Families()[2]);
  WeightsLayout layout = MakeLayout(config);
  const Buffer<float> data = InitWeights(config, layout, 1);
  const Hash128 before = Fingerprint(layout, data.span());
  std::swap(layout.tensors[1].shape, layout.tensors[2].shape);
  EXPECT_NE(Fingerprint(layout, data.span()), before);
  layout = MakeLayout(config);
  layout.tensors[0].name += "s";
  EXPECT_NE(Fingerprint(layout, data.span()), before);
}

TEST(ModelWeightsTest, MakeWeightsKeepsTheBufferAndNamesIt) {
  const ModelConfig config = ConfigOf(Families()[0]);
  const WeightsLayout layout = MakeLayout(config);
  Buffer<float> data = InitWeights(config, layout, 1);
  const float* address = data.data();
  const auto weights = MakeWeights(layout, std::move(data), 9);
  EXPECT_EQ(weights->data.data(), address);
  EXPECT_EQ(weights->version, 9u);
  EXPECT_EQ(weights->fingerprint, Fingerprint(layout, weights->data));
  EXPECT_ANY_THROW(MakeWeights(layout, Buffer<float>(3), 0));
}

}  // namespace
}  // namespace hone
