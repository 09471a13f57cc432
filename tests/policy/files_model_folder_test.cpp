#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "common/error.h"
#include "common/file.h"
#include "policy/files/model_folder.h"
#include "policy/files/safetensors.h"

namespace hone {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// As transformers 4 writes it.
const char* const kLlama4 =
    R"({"architectures":["LlamaForCausalLM"],"model_type":"llama","vocab_size":300,"hidden_size":32,
  "intermediate_size":48,"num_hidden_layers":2,"num_attention_heads":4,"num_key_value_heads":2,"max_position_embeddings":64,
  "hidden_act":"silu","rms_norm_eps":1e-05,"rope_theta":500000.0,"rope_scaling":null,"attention_bias":false,"mlp_bias":false,
  "tie_word_embeddings":false,"torch_dtype":"float32","eos_token_id":1,"pretraining_tp":1})";
// As transformers 5 writes it.
const char* const kQwen5 =
    R"({"architectures":["Qwen2ForCausalLM"],"model_type":"qwen2","vocab_size":300,"hidden_size":32,
  "intermediate_size":48,"num_hidden_layers":2,"num_attention_heads":4,"num_key_value_heads":2,"max_position_embeddings":64,
  "hidden_act":"silu","rms_norm_eps":1e-06,"rope_parameters":{"rope_theta":1000000.0,"rope_type":"default"},
  "layer_types":["full_attention","full_attention"],"sliding_window":null,"use_sliding_window":false,
  "tie_word_embeddings":true,"dtype":"float32","bos_token_id":null,"eos_token_id":[1,2],"pad_token_id":0})";

class ModelFolderTest : public ::testing::Test {
 protected:
  ModelFolderTest() { fs::create_directories(folder_); }
  ~ModelFolderTest() override { fs::remove_all(folder_); }

  void WriteText(const std::string& name, const std::string& text) {
    std::ofstream(folder_ / name, std::ios::binary) << text;
  }

  // A folder with random weights of the config, all of it as WriteModelFiles writes it.
  void MakeFolder(const Json& config) {
    ModelFolder model;
    model.config = ParseModelConfig(config, "config.json");
    model.layout = MakeLayout(model.config);
    model.companions = {{"config.json", config.dump()}};
    data_ = InitWeights(model.config, model.layout, 7);
    layout_ = model.layout;
    WriteModelFiles(folder_, model, layout_, data_.span());
  }

  // Rewrites model.safetensors with one change.
  void Rewrite(const std::function<void(std::vector<SafetensorsTensor>*)>& change,
               const std::string& name = "model.safetensors") {
    std::vector<SafetensorsTensor> tensors;
    for (const TensorSpec& spec : layout_.tensors) {
      tensors.push_back(
          {spec.name, spec.shape,
           data_.span().subspan(static_cast<size_t>(spec.offset), static_cast<size_t>(spec.size))});
    }
    change(&tensors);
    WriteSafetensors(folder_ / name, tensors, {{"format", "pt"}});
  }

  std::string Refusal() {
    try {
      LoadModelFolder(folder_);
    } catch (const FileError& error) {
      return error.what();
    }
    return "accepted";
  }

  fs::path folder_ = fs::temp_directory_path() / ("hone_model_folder_" + std::to_string(getpid()));
  WeightsLayout layout_;
  Buffer<float> data_;
};

std::string ConfigRefusal(const Json& config) {
  try {
    ParseModelConfig(config, "config.json");
  } catch (const FileError& error) {
    return error.what();
  }
  return "accepted";
}

std::string ConfigRefusal(const char* base, const std::string& key, const Json& value) {
  Json config = Json::parse(base);
  config[key] = value;
  return ConfigRefusal(config);
}

TEST(ModelConfigTest, ReadsWhatTransformers4Writes) {
  const ModelConfig config = ParseModelConfig(Json::parse(kLlama4), "config.json");
  EXPECT_EQ(config.architecture, "LlamaForCausalLM");
  EXPECT_EQ(config.head_dim, 8);
  EXPECT_EQ(config.num_kv_heads, 2);
  EXPECT_EQ(config.rope_theta, 500000.0);
  EXPECT_EQ(config.rms_norm_eps, 1e-5);
  EXPECT_FALSE(config.qkv_bias);
  EXPECT_FALSE(config.tie_word_embeddings);
}

TEST(ModelConfigTest, ReadsWhatTransformers5Writes) {
  const ModelConfig config = ParseModelConfig(Json::parse(kQwen5), "config.json");
  EXPECT_EQ(config.architecture, "Qwen2ForCausalLM");
  EXPECT_EQ(config.rope_theta, 1000000.0);
  EXPECT_TRUE(config.qkv_bias);
  EXPECT_TRUE(config.tie_word_embeddings);
}

TEST(ModelConfigTest, FillsInDefaults) {
  Json config = Json::parse(kLlama4);
  config.erase("num_key_value_heads");
  config.erase("architectures");
  config["head_dim"] = 16;
  const ModelConfig parsed = ParseModelConfig(config, "config.json");
  EXPECT_EQ(parsed.num_kv_heads, 4);
  EXPECT_EQ(parsed.head_dim, 16);
  EXPECT_EQ(parsed.architecture, "LlamaForCausalLM");
}

TEST(ModelConfigTest, NamesTheKeyOfAnUnsupportedSetting) {
  EXPECT_THAT(ConfigRefusal(kLlama4, "architectures", {"FalconForCausalLM"}),
              HasSubstr("config.json: architectures: expected"));
  EXPECT_THAT(ConfigRefusal(kLlama4, "model_type", "gemma"), HasSubstr("model_type: expected"));
  EXPECT_THAT(ConfigRefusal(kLlama4, "model_type", "qwen2"), HasSubstr("does not go with"));
  EXPECT_THAT(ConfigRefusal(kQwen5, "mlp_bias", true), HasSubstr("mlp_bias: true is not"));
  EXPECT_THAT(ConfigRefusal(kLlama4, "hidden_act", "gelu"),
              HasSubstr("hidden_act: \"gelu\" is not supported"));
  EXPECT_THAT(ConfigRefusal(kLlama4, "rope_scaling", {{"rope_type", "mrope"}, {"factor", 8.0}}),
              HasSubstr("rope_scaling.rope_type: \"mrope\" is not supported"));
  EXPECT_THAT(ConfigRefusal(kLlama4, "rope_scaling", {{"type", "linear"}}),
              HasSubstr("rope_scaling.factor: is missing"));
  EXPECT_EQ(ConfigRefusal(kLlama4, "rope_scaling", {{"rope_type", "default"}}), "accepted");
  EXPECT_THAT(ConfigRefusal(kLlama4, "rope_parameters", {{"sections", {1, 2}}}),
              HasSubstr("rope_parameters.sections: is not supported"));
  EXPECT_THAT(ConfigRefusal(kLlama4, "partial_rotary_factor", 0.5),
              HasSubstr("partial_rotary_factor: 0.5 is not supported"));
  EXPECT_THAT(ConfigRefusal(kLlama4, "use_sliding_window", true), HasSubstr("use_sliding_window"));
  EXPECT_THAT(ConfigRefusal(kQwen5, "layer_types", {"sliding_attention", "full_attention"}),
              HasSubstr("layer_types"));
  EXPECT_THAT(ConfigRefusal(kQwen5, "quantization_config", {{"quant_method", "gptq"}}),
              HasSubstr("quantization_config"));
}

TEST(ModelConfigTest, ChecksEverySize) {
  for (const char* key : {"vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers",
                          "num_attention_heads", "max_position_embeddings"}) {
    Json without = Json::parse(kLlama4);
    without.erase(key);
    EXPECT_THAT(ConfigRefusal(without), HasSubstr(std::string(key) + ": is missing"));
    for (const Json& bad : {Json(0), Json(-4), Json(2.5), Json("32"), Json(int64_t{1} << 31),
                            Json(~uint64_t{0}), Json(true)}) {
      EXPECT_THAT(ConfigRefusal(kLlama4, key, bad),
                  HasSubstr(std::string(key) + ": expected a whole number"));
    }
  }
  EXPECT_THAT(ConfigRefusal(kLlama4, "num_attention_heads", 5),
              HasSubstr("hidden_size: 32 is not divisible"));
  EXPECT_THAT(ConfigRefusal(kLlama4, "num_key_value_heads", 3), HasSubstr("num_key_value_heads"));
  EXPECT_THAT(ConfigRefusal(kLlama4, "head_dim", 7),
              HasSubstr("head_dim: expected an even number"));
  EXPECT_THAT(ConfigRefusal(kLlama4, "rms_norm_eps", 0), HasSubstr("rms_norm_eps"));
  EXPECT_THAT(ConfigRefusal(kLlama4, "rms_norm_eps", "1e-5"), HasSubstr("rms_norm_eps"));
  EXPECT_THAT(ConfigRefusal(kLlama4, "rope_theta", -1), HasSubstr("rope_theta"));
  Json huge = Json::parse(kLlama4);
  for (const char* key : {"vocab_size", "hidden_size", "intermediate_size"}) huge[key] = 1 << 30;
  huge["num_hidden_layers"] = 10000;
  EXPECT_THAT(ConfigRefusal(huge), HasSubstr("parameters"));
  EXPECT_THAT(ConfigRefusal(Json::array()), HasSubstr("expected a JSON object"));
}

TEST_F(ModelFolderTest, WhatIsWrittenLoadsBack) {
  for (const char* text : {kLlama4, kQwen5}) {
    MakeFolder(Json::parse(text));
    const ModelFolder model = LoadModelFolder(folder_);
    ASSERT_EQ(model.weights->data.size(), data_.size());
    EXPECT_TRUE(std::equal(data_.begin(), data_.end(), model.weights->data.begin()));
    EXPECT_EQ(model.weights->version, 0u);
    EXPECT_EQ(model.tokenizer, nullptr);
    ASSERT_EQ(model.companions.size(), 1u);
    EXPECT_EQ(model.companions[0].second, Json::parse(text).dump());
    EXPECT_EQ(LoadModelFolder(folder_, false).weights, nullptr);
  }
}

TEST_F(ModelFolderTest, WrittenConfigSaysFloat32) {
  Json config = Json::parse(kQwen5);
  config["dtype"] = "bfloat16";
  MakeFolder(config);
  EXPECT_EQ(ReadJson(folder_ / "config.json")["dtype"], "float32");
}

TEST_F(ModelFolderTest, EndIdsComeFromGenerationConfigThenConfig) {
  MakeFolder(Json::parse(kQwen5));
  EXPECT_THAT(LoadModelFolder(folder_).generation.eos_token_ids, ElementsAre(1, 2));
  WriteText("generation_config.json", R"({"eos_token_id": 5})");
  const GenerationConfig generation = LoadModelFolder(folder_).generation;
  EXPECT_THAT(generation.eos_token_ids, ElementsAre(5));
  EXPECT_EQ(generation.pad_token_id, 0);
  EXPECT_EQ(generation.bos_token_id, -1);
  WriteText("generation_config.json", R"({"eos_token_id": [1, 300]})");
  EXPECT_THAT(
      Refusal(),
      HasSubstr("generation_config.json: eos_token_id: expected a token id below vocab_size 300"));
}

TEST_F(ModelFolderTest, EndIdIsTheTokenizersWhereNoConfigHasOne) {
  const char* const tokenizer =
      R"({"added_tokens": [{"id": 2, "content": "<end>"}, {"id": 3, "content": "</s>"}],)"
      R"( "pre_tokenizer": null, "decoder": {"type": "ByteLevel"},)"
      R"( "model": {"type": "BPE", "vocab": {"a": 0, "b": 1}, "merges": []}})";
  Json config = Json::parse(kQwen5);
  config["eos_token_id"] = nullptr;
  MakeFolder(config);
  const auto ends = [&] { return LoadModelFolder(folder_, false).generation.eos_token_ids; };
  WriteText("special_tokens_map.json", R"({"eos_token": "<end>"})");
  EXPECT_THAT(ends(), ElementsAre());  // no tokenizer
  WriteText("tokenizer.json", tokenizer);
  EXPECT_THAT(ends(), ElementsAre(2));
  WriteText("tokenizer_config.json", R"({"eos_token": {"content": "</s>"}})");
  EXPECT_THAT(ends(), ElementsAre(3));
  WriteText("tokenizer_config.json", R"({"eos_token": "<none of its tokens>"})");
  EXPECT_THAT(ends(), ElementsAre());
  WriteText("tokenizer_config.json", R"({"eos_token": "</s>"})");
  WriteText("generation_config.json", R"({"eos_token_id": 5})");
  EXPECT_THAT(ends(), ElementsAre(5));
}

TEST_F(ModelFolderTest, ReadsShards) {
  MakeFolder(Json::parse(kLlama4));
  fs::remove(folder_ / "model.safetensors");
  Json map;
  for (const char* name :
       {"model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"}) {
    Rewrite(
        [&](std::vector<SafetensorsTensor>* tensors) {
          const size_t half = tensors->size() / 2;
          if (name[10] == '1') {
            tensors->resize(half);
          } else {
            tensors->erase(tensors->begin(), tensors->begin() + static_cast<std::ptrdiff_t>(half));
          }
          for (const SafetensorsTensor& tensor : *tensors) map[tensor.name] = name;
        },
        name);
  }
  WriteText("model.safetensors.index.json", Json{{"weight_map", map}}.dump());
  const ModelFolder model = LoadModelFolder(folder_);
  EXPECT_TRUE(std::equal(data_.begin(), data_.end(), model.weights->data.begin()));

  for (const char* bad : {"../model-00001-of-00002.safetensors", "/etc/x.safetensors",
                          "a/b.safetensors", "other.bin"}) {
    Json reaching = map;
    reaching["model.norm.weight"] = bad;
    WriteText("model.safetensors.index.json", Json{{"weight_map", reaching}}.dump());
    EXPECT_THAT(Refusal(), HasSubstr("in the same folder")) << bad;
  }
  Json wrong = map;
  wrong["model.norm.weight"] = map["model.embed_tokens.weight"];
  WriteText("model.safetensors.index.json", Json{{"weight_map", wrong}}.dump());
  EXPECT_THAT(Refusal(), HasSubstr("tensor \"model.norm.weight\""));
  WriteText("model.safetensors.index.json",
            R"({"weight_map":{"a":"x.safetensors","a":"y.safetensors"}})");
  EXPECT_THAT(Refusal(), HasSubstr("\"a\": this key stands here twice"));
  WriteText("model.safetensors.index.json", R"({"weight_map":{"a":)" + std::string(1'000'000, '['));
  EXPECT_THAT(Refusal(), HasSubstr("at most 200 levels"));
  WriteText("model.safetensors.index.json", "[]");
  EXPECT_THAT(Refusal(), HasSubstr("weight_map"));
}

TEST_F(ModelFolderTest, ThreadsChangeNoBit) {
  MakeFolder(Json::parse(kLlama4));
  const Hash128 expected = Fingerprint(layout_, data_.span());
  for (const int threads : {1, 2, 5}) {
    const ModelFolder model = LoadModelFolder(folder_, true, threads);
    EXPECT_EQ(model.weights->fingerprint, expected) << threads;
    EXPECT_TRUE(std::equal(data_.begin(), data_.end(), model.weights->data.begin())) << threads;
  }
}

TEST_F(ModelFolderTest, ADeepConfigIsRefused) {
  MakeFolder(Json::parse(kLlama4));
  WriteText("config.json",
            R"({"hidden_size":)" + std::string(1'000'000, '[') + std::string(1'000'000, ']') + "}");
  EXPECT_THAT(Refusal(), HasSubstr("at most 200 levels"));
}

TEST_F(ModelFolderTest, NamesMissingTensors) {
  MakeFolder(Json::parse(kLlama4));
  Rewrite([](std::vector<SafetensorsTensor>* tensors) { tensors->erase(tensors->begin() + 3); });
  EXPECT_THAT(Refusal(), HasSubstr("tensor \"" + layout_.tensors[3].name + "\": is missing"));
  fs::remove(folder_ / "model.safetensors");
  EXPECT_THAT(Refusal(), HasSubstr("model.safetensors: cannot read"));
}

TEST_F(ModelFolderTest, NamesAShapeThatLies) {
  MakeFolder(Json::parse(kLlama4));
  Rewrite([](std::vector<SafetensorsTensor>* tensors) {
    std::swap((*tensors)[0].shape[0], (*tensors)[0].shape[1]);
  });
  EXPECT_THAT(Refusal(), HasSubstr("has the shape [32, 300], config.json asks for [300, 32]"));
}

TEST_F(ModelFolderTest, AConfigThatLiesAboutSizesTakesNoMemory) {
  MakeFolder(Json::parse(kLlama4));
  Json config = Json::parse(kLlama4);
  config["vocab_size"] = 2'000'000'000;  // 256 GB of embeddings
  WriteText("config.json", config.dump());
  EXPECT_THAT(Refusal(), HasSubstr("config.json asks for [2000000000, 32]"));
}

TEST_F(ModelFolderTest, RefusesTensorsOfAnotherModel) {
  const std::vector<float> one = {1};
  MakeFolder(Json::parse(kLlama4));
  Rewrite([&](std::vector<SafetensorsTensor>* tensors) {
    tensors->push_back({"model.layers.0.self_attn.q_norm.weight", {1}, one});
  });
  EXPECT_THAT(Refusal(), HasSubstr("q_norm.weight\": is no part of a LlamaForCausalLM"));
  Rewrite([&](std::vector<SafetensorsTensor>* tensors) {
    tensors->push_back({"model.layers.0.self_attn.rotary_emb.inv_freq", {1}, one});
  });
  EXPECT_EQ(Refusal(), "accepted");
  MakeFolder(Json::parse(kQwen5));
  Rewrite([&](std::vector<SafetensorsTensor>* tensors) {
    tensors->push_back({"lm_head.weight", {1}, one});
  });
  EXPECT_EQ(Refusal(), "accepted");  // tied: the embedding is the head
}

TEST_F(ModelFolderTest, RefusesACutOffFile) {
  MakeFolder(Json::parse(kLlama4));
  fs::resize_file(folder_ / "model.safetensors", fs::file_size(folder_ / "model.safetensors") - 1);
  EXPECT_THAT(Refusal(), HasSubstr("do not lie in"));
}

TEST_F(ModelFolderTest, TheQuickstartFilesGoTogether) {
  const fs::path source = fs::path(HONE_SOURCE_DIR) / "configs" / "quickstart";
  MakeFolder(ReadJson(source / "model.json"));
  for (const char* name : {"tokenizer.json", "tokenizer_config.json", "generation_config.json"}) {
    fs::copy_file(source / name, folder_ / name);
  }
  const ModelFolder model = LoadModelFolder(folder_);
  EXPECT_LT(model.layout.parameters(), 1'500'000);
  EXPECT_EQ(model.tokenizer->vocab_size(), model.config.vocab_size);
  EXPECT_EQ(model.companions.size(), 4u);
  EXPECT_EQ(model.tokenizer->TokenId("<|endoftext|>"), model.generation.eos_token_ids.at(0));
  const auto ids = model.tokenizer->Encode("<think>7+6</think><answer>13</answer><|endoftext|>");
  EXPECT_EQ(ids.size(), 10u);
  EXPECT_EQ(model.tokenizer->Decode(ids, true), "<think>7+6</think><answer>13</answer>");

  Json small = ReadJson(source / "model.json");
  small["vocab_size"] = 100;
  MakeFolder(small);
  EXPECT_THAT(Refusal(), HasSubstr("has ids up to 261, but the model's vocab_size is 100"));
}

}  // namespace
}  // namespace hone
