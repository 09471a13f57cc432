// Every family's config.json, as transformers writes it, to the description of the forward.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/error.h"
#include "policy/families/family.h"
#include "policy/files/model_folder.h"
#include "policy/model/context_length.h"
#include "policy/model/rope_frequencies.h"

namespace hone {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

// The sizes of every config here, and what `more` says.
Json Config(const std::string& model_type, const std::string& architecture, const Json& more = {}) {
  Json json = {{"architectures", {architecture}},
               {"model_type", model_type},
               {"vocab_size", 300},
               {"hidden_size", 32},
               {"intermediate_size", 48},
               {"num_hidden_layers", 4},
               {"num_attention_heads", 4},
               {"num_key_value_heads", 2},
               {"max_position_embeddings", 64}};
  for (const auto& [key, value] : more.items()) json[key] = value;
  return json;
}
Json Llama(const Json& more) { return Config("llama", "LlamaForCausalLM", more); }
Json Qwen2(const Json& more) { return Config("qwen2", "Qwen2ForCausalLM", more); }
Json Qwen3(const Json& more) { return Config("qwen3", "Qwen3ForCausalLM", more); }
Json Qwen3Moe(const Json& more) {
  Json json =
      Config("qwen3_moe", "Qwen3MoeForCausalLM",
             {{"num_experts", 2}, {"num_experts_per_tok", 1}, {"moe_intermediate_size", 6}});
  for (const auto& [key, value] : more.items()) json[key] = value;
  return json;
}
Json Mistral(const Json& more) { return Config("mistral", "MistralForCausalLM", more); }
Json Phi3(const Json& more) { return Config("phi3", "Phi3ForCausalLM", more); }
Json Gemma2(const Json& more) { return Config("gemma2", "Gemma2ForCausalLM", more); }
Json Gemma3(const Json& more) { return Config("gemma3_text", "Gemma3ForCausalLM", more); }

ModelConfig Parse(const Json& json) { return ParseModelConfig(json, "config.json"); }

std::string Refusal(const Json& json) {
  try {
    Parse(json);
  } catch (const FileError& error) {
    return error.what();
  }
  return "accepted";
}

std::vector<std::string> Names(const Json& json) {
  std::vector<std::string> names;
  for (const TensorSpec& tensor : MakeLayout(Parse(json)).tensors) {
    if (tensor.layer <= 0) names.push_back(tensor.name);
  }
  return names;
}

TEST(FamiliesTest, AreFoundByTypeOrArchitecture) {
  for (const ModelFamily* family : ModelFamilies()) {
    Json json =
        Config(family->model_type, family->architecture,
               {{"num_experts", 2}, {"num_experts_per_tok", 1}, {"moe_intermediate_size", 6}});
    EXPECT_EQ(Parse(json).architecture, family->architecture);
    json.erase("architectures");
    EXPECT_EQ(Parse(json).architecture, family->architecture);
    EXPECT_STREQ(FamilyOf(family->architecture).model_type, family->model_type);
  }
  EXPECT_THAT(Refusal(Config("gemma3", "Gemma3ForConditionalGeneration")),
              HasSubstr("model_type: expected one of \"llama\", \"qwen2\""));
  EXPECT_THROW(FamilyOf(std::string("GPT2LMHeadModel")), UsageError);
}

// SmolLM2-135M and DeepSeek-R1-Distill-Qwen-1.5B are what their config.json says they are.
TEST(FamiliesTest, SmolLmIsALlamaAndTheDistillationAQwen2) {
  const ModelConfig smol = Parse(Json::parse(R"({"architectures":["LlamaForCausalLM"],
      "attention_bias":false,"attention_dropout":0.0,"bos_token_id":0,"eos_token_id":0,
      "hidden_act":"silu","hidden_size":576,"initializer_range":0.041666666666666664,
      "intermediate_size":1536,"is_llama_config":true,"max_position_embeddings":8192,
      "model_type":"llama","num_attention_heads":9,"num_hidden_layers":30,"num_key_value_heads":3,
      "pretraining_tp":1,"rms_norm_eps":1e-05,"rope_interleaved":false,"rope_scaling":null,
      "rope_theta":100000,"tie_word_embeddings":true,"torch_dtype":"bfloat16","use_cache":true,
      "vocab_size":49152})"));
  EXPECT_EQ(smol.head_dim, 64);
  EXPECT_TRUE(smol.tie_word_embeddings);
  EXPECT_EQ(MakeLayout(smol).parameters(), 134'515'008);
  const ModelConfig distilled = Parse(Json::parse(R"({"architectures":["Qwen2ForCausalLM"],
      "attention_dropout":0.0,"bos_token_id":151643,"eos_token_id":151643,"hidden_act":"silu",
      "hidden_size":1536,"initializer_range":0.02,"intermediate_size":8960,
      "max_position_embeddings":131072,"max_window_layers":21,"model_type":"qwen2",
      "num_attention_heads":12,"num_hidden_layers":28,"num_key_value_heads":2,"rms_norm_eps":1e-06,
      "rope_theta":10000,"sliding_window":4096,"tie_word_embeddings":false,
      "torch_dtype":"bfloat16","use_cache":true,"use_mrope":false,"use_sliding_window":false,
      "vocab_size":151936})"));
  EXPECT_TRUE(distilled.qkv_bias);
  EXPECT_TRUE(distilled.windows.empty());
  EXPECT_EQ(MakeLayout(distilled).parameters(), 1'777'088'000);
}

TEST(LlamaConfigTest, BiasesAndScalingAreRead) {
  const ModelConfig config = Parse(Llama({{"attention_bias", true},
                                          {"mlp_bias", true},
                                          {"head_dim", 12},
                                          {"rope_theta", 500000.0},
                                          {"rope_scaling",
                                           {{"rope_type", "llama3"},
                                            {"factor", 8.0},
                                            {"low_freq_factor", 1.0},
                                            {"high_freq_factor", 4.0},
                                            {"original_max_position_embeddings", 32}}}}));
  EXPECT_TRUE(config.qkv_bias && config.o_bias && config.mlp_bias);
  EXPECT_EQ(config.head_dim, 12);
  EXPECT_EQ(config.rope_theta, 500000);
  EXPECT_EQ(config.rope_scaling.type, RopeType::kLlama3);
  EXPECT_EQ(config.rope_scaling.factor, 8);
  EXPECT_EQ(config.rope_scaling.original_positions, 32);
  EXPECT_EQ(config.max_position_embeddings, 64);
}

TEST(LlamaConfigTest, FrequenciesAreTransformers) {
  // transformers' ROPE_INIT_FUNCTIONS, theta 10000 and 8 dimensions, first to last; max 64.
  const auto frequencies = [](const Json& rope) {
    const ModelConfig config = Parse(Llama({{"rope_scaling", rope}}));
    return InverseFrequencies(config.rope_theta, config.turned_dim(), config.rope_scaling);
  };
  const auto near = [](double value) {
    return ::testing::FloatNear(static_cast<float>(value), static_cast<float>(2e-6 * value));
  };
  EXPECT_THAT(frequencies({{"type", "linear"}, {"factor", 4.0}}),
              ElementsAre(near(0.25), near(0.025), near(0.0025), near(0.00025)));
  EXPECT_THAT(frequencies({{"type", "dynamic"}, {"factor", 4.0}}),
              ElementsAre(near(1), near(0.1), near(0.01), near(0.001)));
  EXPECT_THAT(frequencies({{"rope_type", "llama3"},
                           {"factor", 8.0},
                           {"low_freq_factor", 0.5},
                           {"high_freq_factor", 4.0},
                           {"original_max_position_embeddings", 64}}),
              ElementsAre(near(1), near(0.02546479), near(0.00125), near(0.000125)));
}

TEST(LlamaConfigTest, FrequenciesInDoubleAreRoundedOnceForFloat) {
  const ModelConfig config = Parse(
      Llama({{"rope_theta", 500000.0}, {"rope_scaling", {{"type", "linear"}, {"factor", 3.0}}}}));
  const auto doubles =
      InverseFrequenciesInDouble(config.rope_theta, config.turned_dim(), config.rope_scaling);
  const auto floats =
      InverseFrequencies(config.rope_theta, config.turned_dim(), config.rope_scaling);
  ASSERT_EQ(doubles.size(), 4u);
  for (size_t i = 0; i < doubles.size(); ++i) {
    EXPECT_NEAR(doubles[i] * 3 * std::pow(500000.0, 2.0 * static_cast<double>(i) / 8), 1, 1e-14);
    EXPECT_EQ(floats[i], static_cast<float>(doubles[i]));
  }
}

TEST(LlamaConfigTest, YarnFollowsItsSettings) {
  const ModelConfig config = Parse(Llama(
      {{"rope_scaling",
        {{"rope_type", "yarn"}, {"factor", 4.0}, {"original_max_position_embeddings", 16}}}}));
  EXPECT_NEAR(config.rope_scaling.attention_factor, 0.1 * std::log(4.0) + 1, 1e-12);
  const ModelConfig two = Parse(Llama({{"rope_scaling",
                                        {{"rope_type", "yarn"},
                                         {"factor", 4.0},
                                         {"mscale", 0.5},
                                         {"mscale_all_dim", 2.0},
                                         {"truncate", false},
                                         {"beta_fast", 16}}}}));
  EXPECT_NEAR(two.rope_scaling.attention_factor,
              (0.05 * std::log(4.0) + 1) / (0.2 * std::log(4.0) + 1), 1e-12);
  EXPECT_FALSE(two.rope_scaling.truncate);
  EXPECT_EQ(two.rope_scaling.beta_fast, 16);
  EXPECT_EQ(two.rope_scaling.original_positions, 64);
}

TEST(Qwen2ConfigTest, WindowsAreOfTheUpperLayersOrOfLayerTypes) {
  EXPECT_TRUE(Parse(Qwen2({{"sliding_window", 9}, {"max_window_layers", 0}})).windows.empty());
  EXPECT_THAT(
      Parse(Qwen2({{"use_sliding_window", true}, {"sliding_window", 9}, {"max_window_layers", 3}}))
          .windows,
      ElementsAre(0, 0, 0, 9));
  EXPECT_THAT(
      Parse(
          Qwen2({{"use_sliding_window", true},
                 {"sliding_window", 9},
                 {"layer_types",
                  {"sliding_attention", "full_attention", "full_attention", "sliding_attention"}}}))
          .windows,
      ElementsAre(9, 0, 0, 9));
  EXPECT_THAT(Refusal(Qwen2({{"layer_types", {"full_attention"}}})),
              HasSubstr("layer_types: expected an array of 4 types"));
  EXPECT_THAT(Refusal(Qwen2(
                  {{"layer_types",
                    {"full_attention", "chunked_attention", "full_attention", "full_attention"}}})),
              HasSubstr("found \"chunked_attention\""));
}

TEST(Qwen3ConfigTest, HasNormsOfHeadsAndAHeadDimOfItsOwn) {
  const ModelConfig config = Parse(Qwen3({}));
  EXPECT_TRUE(config.qk_norm);
  EXPECT_EQ(config.head_dim, 128);
  EXPECT_FALSE(config.qkv_bias);
  EXPECT_TRUE(Parse(Qwen3({{"attention_bias", true}})).o_bias);
  const auto names = Names(Qwen3({{"head_dim", 8}}));
  EXPECT_THAT(names, Contains("model.layers.0.self_attn.q_norm.weight"));
  EXPECT_EQ(MakeLayout(Parse(Qwen3({}))).Find("model.layers.0.self_attn.k_norm.weight").size, 128);
}

TEST(Qwen3MoeConfigTest, ExpertsAreOfTheLayersThatTheStepAndTheListLeave) {
  const ModelConfig config = Parse(Qwen3Moe({}));
  EXPECT_THAT(config.sparse, ElementsAre(1, 1, 1, 1));
  EXPECT_EQ(config.num_experts, 2);
  EXPECT_EQ(config.experts_per_token, 1);
  EXPECT_EQ(config.expert_size, 6);
  EXPECT_FALSE(config.norm_topk_prob);
  EXPECT_TRUE(config.qk_norm);
  EXPECT_EQ(config.head_dim, 8);
  EXPECT_TRUE(config.windows.empty());
  EXPECT_TRUE(Parse(Qwen3Moe({{"norm_topk_prob", true}})).norm_topk_prob);
  EXPECT_EQ(Parse(Qwen3Moe({{"num_experts", nullptr}, {"num_local_experts", 3}})).num_experts, 3);
  EXPECT_THAT(Parse(Qwen3Moe({{"decoder_sparse_step", 2}})).sparse, ElementsAre(0, 1, 0, 1));
  EXPECT_THAT(Parse(Qwen3Moe({{"mlp_only_layers", {0, 2}}})).sparse, ElementsAre(0, 1, 0, 1));
  EXPECT_THAT(Parse(Qwen3Moe({{"decoder_sparse_step", 2}, {"mlp_only_layers", {3}}})).sparse,
              ElementsAre(0, 1, 0, 0));
  const Json window = {{"use_sliding_window", true}, {"sliding_window", 9}};
  EXPECT_THAT(Parse(Qwen3Moe(window)).windows, ElementsAre(9, 9, 9, 9));
  EXPECT_TRUE(Parse(Qwen3Moe({{"sliding_window", 9}})).windows.empty());
}

TEST(Qwen3MoeConfigTest, TensorsOfExpertsKeepTheirNames) {
  const WeightsLayout layout = MakeLayout(Parse(Qwen3Moe({{"mlp_only_layers", {1}}})));
  EXPECT_EQ(layout.Find("model.layers.0.mlp.gate.weight").shape, (std::vector<int64_t>{2, 32}));
  EXPECT_EQ(layout.Find("model.layers.0.mlp.experts.1.gate_proj.weight").shape,
            (std::vector<int64_t>{6, 32}));
  EXPECT_EQ(layout.Find("model.layers.0.mlp.experts.1.up_proj.weight").shape,
            (std::vector<int64_t>{6, 32}));
  EXPECT_EQ(layout.Find("model.layers.0.mlp.experts.1.down_proj.weight").shape,
            (std::vector<int64_t>{32, 6}));
  EXPECT_EQ(layout.Find("model.layers.1.mlp.gate_proj.weight").shape,
            (std::vector<int64_t>{48, 32}));
  EXPECT_THAT(Names(Qwen3Moe({})), Not(Contains("model.layers.0.mlp.gate_proj.weight")));
}

TEST(Qwen3MoeConfigTest, ImpossibleExpertsAreRefused) {
  EXPECT_THAT(Refusal(Qwen3Moe({{"num_experts_per_tok", 3}})),
              HasSubstr("num_experts_per_tok: expected at most num_experts, which is 2, found 3"));
  EXPECT_THAT(Refusal(Qwen3Moe({{"num_experts", nullptr}})), HasSubstr("num_experts: is missing"));
  EXPECT_THAT(Refusal(Qwen3Moe({{"num_experts", 1 << 30}})),
              HasSubstr("num_experts: expected at most 100000 in 4 layers"));
  EXPECT_THAT(Refusal(Qwen3Moe({{"moe_intermediate_size", 0}})),
              HasSubstr("moe_intermediate_size: expected"));
  EXPECT_THAT(Refusal(Qwen3Moe({{"decoder_sparse_step", 0}})),
              HasSubstr("decoder_sparse_step: expected"));
  for (const Json& layers : {Json(4), Json({-1}), Json({0, "1"}), Json({{"a", 0}})}) {
    EXPECT_THAT(Refusal(Qwen3Moe({{"mlp_only_layers", layers}})), HasSubstr("mlp_only_layers"));
  }
  EXPECT_THAT(Refusal(Qwen3Moe({{"layer_types", {"full_attention"}}})), HasSubstr("layer_types"));
}

TEST(MistralConfigTest, SlidesInEveryLayerUnlessTheWindowIsNull) {
  EXPECT_THAT(Parse(Mistral({{"sliding_window", 5}})).windows, ElementsAre(5, 5, 5, 5));
  EXPECT_TRUE(Parse(Mistral({{"sliding_window", nullptr}})).windows.empty());
  EXPECT_THAT(Parse(Mistral({})).windows, ElementsAre(4096, 4096, 4096, 4096));
  EXPECT_THAT(Refusal(Mistral({{"sliding_window", 0}})), HasSubstr("sliding_window: expected"));
  EXPECT_THAT(Refusal(Mistral({{"layer_types", {"full_attention"}}})), HasSubstr("layer_types"));
}

TEST(Phi3ConfigTest, FusedTensorsKeepTheirNames) {
  EXPECT_THAT(
      Names(Phi3({})),
      ElementsAre("model.embed_tokens.weight", "model.layers.0.input_layernorm.weight",
                  "model.layers.0.self_attn.qkv_proj.weight",
                  "model.layers.0.self_attn.o_proj.weight",
                  "model.layers.0.post_attention_layernorm.weight",
                  "model.layers.0.mlp.gate_up_proj.weight", "model.layers.0.mlp.down_proj.weight",
                  "model.norm.weight", "lm_head.weight"));
  EXPECT_THAT(MakeLayout(Parse(Phi3({}))).Find("model.layers.3.self_attn.qkv_proj.weight").shape,
              ElementsAre(64, 32));
}

TEST(Phi3ConfigTest, LongRopeEndsWhereItsFactorsWouldChange) {
  const Json rope = {
      {"type", "su"}, {"short_factor", {1.0, 1.1, 1.2}}, {"long_factor", {1.5, 2.0, 4.0}}};
  const Json settings = {{"rope_scaling", rope},
                         {"partial_rotary_factor", 0.75},
                         {"original_max_position_embeddings", 16}};
  const ModelConfig config = Parse(Phi3(settings));
  EXPECT_EQ(config.rotary_dim, 6);
  EXPECT_EQ(config.max_position_embeddings, 16);
  EXPECT_THAT(config.positions_key, HasSubstr("original_max_position_embeddings"));
  EXPECT_NEAR(config.rope_scaling.attention_factor, std::sqrt(1 + std::log(4) / std::log(16)),
              1e-12);
  EXPECT_THAT(config.rope_scaling.short_factor, ElementsAre(1.0, 1.1, 1.2));
  Json wrong = settings;
  wrong["rope_scaling"]["long_factor"] = {1.0};
  EXPECT_THAT(Refusal(Phi3(wrong)), HasSubstr("rope_scaling.long_factor: expected 3 numbers"));
  EXPECT_THAT(Refusal(Phi3({{"rope_scaling", {{"type", "linear"}, {"factor", 2.0}}}})),
              HasSubstr("rope_scaling.type: \"linear\" is not supported"));
  EXPECT_THAT(Refusal(Phi3({{"lm_head_bias", true}})), HasSubstr("lm_head_bias"));
}

TEST(ContextLengthTest, BeyondTheOriginalLengthLongRopeTakesItsLongFactors) {
  const ModelConfig published = Parse(Phi3({{"rope_scaling",
                                             {{"type", "longrope"},
                                              {"short_factor", {1.0, 1.0, 1.0, 1.0}},
                                              {"long_factor", {2.0, 2.0, 2.0, 2.0}}}},
                                            {"original_max_position_embeddings", 16}}));
  const auto with = [&](int64_t length) {
    ModelConfig config = published;
    SetContextLength(length, &config);
    return config;
  };
  const auto second = [](const ModelConfig& config) {
    return InverseFrequencies(config.rope_theta, config.turned_dim(), config.rope_scaling)[1];
  };
  EXPECT_EQ(with(0).max_position_embeddings, 16);
  EXPECT_EQ(second(with(0)), 0.1f);
  EXPECT_EQ(second(with(16)), 0.1f);
  EXPECT_EQ(with(17).max_position_embeddings, 17);
  EXPECT_EQ(second(with(17)), 0.05f);
  EXPECT_EQ(with(64).max_position_embeddings, 64);
  EXPECT_EQ(with(64).rope_scaling.attention_factor, published.rope_scaling.attention_factor);
  EXPECT_THROW(with(65), UsageError);
}

TEST(ContextLengthTest, OtherModelsCanBeGivenLessThanTheyHave) {
  ModelConfig config = Parse(Llama({}));
  SetContextLength(9, &config);
  EXPECT_EQ(config.max_position_embeddings, 9);
  EXPECT_STREQ(config.positions_key, "context_length");
  config = Parse(Llama({}));
  try {
    SetContextLength(65, &config);
    FAIL() << "expected a UsageError";
  } catch (const UsageError& error) {
    EXPECT_THAT(error.what(), HasSubstr("context_length: expected 1 to the model's 64 positions"));
  }
}

TEST(Gemma2ConfigTest, HasScalesCapsAndAlternatingWindows) {
  const ModelConfig config = Parse(Gemma2({{"head_dim", 8}, {"query_pre_attn_scalar", 16}}));
  EXPECT_EQ(config.embedding_scale, std::sqrt(32.0));
  EXPECT_EQ(config.norm_offset, 1);
  EXPECT_EQ(config.attention_scale, 0.25);
  EXPECT_EQ(config.attention_softcap, 50);
  EXPECT_EQ(config.logit_softcap, 30);
  EXPECT_EQ(config.activation, kernels::Gate::kGeluTanh);
  EXPECT_THAT(config.windows, ElementsAre(4096, 0, 4096, 0));
  EXPECT_TRUE(config.tie_word_embeddings && config.post_norms);
  EXPECT_FALSE(config.qk_norm);
  const ModelConfig plain =
      Parse(Gemma2({{"attn_logit_softcapping", nullptr}, {"final_logit_softcapping", 7.0}}));
  EXPECT_EQ(plain.attention_softcap, 0);
  EXPECT_EQ(plain.logit_softcap, 7);
  EXPECT_THAT(Refusal(Gemma2({{"use_bidirectional_attention", true}})),
              HasSubstr("use_bidirectional_attention"));
  EXPECT_THAT(Names(Gemma2({})),
              ::testing::IsSupersetOf({"model.layers.0.pre_feedforward_layernorm.weight",
                                       "model.layers.0.post_feedforward_layernorm.weight",
                                       "model.layers.0.post_attention_layernorm.weight"}));
}

TEST(Gemma2ConfigTest, NormsAreMadeOfZeros) {
  const ModelConfig config = Parse(Gemma2({}));
  const WeightsLayout layout = MakeLayout(config);
  const Buffer<float> data = InitWeights(config, layout, 1);
  EXPECT_EQ(data[static_cast<size_t>(layout.Find("model.norm.weight").offset)], 0);
  const ModelConfig llama = Parse(Llama({}));
  const WeightsLayout other = MakeLayout(llama);
  EXPECT_EQ(
      InitWeights(llama, other, 1)[static_cast<size_t>(other.Find("model.norm.weight").offset)], 1);
}

TEST(Gemma3ConfigTest, RotaryEmbeddingDiffersByLayer) {
  const Json of_5 = {
      {"rope_parameters",
       {{"full_attention", {{"rope_theta", 2e6}, {"rope_type", "linear"}, {"factor", 8.0}}},
        {"sliding_attention", {{"rope_theta", 5e3}, {"rope_type", "default"}}}}},
      {"sliding_window", 11},
      {"layer_types",
       {"sliding_attention", "full_attention", "sliding_attention", "sliding_attention"}}};
  const Json of_4 = {{"rope_theta", 2e6},
                     {"rope_local_base_freq", 5e3},
                     {"rope_scaling", {{"rope_type", "linear"}, {"factor", 8.0}}},
                     {"sliding_window", 11},
                     {"sliding_window_pattern", 2}};
  for (const Json& json : {of_5, of_4}) {
    const ModelConfig config = Parse(Gemma3(json));
    EXPECT_EQ(config.rope_theta, 2e6);
    EXPECT_EQ(config.local_rope_theta, 5e3);
    EXPECT_EQ(config.rope_scaling.type, RopeType::kLinear);
    EXPECT_TRUE(config.local_rope(0));
    EXPECT_FALSE(config.local_rope(1));
    EXPECT_TRUE(config.qk_norm);
    EXPECT_EQ(config.logit_softcap, 0);
  }
  EXPECT_EQ(Parse(Gemma3({})).rope_theta, 1e6);
  EXPECT_EQ(Parse(Gemma3({})).local_rope_theta, 1e4);
  Json scaled = of_5;
  scaled["rope_parameters"]["sliding_attention"] = {{"rope_type", "linear"}, {"factor", 2.0}};
  EXPECT_THAT(Refusal(Gemma3(scaled)), HasSubstr("rope_parameters.sliding_attention"));
  EXPECT_THAT(Refusal(Gemma3({{"attn_logit_softcapping", 50.0}})),
              HasSubstr("attn_logit_softcapping"));
}

}  // namespace
}  // namespace hone
