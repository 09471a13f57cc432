#include "policy/families/family.h"

#include <fmt/format.h>

#include <array>

#include "common/error.h"

namespace hone {
namespace {

constexpr std::array kFamilies = {&kLlama, &kQwen2,  &kQwen3,  &kMistral,
                                  &kPhi3,  &kGemma2, &kGemma3, &kQwen3Moe};

// The names that `name` gives of all families, as a list.
template <class Name>
std::string List(const Name& name) {
  std::string list;
  for (const ModelFamily* family : kFamilies) {
    list += fmt::format("{}\"{}\"", list.empty() ? "" : ", ", name(*family));
  }
  return list;
}

std::string ModelTypes() {
  return List([](const ModelFamily& family) { return family.model_type; });
}
std::string Architectures() {
  return List([](const ModelFamily& family) { return family.architecture; });
}

const ModelFamily* FindByType(const Json& type) {
  for (const ModelFamily* family : kFamilies) {
    if (type == family->model_type) return family;
  }
  return nullptr;
}

const ModelFamily* FindByArchitecture(const Json& architecture) {
  for (const ModelFamily* family : kFamilies) {
    if (architecture == family->architecture) return family;
  }
  return nullptr;
}

}  // namespace

std::span<const ModelFamily* const> ModelFamilies() { return kFamilies; }

const ModelFamily& FamilyOf(const std::string& architecture) {
  const ModelFamily* family = FindByArchitecture(architecture);
  if (family == nullptr) {
    throw UsageError(fmt::format("a model's architecture: expected one of {}, found \"{}\"",
                                 Architectures(), architecture));
  }
  return *family;
}

const ModelFamily& FamilyOf(const ConfigReader& json) {
  const ModelFamily* by_type = nullptr;
  if (json.Has("model_type")) {
    by_type = FindByType(json.At("model_type"));
    if (by_type == nullptr) {
      json.Fail("model_type", fmt::format("expected one of {}, found {}", ModelTypes(),
                                          Dump(json.At("model_type"))));
    }
  }
  if (!json.Has("architectures")) {
    if (by_type == nullptr)
      json.Fail("architectures", "is missing: this is no config.json of a model");
    return *by_type;
  }
  const Json& list = json.At("architectures");
  const ModelFamily* family =
      list.is_array() && list.size() == 1 ? FindByArchitecture(list[0]) : nullptr;
  if (family == nullptr) {
    json.Fail("architectures",
              fmt::format("expected an array of one of {}, found {}", Architectures(), Dump(list)));
  }
  if (by_type != nullptr && by_type != family) {
    json.Fail("architectures", fmt::format("{} does not go with the model_type {}",
                                           family->architecture, Dump(json.At("model_type"))));
  }
  return *family;
}

std::vector<NamedTensor> CommonLayer(const ModelConfig& config, int64_t) {
  std::vector<NamedTensor> tensors = {{"input_layernorm.weight", Role::kAttentionNorm},
                                      {"self_attn.q_proj.weight", Role::kQ},
                                      {"self_attn.k_proj.weight", Role::kK},
                                      {"self_attn.v_proj.weight", Role::kV}};
  const auto add = [&](bool wanted, std::initializer_list<NamedTensor> more) {
    if (wanted) tensors.insert(tensors.end(), more);
  };
  add(config.qkv_bias, {{"self_attn.q_proj.bias", Role::kQBias},
                        {"self_attn.k_proj.bias", Role::kKBias},
                        {"self_attn.v_proj.bias", Role::kVBias}});
  add(config.qk_norm,
      {{"self_attn.q_norm.weight", Role::kQNorm}, {"self_attn.k_norm.weight", Role::kKNorm}});
  add(true, {{"self_attn.o_proj.weight", Role::kO}});
  add(config.o_bias, {{"self_attn.o_proj.bias", Role::kOBias}});
  add(true, {{"post_attention_layernorm.weight", Role::kMlpNorm},
             {"mlp.gate_proj.weight", Role::kGate},
             {"mlp.up_proj.weight", Role::kUp}});
  add(config.mlp_bias,
      {{"mlp.gate_proj.bias", Role::kGateBias}, {"mlp.up_proj.bias", Role::kUpBias}});
  add(true, {{"mlp.down_proj.weight", Role::kDown}});
  add(config.mlp_bias, {{"mlp.down_proj.bias", Role::kDownBias}});
  return tensors;
}

}  // namespace hone
