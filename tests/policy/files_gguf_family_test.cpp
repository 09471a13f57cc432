#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/error.h"
#include "policy/files/gguf_family.h"
#include "policy/files/gguf_model.h"
#include "policy/model/context_length.h"

namespace hone {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Json Config(const std::string& prefix, const std::string& type) {
  return {{"architectures", {prefix + "ForCausalLM"}},
          {"model_type", type},
          {"vocab_size", 16},
          {"hidden_size", 32},
          {"intermediate_size", 48},
          {"num_hidden_layers", 2},
          {"num_attention_heads", 2},
          {"num_key_value_heads", 1},
          {"head_dim", 16},
          {"rms_norm_eps", 1e-6},
          {"max_position_embeddings", 64}};
}

std::string Refusal(Json config, const Json& changes) {
  config.update(changes);
  try {
    GgufFamilyOf(ParseModelConfig(config, "config.json"));
  } catch (const UsageError& error) {
    return error.what();
  }
  return "written";
}

TEST(GgufFamilyTest, WhatLlamaCppDoesNotComputeIsRefusedByName) {
  const Json llama = Config("Llama", "llama"), qwen3 = Config("Qwen3", "qwen3");
  EXPECT_EQ(Refusal(llama, {{"attention_bias", true}, {"mlp_bias", true}}), "written");
  EXPECT_THAT(Refusal(llama, {{"hidden_act", "gelu_pytorch_tanh"}}), HasSubstr("hidden_act"));
  EXPECT_THAT(Refusal(llama, {{"rope_scaling", {{"rope_type", "dynamic"}, {"factor", 2.0}}}}),
              HasSubstr("rope_type: rotary scaling of type \"dynamic\""));
  EXPECT_EQ(Refusal(qwen3, Json::object()), "written");
  EXPECT_THAT(Refusal(qwen3, {{"attention_bias", true}}), HasSubstr("attention_bias"));
  EXPECT_THAT(Refusal(Config("Qwen2", "qwen2"), {{"head_dim", 8}}), HasSubstr("head_dim"));
}

TEST(GgufFamilyTest, ContextsEndWhereAWindowBeginsToCount) {
  const auto length = [](const std::string& prefix, const std::string& type, const Json& changes) {
    Json json = Config(prefix, type);
    json.update(changes);
    const ModelConfig config = ParseModelConfig(json, "config.json");
    return GgufContextLength(GgufFamilyOf(config), config);
  };
  EXPECT_EQ(length("Mistral", "mistral", {{"sliding_window", 64}}), 64);
  EXPECT_EQ(length("Mistral", "mistral", {{"sliding_window", 63}}), 63);
  EXPECT_EQ(length("Mistral", "mistral", {{"sliding_window", nullptr}}), 64);
  EXPECT_EQ(length("Qwen2", "qwen2",
                   {{"use_sliding_window", true}, {"sliding_window", 9}, {"max_window_layers", 1}}),
            9);
  EXPECT_EQ(length("Gemma2", "gemma2",
                   {{"query_pre_attn_scalar", 16},
                    {"hidden_activation", "gelu_pytorch_tanh"},
                    {"sliding_window", 9}}),
            64);
}

Json WithExperts() {
  Json json = Config("Qwen3Moe", "qwen3_moe");
  json.update({{"num_experts", 3},
               {"num_experts_per_tok", 2},
               {"moe_intermediate_size", 16},
               {"norm_topk_prob", true}});
  return json;
}

TEST(GgufFamilyTest, ExpertsAreWrittenWhereEveryLayerHasThem) {
  EXPECT_EQ(Refusal(WithExperts(), Json::object()), "written");
  EXPECT_THAT(Refusal(WithExperts(), {{"mlp_only_layers", {1}}}),
              HasSubstr("mlp_only_layers: layer 1 without experts"));
  EXPECT_THAT(Refusal(WithExperts(), {{"norm_topk_prob", false}}), HasSubstr("norm_topk_prob"));
  EXPECT_THAT(Refusal(WithExperts(), {{"num_experts", 1}, {"num_experts_per_tok", 1}}),
              HasSubstr("num_experts: 1"));
}

TEST(GgufFamilyTest, TheExpertsOfALayerAreOneTensor) {
  const ModelConfig config = ParseModelConfig(WithExperts(), "config.json");
  const WeightsLayout layout = MakeLayout(config);
  const auto tensors = MakeGgufTensors(config, layout, {}, GgmlType::kF16);
  const auto find = [&](const std::string& name) {
    for (const GgufTensor& tensor : tensors) {
      if (tensor.name == name) return tensor;
    }
    return GgufTensor();
  };
  const GgufTensor up = find("blk.1.ffn_up_exps.weight");
  EXPECT_THAT(up.shape, ElementsAre(3, 16, 32));
  EXPECT_EQ(up.type, GgmlType::kF16);
  EXPECT_EQ(find("blk.1.ffn_gate_inp.weight").type, GgmlType::kF32);
  for (int64_t e = 0; e < 3; ++e) {
    const TensorSpec& spec =
        layout.Find("model.layers.1.mlp.experts." + std::to_string(e) + ".up_proj.weight");
    EXPECT_EQ(up.begin + static_cast<int64_t>(up.SourceAt(e * 16 + 5)), spec.offset + 5 * 32);
  }
}

TEST(GgufFamilyTest, LongRopeHasBothFactorsAndAContextInSteps) {
  Json json = Config("Phi3", "phi3");
  json["max_position_embeddings"] = 1024;
  json["original_max_position_embeddings"] = 256;
  json["rope_scaling"] = {{"type", "longrope"},
                          {"short_factor", std::vector<double>(8, 1.5)},
                          {"long_factor", std::vector<double>(8, 3.0)}};
  json["sliding_window"] = nullptr;
  const ModelConfig config = ParseModelConfig(json, "config.json");
  EXPECT_EQ(GgufContextLength(GgufFamilyOf(config), config), 256);
  const auto tensors = MakeGgufTensors(config, MakeLayout(config), {}, GgmlType::kF32);
  EXPECT_EQ(tensors[tensors.size() - 2].name, "rope_factors_long.weight");
  EXPECT_EQ(tensors[tensors.size() - 2].data[7], 3.0f);
  EXPECT_EQ(tensors.back().name, "rope_factors_short.weight");
  EXPECT_EQ(tensors.back().data[7], 1.5f);
  EXPECT_THAT(Refusal(json, {{"original_max_position_embeddings", 250}}),
              HasSubstr("original_max_position_embeddings: 250"));
  ModelConfig longer = config;
  SetContextLength(1000, &longer);
  EXPECT_EQ(GgufContextLength(GgufFamilyOf(longer), longer), 1000);
}

TEST(GgufFamilyTest, GemmaIsWrittenAsItWasPublished) {
  Json gemma = Config("Gemma2", "gemma2");
  gemma["query_pre_attn_scalar"] = 16;
  gemma["hidden_activation"] = "gelu_pytorch_tanh";
  EXPECT_EQ(Refusal(gemma, Json::object()), "written");
  EXPECT_THAT(Refusal(gemma, {{"query_pre_attn_scalar", 20}}), HasSubstr("query_pre_attn_scalar"));
  EXPECT_THAT(Refusal(gemma, {{"attn_logit_softcapping", nullptr}}),
              HasSubstr("attn_logit_softcapping"));
  EXPECT_THAT(Refusal(gemma, {{"layer_types", {"full_attention", "sliding_attention"}}}),
              HasSubstr("layer_types"));
  EXPECT_THAT(Refusal(gemma, {{"tie_word_embeddings", false}}), HasSubstr("tie_word_embeddings"));
  // 46 layers are the largest model, whose scores scale by hidden size over heads: here 16.
  EXPECT_EQ(Refusal(gemma, {{"num_hidden_layers", 46}}), "written");
  EXPECT_THAT(Refusal(gemma, {{"num_hidden_layers", 46}, {"hidden_size", 64}}),
              HasSubstr("query_pre_attn_scalar"));
}

TEST(GgufFamilyTest, NormsHoldWhatTheyMultiplyBy) {
  Json json = Config("Gemma2", "gemma2");
  json["query_pre_attn_scalar"] = 16;
  const ModelConfig config = ParseModelConfig(json, "config.json");
  const WeightsLayout layout = MakeLayout(config);
  for (const GgufTensor& tensor : MakeGgufTensors(config, layout, {}, GgmlType::kF32))
    EXPECT_EQ(tensor.offset, tensor.name.find("norm") == std::string::npos ? 0 : 1) << tensor.name;
}

TEST(GgufFamilyTest, BiasesOfQueriesAreInterleavedAndLlama3HasFactors) {
  Json json = Config("Llama", "llama");
  json["attention_bias"] = true;
  json["rope_scaling"] = {{"rope_type", "llama3"},
                          {"factor", 8.0},
                          {"low_freq_factor", 1.0},
                          {"high_freq_factor", 4.0},
                          {"original_max_position_embeddings", 32}};
  const ModelConfig config = ParseModelConfig(json, "config.json");
  const auto tensors = MakeGgufTensors(config, MakeLayout(config), {}, GgmlType::kF32);
  const GgufTensor& factors = tensors.back();
  EXPECT_EQ(factors.name, "rope_freqs.weight");
  ASSERT_EQ(factors.data.size(), 8u);
  EXPECT_EQ(factors.data[0], 1);          // a short wave stays
  EXPECT_NEAR(factors.data[7], 8, 1e-5);  // a long one is stretched
  for (const GgufTensor& tensor : tensors) {
    if (tensor.name != "blk.0.attn_q.bias") continue;
    EXPECT_EQ(tensor.rows(), 32);
    EXPECT_EQ(tensor.columns(), 1);
    EXPECT_EQ(tensor.SourceRow(1), 8);
  }
}

}  // namespace
}  // namespace hone
