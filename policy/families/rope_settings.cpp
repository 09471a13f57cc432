#include "policy/families/rope_settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "common/deterministic_math.h"

namespace hone {
namespace {

constexpr double kMostTheta = 1e15, kLeastFactor = 0.1, kMostFactor = 1e6;
constexpr double kLn2 = 0x1.62e42fefa39efp-1;

// All that transformers knows in such an object; what a type does not use, it ignores.
constexpr std::array kKnown = {"rope_theta",
                               "rope_type",
                               "type",
                               "partial_rotary_factor",
                               "factor",
                               "original_max_position_embeddings",
                               "attention_factor",
                               "beta_fast",
                               "beta_slow",
                               "short_factor",
                               "long_factor",
                               "low_freq_factor",
                               "high_freq_factor",
                               "mscale",
                               "mscale_all_dim",
                               "truncate"};

RopeType Type(const ConfigReader& rope, const RopeRules& rules) {
  const char* key = rope.Has("rope_type") ? "rope_type" : "type";
  if (!rope.Has(key)) return RopeType::kDefault;
  const Json& found = rope.At(key);
  if (found == "default") return RopeType::kDefault;
  if (rules.longrope_only) {
    if (found == "longrope" || found == "su" || found == "yarn") return RopeType::kLongRope;
    rope.Fail(
        key, fmt::format("{} is not supported; expected \"default\" or \"longrope\"", Dump(found)));
  }
  for (const auto& [name, type] : {std::pair{"linear", RopeType::kLinear},
                                   {"dynamic", RopeType::kDynamic},
                                   {"yarn", RopeType::kYarn},
                                   {"llama3", RopeType::kLlama3},
                                   {"longrope", RopeType::kLongRope}}) {
    if (found == name) return type;
  }
  rope.Fail(key, fmt::format("{} is not supported; expected \"default\", \"linear\", \"dynamic\", "
                             "\"yarn\", \"llama3\" or \"longrope\"",
                             Dump(found)));
}

void CheckKeys(const ConfigReader& rope) {
  for (const auto& [name, value] : rope.json().items()) {
    if (value.is_null() || std::find(kKnown.begin(), kKnown.end(), name) != kKnown.end()) continue;
    rope.Fail(name, value.is_object() ? "rotary embedding that differs by layer is not supported"
                                      : "is not supported");
  }
}

// Phi-3 has it beside the object, where it counts more, and 4096 when it is not there.
double OriginalPositions(const ConfigReader& rope, const ConfigReader& top, const RopeRules& rules,
                         const ModelConfig& config) {
  const char* key = "original_max_position_embeddings";
  if (top.Has(key)) return static_cast<double>(top.Count(key));
  if (rules.longrope_only) return 4096;
  return rope.Has(key) ? static_cast<double>(rope.Count(key))
                       : static_cast<double>(config.max_position_embeddings);
}

void ReadYarn(const ConfigReader& rope, double ratio, RopeScaling* scaling) {
  scaling->factor = rope.Number("factor", ratio, 1, kMostFactor);
  const auto or_default = [&](const char* key, double fallback) {
    const double value = rope.Number(key, fallback, 0, kMostFactor);
    return value == 0 ? fallback : value;  // transformers takes 0 for absent
  };
  scaling->beta_fast = or_default("beta_fast", scaling->beta_fast);
  scaling->beta_slow = or_default("beta_slow", scaling->beta_slow);
  scaling->truncate = rope.Bool("truncate", true);
  // Peng et al., "YaRN", arXiv:2309.00071, eq. 22; with two scales as DeepSeek-V2 has it.
  const auto mscale = [&](double scale) {
    return scaling->factor <= 1 ? 1.0 : 0.1 * scale * kLn2 * Log2(scaling->factor) + 1;
  };
  const double scale = rope.Number("mscale", 0, 0, kMostFactor),
               all = rope.Number("mscale_all_dim", 0, 0, kMostFactor);
  scaling->attention_factor = rope.Number(
      "attention_factor", scale > 0 && all > 0 ? mscale(scale) / mscale(all) : mscale(1), 0, 1e3);
}

std::vector<double> Factors(const ConfigReader& rope, const char* key, int64_t count) {
  if (!rope.Has(key)) rope.Fail(key, "is missing");
  const Json& list = rope.At(key);
  std::vector<double> factors;
  for (const Json& value : list.is_array() ? list : Json::array()) {
    const double factor = value.is_number() ? value.get<double>() : 0;
    if (factor >= kLeastFactor && factor <= kMostFactor) factors.push_back(factor);
  }
  if (static_cast<int64_t>(factors.size()) != count || list.size() != factors.size()) {
    rope.Fail(key, fmt::format("expected {} numbers from {} to {}, one a frequency", count,
                               kLeastFactor, kMostFactor));
  }
  return factors;
}

// Ding et al., "LongRoPE", arXiv:2402.13753. transformers takes the long factors for a whole
// sequence once it is longer than the original length: its earlier keys would change. So sequences
// end there, unless the user asks for more of them (model/context_length.h).
void ReadLongRope(const ConfigReader& rope, double ratio, ModelConfig* config) {
  RopeScaling& scaling = config->rope_scaling;
  const int64_t frequencies = config->turned_dim() / 2;
  scaling.short_factor = Factors(rope, "short_factor", frequencies);
  scaling.long_factor = Factors(rope, "long_factor", frequencies);
  scaling.factor = rope.Number("factor", ratio, 0, kMostFactor);
  const double original = scaling.original_positions;
  if (original < 2) rope.Fail("original_max_position_embeddings", "expected at least 2");
  scaling.attention_factor = rope.Number(
      "attention_factor",
      scaling.factor <= 1 ? 1 : std::sqrt(1 + Log2(scaling.factor) / Log2(original)), 0, 1e3);
  if (original < static_cast<double>(config->max_position_embeddings)) {
    scaling.long_positions = config->max_position_embeddings;
    config->max_position_embeddings = static_cast<int64_t>(original);
    config->positions_key =
        "original_max_position_embeddings, where longrope changes all keys; context_length may be "
        "more";
  }
}

}  // namespace

void ReadRopeObject(const ConfigReader& rope, const ConfigReader& top, const RopeRules& rules,
                    double theta, ModelConfig* config) {
  CheckKeys(rope);
  config->rope_theta = rope.Number("rope_theta", theta, 1, kMostTheta);
  const ConfigReader& partial = rope.Has("partial_rotary_factor") ? rope : top;
  const double turned = partial.Number("partial_rotary_factor", 1, 0, 1);
  if (turned != 1 && !rules.partial) {
    partial.Fail("partial_rotary_factor", fmt::format("{} is not supported; expected 1", turned));
  }
  config->rotary_dim = static_cast<int64_t>(static_cast<double>(config->head_dim) * turned);
  if (config->rotary_dim < 2 || config->rotary_dim % 2 != 0) {
    partial.Fail("partial_rotary_factor",
                 fmt::format("{} of head_dim {} gives {} dimensions that turn; expected an even "
                             "number of at least 2",
                             turned, config->head_dim, config->rotary_dim));
  }
  RopeScaling& scaling = config->rope_scaling;
  scaling.type = Type(rope, rules);
  scaling.original_positions = OriginalPositions(rope, top, rules, *config);
  const double ratio =
      static_cast<double>(config->max_position_embeddings) / scaling.original_positions;
  switch (scaling.type) {
    case RopeType::kDefault:
      break;
    case RopeType::kLinear:
    case RopeType::kDynamic:
      scaling.factor = rope.Number("factor", 1, kMostFactor);
      break;
    case RopeType::kLlama3:
      scaling.factor = rope.Number("factor", 1, kMostFactor);
      scaling.low_freq_factor = rope.Number("low_freq_factor", 1e-6, kMostFactor);
      scaling.high_freq_factor =
          rope.Number("high_freq_factor", scaling.low_freq_factor * 1.000001, kMostFactor);
      break;
    case RopeType::kYarn:
      if (config->rope_theta <= 1) rope.Fail("rope_theta", "yarn needs more than 1");
      ReadYarn(rope, ratio, &scaling);
      break;
    case RopeType::kLongRope:
      ReadLongRope(rope, ratio, config);
      break;
  }
}

void ReadRope(const ConfigReader& json, const RopeRules& rules, ModelConfig* config) {
  const double theta = json.Number("rope_theta", config->rope_theta, 1, kMostTheta);
  const auto given = [&](const char* key) {
    return json.Has(key) && !(json.At(key).is_object() && json.At(key).empty());
  };
  if (given("rope_scaling") && given("rope_parameters")) {
    json.Fail("rope_scaling", "stands beside rope_parameters: expected one of them");
  }
  const Json none = Json::object();
  for (const char* key : {"rope_scaling", "rope_parameters"}) {
    if (given(key)) return ReadRopeObject(json.Object(key), json, rules, theta, config);
  }
  ReadRopeObject(ConfigReader(none, json.path()), json, rules, theta, config);
}

}  // namespace hone
