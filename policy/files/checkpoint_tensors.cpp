#include "policy/files/checkpoint_tensors.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <numeric>
#include <set>
#include <string>
#include <vector>

#include "common/error.h"
#include "common/file.h"
#include "common/json.h"
#include "common/thread_pool.h"
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

// The keys of an index must differ; of two alike, readers differ in which they take.
Json ReadIndexJson(const fs::path& path) {
  static_cast<void>(ReadJson(path));        // it is JSON, and not too deep
  std::vector<std::set<std::string>> keys;  // of the objects around
  return Json::parse(ReadFile(path), [&](int, Json::parse_event_t event, const Json& parsed) {
    if (event == Json::parse_event_t::object_start) keys.emplace_back();
    if (event == Json::parse_event_t::object_end) keys.pop_back();
    if (event == Json::parse_event_t::key && !keys.back().insert(parsed.get<std::string>()).second)
      throw FileError(path.string(), Dump(parsed), "this key stands here twice");
    return true;
  });
}

// Tensor name to file name. A file name must be plain: an index must not reach out of its folder.
std::map<std::string, std::string> ReadIndex(const fs::path& path) {
  const Json json = ReadIndexJson(path);
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

// Large tensors first, so that no thread is left alone with one at the end.
std::vector<size_t> BySize(const WeightsLayout& layout) {
  std::vector<size_t> order(layout.tensors.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return layout.tensors[a].size > layout.tensors[b].size;
  });
  return order;
}

// The gaps between tensors, which no file holds.
void ClearGaps(const WeightsLayout& layout, std::span<float> data) {
  for (size_t i = 0; i < layout.tensors.size(); ++i) {
    const TensorSpec& tensor = layout.tensors[i];
    const int64_t next = i + 1 < layout.tensors.size() ? layout.tensors[i + 1].offset : layout.size;
    std::fill(data.begin() + tensor.offset + tensor.size, data.begin() + next, 0.0f);
  }
}

}  // namespace

std::shared_ptr<const Weights> ReadWeights(const fs::path& folder, const ModelConfig& config,
                                           const WeightsLayout& layout, int threads) {
  const Shards shards = OpenShards(folder);
  CheckTensors(shards, folder, config, layout);
  Buffer<float> data;
  data.Reserve(static_cast<size_t>(layout.size));  // each page is first touched by who fills it
  ClearGaps(layout, data.span());
  const std::vector<size_t> order = BySize(layout);
  std::vector<Hash128> hashes(layout.tensors.size());
  std::atomic<size_t> next{0};
  ThreadPool pool(threads);
  pool.For(pool.threads(), 1, [&](int64_t, int64_t) {
    for (size_t at; (at = next++) < order.size();) {
      const TensorSpec& spec = layout.tensors[order[at]];
      Hasher hasher;
      ReadFloats(
          *shards.owner.at(spec.name), spec.name,
          data.span().subspan(static_cast<size_t>(spec.offset), static_cast<size_t>(spec.size)),
          &hasher);
      hashes[order[at]] = hasher.Digest();
    }
  });
  return MakeWeights(layout, std::move(data), 0, Fingerprint(layout, hashes));
}

void WriteWeights(const fs::path& folder, const WeightsLayout& layout, std::span<const float> data,
                  const WeightsFormat& format) {
  std::vector<std::vector<SafetensorsTensor>> shards(1);
  uint64_t shard_bytes = 0, total_bytes = 0;
  for (const TensorSpec& spec : layout.tensors) {
    const uint64_t bytes = static_cast<uint64_t>(spec.size) * FloatTypeBytes(format.type);
    if (!shards.back().empty() && bytes > format.max_shard_bytes - shard_bytes) {
      shards.emplace_back();
      shard_bytes = 0;
    }
    shards.back().push_back(
        {spec.name, spec.shape,
         data.subspan(static_cast<size_t>(spec.offset), static_cast<size_t>(spec.size))});
    shard_bytes = std::min(shard_bytes + bytes, format.max_shard_bytes);
    total_bytes += bytes;
  }
  OrderedJson index = {{"metadata", {{"total_size", total_bytes}}}};
  for (size_t i = 0; i < shards.size(); ++i) {
    const std::string name =
        shards.size() == 1 ? "model.safetensors"
                           : fmt::format("model-{:05}-of-{:05}.safetensors", i + 1, shards.size());
    WriteSafetensors(folder / name, shards[i], {{"format", "pt"}}, format.type);
    for (const SafetensorsTensor& tensor : shards[i]) index["weight_map"][tensor.name] = name;
  }
  if (shards.size() == 1) return;
  FileWriter writer(folder / "model.safetensors.index.json");
  writer.Write(index.dump(2) + "\n");
  writer.Close();
}

}  // namespace hone
