#include "policy/files/gguf_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "common/error.h"
#include "policy/files/gguf_tokenizer.h"

namespace hone {
namespace {

struct NamePair {
  std::string_view ours, theirs;  // of a tensor without ".weight" or ".bias"
};
// Within a layer: model.layers.N.OURS is blk.N.THEIRS.
constexpr NamePair kLayerNames[] = {
    {"input_layernorm", "attn_norm"},    {"self_attn.q_proj", "attn_q"},
    {"self_attn.k_proj", "attn_k"},      {"self_attn.v_proj", "attn_v"},
    {"self_attn.o_proj", "attn_output"}, {"post_attention_layernorm", "ffn_norm"},
    {"mlp.gate_proj", "ffn_gate"},       {"mlp.up_proj", "ffn_up"},
    {"mlp.down_proj", "ffn_down"},
};
constexpr NamePair kModelNames[] = {
    {"model.embed_tokens", "token_embd"}, {"model.norm", "output_norm"}, {"lm_head", "output"}};

// What differs between families; another family is another row.
struct Family {
  std::string_view architecture;  // config.json's
  const char* name;               // general.architecture, and the prefix of its keys
  bool interleaved_rope;          // rows of q and k are permuted for llama.cpp's rotary embedding
  std::span<const NamePair> layer_names;
};
constexpr Family kFamilies[] = {
    {"LlamaForCausalLM", "llama", true, kLayerNames},
    {"Qwen2ForCausalLM", "qwen2", false, kLayerNames},
};

const Family& FamilyOf(const ModelConfig& config) {
  for (const Family& family : kFamilies) {
    if (family.architecture == config.architecture) return family;
  }
  throw UsageError(
      fmt::format("--format gguf: {} is not written as GGUF; export it as hf and convert that",
                  config.architecture));
}

std::string_view Theirs(std::span<const NamePair> names, std::string_view ours) {
  for (const NamePair& pair : names) {
    if (pair.ours == ours) return pair.theirs;
  }
  throw UsageError(fmt::format("--format gguf: the tensor {} has no name in GGUF", ours));
}

std::string GgufName(const Family& family, std::string_view name) {
  const size_t dot = name.rfind('.');
  const std::string_view stem = name.substr(0, dot), suffix = name.substr(dot);
  constexpr std::string_view kLayers = "model.layers.";
  if (!stem.starts_with(kLayers)) return fmt::format("{}{}", Theirs(kModelNames, stem), suffix);
  const std::string_view rest = stem.substr(kLayers.size());
  const size_t after = rest.find('.');
  return fmt::format("blk.{}.{}{}", rest.substr(0, after),
                     Theirs(family.layer_names, rest.substr(after + 1)), suffix);
}

GgmlType TypeOf(const TensorSpec& spec, GgmlType type) {
  if (spec.shape.size() != 2) return GgmlType::kF32;  // norms and biases
  if (type == GgmlType::kQ8_0 && spec.shape.back() % GgmlBlock(type) != 0) return GgmlType::kF16;
  return type;
}

bool IsQueryOrKey(std::string_view name) {
  return name.find(".q_proj.") != name.npos || name.find(".k_proj.") != name.npos;
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

// What stretches positions has keys and tensors of its own in GGUF, which are not written.
void CheckRope(const ModelFolder& model) {
  for (const auto& [name, bytes] : model.companions) {
    if (name != "config.json") continue;
    const Json config = Json::parse(bytes);
    for (const char* key : {"rope_scaling", "rope_parameters"}) {
      if (!config.contains(key) || !config[key].is_object()) continue;
      for (const char* type : {"rope_type", "type"}) {
        if (config[key].contains(type) && config[key][type] != "default") {
          throw UsageError(
              fmt::format("--format gguf: config.json: {}.{}: {} is not written as "
                          "GGUF; export it as hf",
                          key, type, Dump(config[key][type])));
        }
      }
    }
  }
}

}  // namespace

GgufMetadata MakeGgufMetadata(const ModelFolder& model, GgmlType type) {
  CheckRope(model);
  const ModelConfig& config = model.config;
  const std::string family = FamilyOf(config).name;
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
      {family + ".rope.dimension_count", count(config.head_dim)},
      {family + ".rope.freq_base", static_cast<float>(config.rope_theta)},
      {family + ".vocab_size", count(config.vocab_size)},
  };
  if (type == GgmlType::kQ8_0) metadata.emplace_back("general.quantization_version", uint32_t{2});
  AddGgufTokenizer(model, &metadata);
  return metadata;
}

std::vector<GgufTensor> MakeGgufTensors(const ModelConfig& config, const WeightsLayout& layout,
                                        std::span<const float> data, GgmlType type) {
  const Family& family = FamilyOf(config);
  std::vector<GgufTensor> tensors;
  for (const TensorSpec& spec : layout.tensors) {
    GgufTensor tensor;
    tensor.name = GgufName(family, spec.name);
    tensor.shape = spec.shape;
    tensor.type = TypeOf(spec, type);
    if (family.interleaved_rope && IsQueryOrKey(spec.name) && spec.shape.size() == 2)
      tensor.interleaved_head = config.head_dim;
    if (!data.empty()) {
      tensor.data = data.subspan(static_cast<size_t>(spec.offset), static_cast<size_t>(spec.size));
    }
    tensors.push_back(std::move(tensor));
  }
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
    const size_t row_bytes = GgmlRowBytes(entry.type, tensor.columns());
    const auto columns = static_cast<size_t>(tensor.columns());
    const auto out = data.span().subspan(static_cast<size_t>(layout.tensors[i].offset),
                                         static_cast<size_t>(layout.tensors[i].size));
    for (int64_t row = 0; row < tensor.rows(); ++row) {
      DecodeRow(entry.type, entry.bytes.data() + static_cast<size_t>(row) * row_bytes,
                out.subspan(static_cast<size_t>(tensor.SourceRow(row)) * columns, columns));
    }
    file.map().Release(entry.bytes);
  }
  return data;
}

}  // namespace hone
