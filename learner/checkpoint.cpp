#include "learner/checkpoint.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "common/error.h"
#include "common/file.h"
#include "common/json.h"
#include "learner/checkpoints.h"
#include "policy/files/safetensors.h"

namespace hone {
namespace fs = std::filesystem;
namespace {

constexpr int kFormat = 1;
constexpr const char* kManifest = "trainer/manifest.json";

void WriteText(const fs::path& path, const std::string& text) {
  FileWriter writer(path);
  writer.Write(text);
  writer.Close();
}

// The manifest of a folder's files as they are now, as text. Canonical: the same files give the
// same text.
std::string ManifestOf(const fs::path& folder) {
  Json files = Json::object();
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    const std::string name = fs::relative(entry.path(), folder).generic_string();
    if (!entry.is_regular_file() || name == kManifest) continue;
    files[name] = {{"bytes", entry.file_size()}, {"xxh3_128", HashFile(entry.path()).Hex()}};
  }
  return Dump(Json{{"files", files}, {"format", kFormat}}) + "\n";
}

struct Moment {
  const char* prefix;
  std::span<const float> values;
};

void WriteOptimizer(const fs::path& path, const WeightsLayout& layout, std::span<const float> m,
                    std::span<const float> v) {
  std::vector<SafetensorsTensor> tensors;
  for (const Moment& moment : {Moment{"exp_avg.", m}, Moment{"exp_avg_sq.", v}}) {
    for (const TensorSpec& tensor : layout.tensors) {
      tensors.push_back({moment.prefix + tensor.name, tensor.shape,
                         moment.values.subspan(static_cast<size_t>(tensor.offset),
                                               static_cast<size_t>(tensor.size))});
    }
  }
  WriteSafetensors(path, tensors, {});
}

void ReadMoments(const SafetensorsFile& file, const WeightsLayout& layout,
                 const std::string& prefix, std::span<float> values) {
  for (const TensorSpec& tensor : layout.tensors) {
    const std::string name = prefix + tensor.name;
    const auto found = file.entries().find(name);
    if (found == file.entries().end() || found->second.shape != tensor.shape) {
      throw FileError(file.path().string(), "tensor " + name,
                      "expected the model's shape, found another or none");
    }
    ReadFloats(
        file, name,
        values.subspan(static_cast<size_t>(tensor.offset), static_cast<size_t>(tensor.size)));
  }
}

LearnerState ReadState(const fs::path& path) {
  const Json json = ReadJson(path);
  LearnerState state;
  try {
    if (json.at("format").get<int>() != kFormat) {
      throw FileError(path.string(), "format", fmt::format("expected {}", kFormat));
    }
    state.step = json.at("step").get<uint64_t>();
    state.batches = json.at("batches").get<uint64_t>();
    state.num_tokens = json.at("num_tokens").get<uint64_t>();
  } catch (const Json::exception& error) {
    throw FileError(path.string(), "", fmt::format("is no checkpoint's state: {}", error.what()));
  }
  return state;
}

bool SameLayout(const WeightsLayout& a, const WeightsLayout& b) {
  return std::equal(a.tensors.begin(), a.tensors.end(), b.tensors.begin(), b.tensors.end(),
                    [](const TensorSpec& x, const TensorSpec& y) {
                      return x.name == y.name && x.shape == y.shape;
                    });
}

}  // namespace

void SaveCheckpoint(const fs::path& folder, const ModelFolder& model, const Weights& weights,
                    std::span<const float> m, std::span<const float> v, const LearnerState& state) {
  WriteFolderAtomically(folder, [&](const fs::path& staged) {
    WriteModelFiles(staged, model, model.layout, weights.data);
    const fs::path trainer = staged / "trainer";
    fs::create_directory(trainer);
    WriteOptimizer(trainer / "optimizer.safetensors", model.layout, m, v);
    WriteText(trainer / "state.json", Dump(Json{{"format", kFormat},
                                                {"step", state.step},
                                                {"batches", state.batches},
                                                {"num_tokens", state.num_tokens}}) +
                                          "\n");
    WriteText(staged / kManifest, ManifestOf(staged));
  });
}

void VerifyCheckpoint(const fs::path& checkpoint) {
  const fs::path path = checkpoint / kManifest;
  const std::string text = ReadFile(path);
  const Json manifest = ReadJson(path);
  try {
    // Whatever differs from the one way a manifest is written has been changed since.
    if (manifest.at("format").get<int>() != kFormat || Dump(manifest) + "\n" != text) {
      throw FileError(path.string(), "", "differs from what was written");
    }
    for (const auto& [name, entry] : manifest.at("files").items()) {
      const fs::path file = checkpoint / name;
      const auto bytes = entry.at("bytes").get<uint64_t>();
      if (!fs::is_regular_file(file)) throw FileError(file.string(), "", "is missing");
      if (fs::file_size(file) != bytes) {
        throw FileError(file.string(), "",
                        fmt::format("expected {} bytes as the manifest says, found {}", bytes,
                                    fs::file_size(file)));
      }
      if (HashFile(file).Hex() != entry.at("xxh3_128").get<std::string>()) {
        throw FileError((checkpoint / name).string(), "",
                        "differs from the hash in the checkpoint's manifest");
      }
    }
  } catch (const Json::exception& error) {
    throw FileError(path.string(), "", fmt::format("is no manifest: {}", error.what()));
  }
}

std::shared_ptr<const Weights> LoadCheckpoint(const fs::path& folder, const ModelFolder& model,
                                              std::span<float> m, std::span<float> v,
                                              LearnerState* state) {
  VerifyCheckpoint(folder);
  const ModelFolder loaded = LoadModelFolder(folder);
  if (!SameLayout(loaded.layout, model.layout)) {
    throw FileError(
        folder.string(), "",
        fmt::format("was saved from a model of another shape than {}", model.path.string()));
  }
  const SafetensorsFile optimizer(folder / "trainer" / "optimizer.safetensors");
  ReadMoments(optimizer, model.layout, "exp_avg.", m);
  ReadMoments(optimizer, model.layout, "exp_avg_sq.", v);
  *state = ReadState(folder / "trainer" / "state.json");
  auto weights = std::make_shared<Weights>(*loaded.weights);
  weights->version = state->step;
  return weights;
}

}  // namespace hone
