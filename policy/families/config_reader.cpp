#include "policy/families/config_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "common/error.h"

namespace hone {
namespace {

constexpr int64_t kMostLayers = 10'000;
constexpr int64_t kMost = INT32_MAX;

int64_t HeadDim(const ConfigReader& json, const ModelConfig& config, int64_t fallback) {
  if (json.Has("head_dim")) return json.Count("head_dim");
  if (fallback > 0) return fallback;
  if (config.hidden_size % config.num_heads != 0) {
    json.Fail("hidden_size", fmt::format("{} is not divisible by num_attention_heads {}",
                                         config.hidden_size, config.num_heads));
  }
  return config.hidden_size / config.num_heads;
}

kernels::Gate Activation(const ConfigReader& json, const CommonDefaults& defaults) {
  const std::string key = defaults.activation_key;
  const Json name = json.Has(key) ? json.At(key) : Json(defaults.activation);
  if (name == "silu") return kernels::Gate::kSilu;
  if (name == "gelu_pytorch_tanh") return kernels::Gate::kGeluTanh;
  json.Fail(key, fmt::format("{} is not supported; expected \"silu\" or \"gelu_pytorch_tanh\"",
                             Dump(name)));
}

}  // namespace

void ConfigReader::Fail(const std::string& key, const std::string& message) const {
  throw FileError(path_, prefix_ + key, message);
}

ConfigReader ConfigReader::Object(const std::string& key) const {
  const Json& object = json_[key];
  if (!object.is_object()) Fail(key, fmt::format("expected an object, found {}", Dump(object)));
  return {object, path_, prefix_ + key + "."};
}

int64_t ConfigReader::Count(const std::string& key) const {
  if (!Has(key)) Fail(key, "is missing");
  const Json& value = json_[key];
  // An unsigned value that is too large for int64_t turns negative.
  const int64_t count = value.is_number_integer() ? value.get<int64_t>() : 0;
  if (count < 1 || count > kMost) {
    Fail(key, fmt::format("expected a whole number from 1 to {}, found {}", kMost, Dump(value)));
  }
  return count;
}

double ConfigReader::Number(const std::string& key, double least, double most) const {
  if (!Has(key)) Fail(key, "is missing");
  const Json& value = json_[key];
  const double number = value.is_number() ? value.get<double>() : std::nan("");
  if (!(number >= least && number <= most)) {
    Fail(key, fmt::format("expected a number from {} to {}, found {}", least, most, Dump(value)));
  }
  return number;
}

double ConfigReader::Number(const std::string& key, double fallback, double least,
                            double most) const {
  return Has(key) ? Number(key, least, most) : fallback;
}

bool ConfigReader::Bool(const std::string& key, bool fallback) const {
  if (!Has(key)) return fallback;
  if (!json_[key].is_boolean())
    Fail(key, fmt::format("expected true or false, found {}", Dump(json_[key])));
  return json_[key].get<bool>();
}

void ConfigReader::RefuseTrue(std::initializer_list<const char*> keys) const {
  for (const char* key : keys) {
    if (Bool(key, false)) Fail(key, "true is not supported; expected false");
  }
}

void ConfigReader::Refuse(const std::string& key, const std::string& reason) const {
  if (Has(key)) Fail(key, fmt::format("{} is not supported: {}", Dump(json_[key]), reason));
}

void ReadCommon(const ConfigReader& json, const CommonDefaults& defaults, ModelConfig* config) {
  config->vocab_size = json.Count("vocab_size");
  config->hidden_size = json.Count("hidden_size");
  config->intermediate_size = json.Count("intermediate_size");
  config->num_layers = json.Count("num_hidden_layers");
  if (config->num_layers > kMostLayers) {
    json.Fail("num_hidden_layers", fmt::format("expected a whole number from 1 to {}, found {}",
                                               kMostLayers, config->num_layers));
  }
  config->num_heads = json.Count("num_attention_heads");
  config->num_kv_heads =
      json.Has("num_key_value_heads") ? json.Count("num_key_value_heads") : config->num_heads;
  config->head_dim = HeadDim(json, *config, defaults.head_dim);
  if (config->num_heads % config->num_kv_heads != 0) {
    json.Fail("num_key_value_heads", fmt::format("num_attention_heads {} is not divisible by {}",
                                                 config->num_heads, config->num_kv_heads));
  }
  if (config->head_dim % 2 != 0) {
    json.Fail("head_dim",
              fmt::format("expected an even number (rotary embedding turns pairs), found {}",
                          config->head_dim));
  }
  config->max_position_embeddings = json.Count("max_position_embeddings");
  config->rms_norm_eps = json.Number("rms_norm_eps", config->rms_norm_eps, 1e-12, 1);
  config->initializer_range = json.Number("initializer_range", config->initializer_range, 0, 100);
  config->activation = Activation(json, defaults);
  config->tie_word_embeddings = json.Bool("tie_word_embeddings", defaults.tied);
}

void ReadQwenWindows(const ConfigReader& json, ModelConfig* config) {
  const bool use = json.Bool("use_sliding_window", false);
  const int32_t window = use ? ReadWindow(json, 4096) : 0;
  const double plain = json.Number("max_window_layers", 28, 0, INT32_MAX);
  ReadLayerTypes(
      json, window,
      [&](int64_t layer) { return window > 0 && static_cast<double>(layer) >= plain; }, config);
}

int32_t ReadWindow(const ConfigReader& json, int32_t fallback) {
  if (!json.json().contains("sliding_window")) return fallback;
  return json.Has("sliding_window") ? static_cast<int32_t>(json.Count("sliding_window")) : 0;
}

void ReadLayerTypes(const ConfigReader& json, int32_t window,
                    const std::function<bool(int64_t)>& slides, ModelConfig* config) {
  const bool given = json.Has("layer_types");
  if (given && (!json.At("layer_types").is_array() ||
                static_cast<int64_t>(json.At("layer_types").size()) != config->num_layers)) {
    json.Fail("layer_types",
              fmt::format("expected an array of {} types, one a layer", config->num_layers));
  }
  bool any = false;
  std::vector<int32_t> windows;
  for (int64_t l = 0; l < config->num_layers; ++l) {
    const Json& type = given ? json.At("layer_types")[static_cast<size_t>(l)] : Json();
    if (given && type != "full_attention" && type != "sliding_attention") {
      json.Fail("layer_types",
                fmt::format("expected \"full_attention\" or \"sliding_attention\", found {}",
                            Dump(type)));
    }
    const bool sliding = given ? type == "sliding_attention" : slides(l);
    if (sliding && window == 0) {
      json.Fail(given ? "layer_types" : "sliding_window",
                "layers of \"sliding_attention\" need a sliding_window");
    }
    windows.push_back(sliding ? window : 0);
    any = any || sliding;
  }
  if (any) config->windows = std::move(windows);
}

}  // namespace hone
