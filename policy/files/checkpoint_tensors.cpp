#include "policy/files/checkpoint_tensors.h"

#include <fmt/format.h>

#include <map>
#include <set>
#include <string>
#include <vector>

#include "common/error.h"
#include "common/json.h"
#include "policy/files/safetensors.h"

namespace hone {
namespace fs = std::filesystem;
namespace {

std::string Quote(const std::string& text) { return Dump(Json(text)); }
std::string Named(const std::string& tensor) { return fmt::format("tensor {}", Quote(tensor)); }

// Open files, and which of them holds a tensor.
struct Shards {
  std::vector<std::unique_ptr<SafetensorsFile>> files;
  std::map<std::string, const SafetensorsFile*> owner;
};

// Tensor name to file name. A file name must be plain: an index must not reach out of its folder.
std::map<std::string, std::string> ReadIndex(const fs::path& path) {
  const Json json = ReadJson(path);
  if (!json.is_object() || !json.contains("weight_map") || !json["weight_map"].is_object()) {
    throw FileError(path.string(), "weight_map",
                    "expected an object of tensor names and file names");
  }
  std::map<std::string, std::string> index;
  for (const auto& [tensor, file] : json["weight_map"].items()) {
    const std::string name = file.is_string() ? file.get<std::string>() : "";
    const bool plain = name.ends_with(".safetensors") &&
                       name.find_first_of(std::string("/\\\0", 3)) == std::string::npos;
    if (!plain) {
      throw FileError(
          path.string(), "weight_map",
          fmt::format(
              "expected for {} the name of a .safetensors file in the same folder, found {}",
              Quote(tensor), Dump(file)));
    }
    index[tensor] = name;
  }
  return index;
}

Shards OpenShards(const fs::path& folder) {
  const fs::path single = folder / "model.safetensors",
                 index_json = folder / "model.safetensors.index.json";
  Shards shards;
  if (fs::exists(single) || !fs::exists(index_json)) {
    shards.files.push_back(std::make_unique<SafetensorsFile>(single));
    for (const auto& [name, entry] : shards.files[0]->entries())
      shards.owner[name] = shards.files[0].get();
    return shards;
  }
  const std::map<std::string, std::string> index = ReadIndex(index_json);
  std::set<std::string> names;
  for (const auto& [tensor, name] : index) names.insert(name);
  for (const std::string& name : names) {
    shards.files.push_back(std::make_unique<SafetensorsFile>(folder / name));
    for (const auto& [tensor, entry] : shards.files.back()->entries()) {
      const auto listed = index.find(tensor);
      if (listed == index.end() || listed->second != name) {
        throw FileError((folder / name).string(), Named(tensor),
                        "the index does not list it in this file");
      }
      shards.owner[tensor] = shards.files.back().get();
    }
  }
  for (const auto& [tensor, name] : index) {
    if (!shards.owner.contains(tensor)) {
      throw FileError((folder / name).string(), Named(tensor),
                      "is missing, though the index lists it here");
    }
  }
  return shards;
}

// What may stand in a file beside the layout: the head that tied embeddings stand for, and the
// tables of rotary embedding that old versions of transformers saved.
bool MayBeIgnored(const std::string& tensor, const ModelConfig& config) {
  return (config.tie_word_embeddings && tensor == "lm_head.weight") ||
         tensor.ends_with("rotary_emb.inv_freq");
}

void CheckTensors(const Shards& shards, const fs::path& folder, const ModelConfig& config,
                  const WeightsLayout& layout) {
  std::set<std::string> wanted;
  for (const TensorSpec& spec : layout.tensors) {
    wanted.insert(spec.name);
    const auto owner = shards.owner.find(spec.name);
    if (owner == shards.owner.end()) {
      const fs::path& path = shards.files.size() == 1 ? shards.files[0]->path() : folder;
      throw FileError(path.string(), Named(spec.name), "is missing");
    }
    const SafetensorsEntry& entry = owner->second->entries().at(spec.name);
    if (entry.shape != spec.shape) {
      throw FileError(owner->second->path().string(), Named(spec.name),
                      fmt::format("has the shape [{}], config.json asks for [{}]",
                                  fmt::join(entry.shape, ", "), fmt::join(spec.shape, ", ")));
    }
  }
  for (const auto& [tensor, file] : shards.owner) {
    if (!wanted.contains(tensor) && !MayBeIgnored(tensor, config)) {
      throw FileError(file->path().string(), Named(tensor),
                      fmt::format("is no part of a {}", config.architecture));
    }
  }
}

}  // namespace

std::shared_ptr<const Weights> ReadWeights(const fs::path& folder, const ModelConfig& config,
                                           const WeightsLayout& layout) {
  const Shards shards = OpenShards(folder);
  CheckTensors(shards, folder, config, layout);
  Buffer<float> data(static_cast<size_t>(layout.size));
  for (const TensorSpec& spec : layout.tensors) {
    ReadFloats(
        *shards.owner.at(spec.name), spec.name,
        data.span().subspan(static_cast<size_t>(spec.offset), static_cast<size_t>(spec.size)));
  }
  return MakeWeights(layout, std::move(data), 0);
}

}  // namespace hone
