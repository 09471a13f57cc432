#include "policy/files/gguf_model.h"

#include <fmt/format.h>

#include <cstring>
#include <map>
#include <memory>
#include <utility>

#include "common/deterministic_math.h"
#include "common/error.h"
#include "common/log.h"
#include "policy/files/gguf_family.h"
#include "policy/files/gguf_tokenizer.h"
#include "policy/model/rope_frequencies.h"

namespace hone {
namespace {

GgmlType TypeOf(const TensorSpec& spec, GgmlType type) {
  if (spec.shape.size() != 2 || spec.role == Role::kRouter) return GgmlType::kF32;
  if (type == GgmlType::kQ8_0 && spec.shape.back() % GgmlBlock(type) != 0) return GgmlType::kF16;
  return type;
}

// Queries and keys, which turn.
bool Turns(Role role) {
  return role == Role::kQ || role == Role::kK || role == Role::kQBias || role == Role::kKBias;
}

// llama.cpp's numbers of what most of a file is (LLAMA_FTYPE).
uint32_t FileType(GgmlType type) {
  switch (type) {
    case GgmlType::kF32:
      return 0;
    case GgmlType::kF16:
      return 1;
    case GgmlType::kQ8_0:
      return 7;
    case GgmlType::kBf16:
      return 32;
  }
  throw UsageError("an unknown type of number");
}

// ln(2), for the natural logarithm of YaRN's factor.
constexpr double kLn2 = 0x1.62e42fefa39efp-1;

void AddScaling(const std::string& family, const RopeScaling& scaling, GgufMetadata* metadata) {
  const auto add = [&](const char* key, GgufValue value) {
    metadata->emplace_back(family + ".rope.scaling." + key, std::move(value));
  };
  const auto number = [](double value) { return static_cast<float>(value); };
  if (scaling.type == RopeType::kLongRope) {
    add("type", std::string("longrope"));
    add("original_context_length", static_cast<uint32_t>(scaling.original_positions));
    add("attn_factor", number(scaling.attention_factor));
  }
  if (scaling.type != RopeType::kLinear && scaling.type != RopeType::kYarn) return;
  add("type", std::string(scaling.type == RopeType::kYarn ? "yarn" : "linear"));
  add("factor", number(scaling.factor));
  if (scaling.type != RopeType::kYarn) return;
  add("original_context_length", static_cast<uint32_t>(scaling.original_positions));
  // llama.cpp has the factor of the paper (arXiv:2309.00071, eq. 22), and multiplies it by this.
  const double papers = 1 + 0.1 * kLn2 * Log2(scaling.factor);
  add("attn_factor", number(scaling.attention_factor / papers));
}

int64_t ContextLength(const GgufFamily& family, const ModelConfig& config) {
  const int64_t length = GgufContextLength(family, config);
  if (length < config.max_position_embeddings) {
    spdlog::warn(
        "config.json: sliding_window: llama.cpp has no windows in \"{}\"; the file says that a "
        "context ends after {} tokens, up to which both compute the same",
        family.name, length);
  }
  return length;
}

GgufTensor MakeFactors(const char* name, std::vector<float> numbers) {
  auto factors = std::make_shared<const std::vector<float>>(std::move(numbers));
  GgufTensor tensor;
  tensor.name = name;
  tensor.shape = {static_cast<int64_t>(factors->size())};
  tensor.data = *factors;
  tensor.owner = std::move(factors);
  return tensor;
}

// What llama.cpp divides the frequencies of rotary embedding by. Of longrope's factors it takes the
// short ones for a context of at most the original length, the long ones for a longer one, whatever
// stands in it: as SetContextLength does, and the file's context_length is that of the policy.
void AddRopeFactors(const ModelConfig& config, std::vector<GgufTensor>* tensors) {
  const RopeScaling& scaling = config.rope_scaling;
  if (scaling.type == RopeType::kLongRope) {
    for (const auto& [name, factors] :
         {std::pair{"rope_factors_long.weight", &scaling.long_factor},
          std::pair{"rope_factors_short.weight", &scaling.short_factor}})
      tensors->push_back(MakeFactors(name, {factors->begin(), factors->end()}));
  }
  if (scaling.type != RopeType::kLlama3) return;
  const auto plain = InverseFrequencies(config.rope_theta, config.turned_dim(), {}),
             scaled =
                 InverseFrequencies(config.rope_theta, config.turned_dim(), config.rope_scaling);
  std::vector<float> factors;
  for (size_t i = 0; i < plain.size(); ++i) factors.push_back(plain[i] / scaled[i]);
  tensors->push_back(MakeFactors("rope_freqs.weight", std::move(factors)));
}

// `out` is the flat array from where the tensor's numbers begin.
void ReadRows(const GgufTensor& tensor, const GgufEntry& entry, std::span<float> out) {
  const size_t row_bytes = GgmlRowBytes(entry.type, tensor.columns());
  const auto columns = static_cast<size_t>(tensor.columns());
  for (int64_t row = 0; row < tensor.rows(); ++row) {
    const auto into = out.subspan(tensor.SourceAt(row), columns);
    DecodeRow(entry.type, entry.bytes.data() + static_cast<size_t>(row) * row_bytes, into);
    for (float& value : into) value -= tensor.offset;
  }
}

}  // namespace

GgufMetadata MakeGgufMetadata(const ModelFolder& model, GgmlType type) {
  const ModelConfig& config = model.config;
  const GgufFamily& described = GgufFamilyOf(config);
  const std::string family = described.name;
  const std::filesystem::path path = std::filesystem::absolute(model.path).lexically_normal();
  const auto name = path.has_filename() ? path.filename() : path.parent_path().filename();
  const auto count = [](int64_t value) { return static_cast<uint32_t>(value); };
  GgufMetadata metadata = {
      {"general.architecture", family},
      {"general.type", std::string("model")},
      {"general.name", name.string()},
      {"general.file_type", FileType(type)},
      {family + ".block_count", count(config.num_layers)},
      {family + ".context_length", count(ContextLength(described, config))},
      {family + ".embedding_length", count(config.hidden_size)},
      {family + ".feed_forward_length", count(config.intermediate_size)},
      {family + ".attention.head_count", count(config.num_heads)},
      {family + ".attention.head_count_kv", count(config.num_kv_heads)},
      {family + ".attention.key_length", count(config.head_dim)},
      {family + ".attention.value_length", count(config.head_dim)},
      {family + ".attention.layer_norm_rms_epsilon", static_cast<float>(config.rms_norm_eps)},
      {family + ".rope.dimension_count", count(config.turned_dim())},
      {family + ".rope.freq_base", static_cast<float>(config.rope_theta)},
      {family + ".vocab_size", count(config.vocab_size)},
  };
  AddScaling(family, config.rope_scaling, &metadata);
  if (described.window_period > 0)
    metadata.emplace_back(family + ".attention.sliding_window", count(config.window(0)));
  if (described.local_rope) {
    metadata.emplace_back(family + ".rope.freq_base_swa",
                          static_cast<float>(config.local_rope_theta));
  }
  if (described.experts) {
    metadata.emplace_back(family + ".expert_count", count(config.num_experts));
    metadata.emplace_back(family + ".expert_used_count", count(config.experts_per_token));
    metadata.emplace_back(family + ".expert_feed_forward_length", count(config.expert_size));
  }
  if (described.attention_softcap) {
    metadata.emplace_back(family + ".attn_logit_softcapping",
                          static_cast<float>(config.attention_softcap));
  }
  if (described.logit_softcap) {
    metadata.emplace_back(family + ".final_logit_softcapping",
                          static_cast<float>(config.logit_softcap));
  }
  if (type == GgmlType::kQ8_0) metadata.emplace_back("general.quantization_version", uint32_t{2});
  AddGgufTokenizer(model, &metadata);
  return metadata;
}

std::vector<GgufTensor> MakeGgufTensors(const ModelConfig& config, const WeightsLayout& layout,
                                        std::span<const float> data, GgmlType type) {
  const GgufFamily& family = GgufFamilyOf(config);
  std::vector<GgufTensor> tensors;
  std::map<std::string, size_t> stacks;  // of experts, by name
  for (const TensorSpec& spec : layout.tensors) {
    if (spec.expert > 0) {  // below the one before it
      GgufTensor& stack = tensors[stacks.at(GgufTensorName(spec))];
      if (spec.expert == 1) stack.stride = spec.offset - stack.begin;
      continue;
    }
    GgufTensor tensor;
    tensor.name = GgufTensorName(spec);
    tensor.shape = spec.shape;
    if (spec.expert == 0) {
      tensor.shape.insert(tensor.shape.begin(), config.num_experts);
      stacks[tensor.name] = tensors.size();
    }
    tensor.type = TypeOf(spec, type);
    tensor.begin = spec.offset;
    if (family.interleaved_rope && Turns(spec.role)) tensor.interleaved_head = config.head_dim;
    if (IsNorm(spec.role)) tensor.offset = static_cast<float>(config.norm_offset);
    // Up to the array's end: what belongs to the tensor, its shape and stride say.
    if (!data.empty()) tensor.data = data.subspan(static_cast<size_t>(spec.offset));
    tensors.push_back(std::move(tensor));
  }
  AddRopeFactors(config, &tensors);
  return tensors;
}

Buffer<float> ReadGgufWeights(const GgufFile& file, const ModelConfig& config,
                              const WeightsLayout& layout) {
  // Of the tensors, only what names and places them; the type is what the file says.
  const std::vector<GgufTensor> wanted = MakeGgufTensors(config, layout, {}, GgmlType::kF32);
  if (file.entries().size() != wanted.size()) {
    throw FileError(
        file.path().string(), "",
        fmt::format("holds {} tensors, the model has {}", file.entries().size(), wanted.size()));
  }
  const auto entry_of = [&](const GgufTensor& tensor) -> const GgufEntry& {
    const auto found = file.entries().find(tensor.name);
    if (found == file.entries().end())
      throw FileError(file.path().string(), "tensor " + tensor.name, "is missing");
    if (found->second.shape != tensor.shape) {
      throw FileError(
          file.path().string(), "tensor " + tensor.name,
          fmt::format("has the shape [{}], the model's is [{}]",
                      fmt::join(found->second.shape, ", "), fmt::join(tensor.shape, ", ")));
    }
    return found->second;
  };
  for (const GgufTensor& tensor : wanted) entry_of(tensor);  // all, before memory is taken
  Buffer<float> data(static_cast<size_t>(layout.size));
  for (const GgufTensor& tensor : wanted) {
    const GgufEntry& entry = entry_of(tensor);
    if (tensor.begin >= 0) {
      ReadRows(tensor, entry, data.span().subspan(static_cast<size_t>(tensor.begin)));
    } else if (entry.type != tensor.type ||
               std::memcmp(entry.bytes.data(), tensor.data.data(), entry.bytes.size()) != 0) {
      throw FileError(file.path().string(), "tensor " + tensor.name,
                      "holds other numbers than follow from the config");
    }
    file.map().Release(entry.bytes);
  }
  return data;
}

}  // namespace hone
