#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/error.h"
#include "policy/files/gguf_family.h"
#include "policy/files/gguf_model.h"

namespace hone {
namespace {

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
  const Json llama = Config("Llama", "llama"), mistral = Config("Mistral", "mistral"),
             qwen3 = Config("Qwen3", "qwen3");
  EXPECT_EQ(Refusal(llama, {{"attention_bias", true}, {"mlp_bias", true}}), "written");
  EXPECT_THAT(Refusal(llama, {{"hidden_act", "gelu_pytorch_tanh"}}), HasSubstr("hidden_act"));
  EXPECT_THAT(Refusal(llama, {{"rope_scaling", {{"rope_type", "dynamic"}, {"factor", 2.0}}}}),
              HasSubstr("rope_type: rotary scaling of type \"dynamic\""));
  EXPECT_EQ(Refusal(mistral, {{"sliding_window", 64}}), "written");
  EXPECT_THAT(Refusal(mistral, {{"sliding_window", 63}}), HasSubstr("sliding_window"));
  EXPECT_EQ(Refusal(qwen3, Json::object()), "written");
  EXPECT_THAT(Refusal(qwen3, {{"attention_bias", true}}), HasSubstr("attention_bias"));
  EXPECT_THAT(Refusal(Config("Qwen2", "qwen2"), {{"head_dim", 8}}), HasSubstr("head_dim"));
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
