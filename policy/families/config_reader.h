// config.json, key by key: what is read is checked, and an error names the file and the key.
#pragma once

#include <functional>
#include <initializer_list>
#include <string>

#include "common/json.h"
#include "policy/model/config.h"

namespace hone {

class ConfigReader {
 public:
  // `prefix` of the keys that errors name: "rope_scaling." for the object of that name.
  ConfigReader(const Json& json, std::string path, std::string prefix = "")
      : json_(json), path_(std::move(path)), prefix_(std::move(prefix)) {}

  [[noreturn]] void Fail(const std::string& key, const std::string& message) const;
  // Null counts as absent.
  bool Has(const std::string& key) const { return json_.contains(key) && !json_[key].is_null(); }
  const Json& At(const std::string& key) const { return json_[key]; }
  const Json& json() const { return json_; }
  const std::string& path() const { return path_; }
  ConfigReader Object(const std::string& key) const;  // what stands under the key

  int64_t Count(const std::string& key) const;  // at least 1; must be there
  double Number(const std::string& key, double least, double most) const;  // must be there
  double Number(const std::string& key, double fallback, double least, double most) const;
  bool Bool(const std::string& key, bool fallback) const;

  // The settings that a family's forward does not know: refused unless absent or false.
  void RefuseTrue(std::initializer_list<const char*> keys) const;
  // … unless absent.
  void Refuse(const std::string& key, const std::string& reason) const;

 private:
  const Json& json_;
  std::string path_, prefix_;
};

// What every family's config.json says under the same names: sizes, norms, the activation (under
// `activation_key`, by default `activation`), tied embeddings (when it does not say: `tied`).
struct CommonDefaults {
  const char* activation_key = "hidden_act";
  const char* activation = "silu";
  bool tied = false;
  int64_t head_dim = 0;  // 0: hidden_size / num_attention_heads
};
void ReadCommon(const ConfigReader& json, const CommonDefaults& defaults, ModelConfig* config);

// The windows of Qwen2 and Qwen3: "use_sliding_window", "sliding_window", "max_window_layers" and
// "layer_types".
void ReadQwenWindows(const ConfigReader& json, ModelConfig* config);
// "sliding_window" as a number of keys; 0 when it is null, `fallback` when it is absent.
int32_t ReadWindow(const ConfigReader& json, int32_t fallback);
// Gives a window to the layers that "layer_types" calls "sliding_attention" or, without that key,
// to those that `slides`, called with the layer, says. A window of 0 is none: then no layer slides.
void ReadLayerTypes(const ConfigReader& json, int32_t window,
                    const std::function<bool(int64_t)>& slides, ModelConfig* config);

}  // namespace hone
