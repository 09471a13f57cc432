#include "policy/files/gguf_model.h"

#include <fmt/format.h>

#include <cstring>
#include <memory>
#include <utility>

#include "common/deterministic_math.h"
#include "common/error.h"
#include "policy/files/gguf_family.h"
#include "policy/files/gguf_tokenizer.h"
#include "policy/model/rope_frequencies.h"

namespace hone {
namespace {

GgmlType TypeOf(const TensorSpec& spec, GgmlType type) {
  if (spec.shape.size() != 2) return GgmlType::kF32;  // norms and biases
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
  if (scaling.type != RopeType::kLinear && scaling.type != RopeType::kYarn) return;
  add("type", std::string(scaling.type == RopeType::kYarn ? "yarn" : "linear"));
  add("factor", number(scaling.factor));
  if (scaling.type != RopeType::kYarn) return;
  add("original_context_length", static_cast<uint32_t>(scaling.original_positions));
  // llama.cpp has the factor of the paper (arXiv:2309.00071, eq. 22), and multiplies it by this.
  const double papers = 1 + 0.1 * kLn2 * Log2(scaling.factor);
  add("attn_factor", number(scaling.attention_factor / papers));
}

// What llama.cpp divides the frequencies of rotary embedding by.
GgufTensor MakeRopeFactors(const ModelConfig& config) {
  const auto plain = InverseFrequencies(config.rope_theta, config.turned_dim(), {}),
             scaled =
                 InverseFrequencies(config.rope_theta, config.turned_dim(), config.rope_scaling);
  auto factors = std::make_shared<std::vector<float>>();
  for (size_t i = 0; i < plain.size(); ++i) factors->push_back(plain[i] / scaled[i]);
  GgufTensor tensor;
  tensor.name = "rope_freqs.weight";
  tensor.shape = {static_cast<int64_t>(factors->size())};
  tensor.data = *factors;
  tensor.owner = std::move(factors);
  return tensor;
}

void ReadRows(const GgufTensor& tensor, const GgufEntry& entry, std::span<float> out) {
  const size_t row_bytes = GgmlRowBytes(entry.type, tensor.columns());
  const auto columns = static_cast<size_t>(tensor.columns());
  for (int64_t row = 0; row < tensor.rows(); ++row) {
    const auto into = out.subspan(static_cast<size_t>(tensor.SourceRow(row)) * columns, columns);
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
      {family + ".context_length", count(config.max_position_embeddings)},
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
  for (const TensorSpec& spec : layout.tensors) {
    GgufTensor tensor;
    tensor.name = GgufTensorName(spec);
    tensor.shape = spec.shape;
    tensor.type = TypeOf(spec, type);
    if (family.interleaved_rope && Turns(spec.role)) tensor.interleaved_head = config.head_dim;
    if (IsNorm(spec.role)) tensor.offset = static_cast<float>(config.norm_offset);
    if (!data.empty()) {
      tensor.data = data.subspan(static_cast<size_t>(spec.offset), static_cast<size_t>(spec.size));
    }
    tensors.push_back(std::move(tensor));
  }
  if (config.rope_scaling.type == RopeType::kLlama3) tensors.push_back(MakeRopeFactors(config));
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
  for (size_t i = 0; i < wanted.size(); ++i) {
    const GgufTensor& tensor = wanted[i];
    const GgufEntry& entry = entry_of(tensor);
    if (i < layout.tensors.size()) {
      ReadRows(tensor, entry,
               data.span().subspan(static_cast<size_t>(layout.tensors[i].offset),
                                   static_cast<size_t>(layout.tensors[i].size)));
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
