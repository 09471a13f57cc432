// safetensors: 8 bytes of header length, a JSON header, the data.
// Format: https://github.com/huggingface/safetensors (README, "Format").
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "common/file.h"

namespace hone {

struct SafetensorsEntry {
  std::string dtype;  // "F32", "BF16", "F16", …
  std::vector<int64_t> shape;
  std::span<const std::byte> bytes;  // into the map
};

// A memory-mapped, fully validated file. Throws FileError when the header is over 100,000,000
// bytes, is longer than the file, is no JSON object, repeats a key, or when offsets lie, overlap,
// leave holes, do not match dtype and shape (products checked), or do not end where the file ends.
class SafetensorsFile {
 public:
  explicit SafetensorsFile(const std::filesystem::path& path);
  const std::map<std::string, SafetensorsEntry>& entries() const { return entries_; }
  const std::map<std::string, std::string>& metadata() const { return metadata_; }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
  MappedFile file_;
  std::map<std::string, SafetensorsEntry> entries_;
  std::map<std::string, std::string> metadata_;
};

// Widens an F32, F16 or BF16 entry to fp32. Throws FileError for another dtype or a wrong count.
void ReadFloats(const SafetensorsFile& file, const std::string& name, std::span<float> out);

struct SafetensorsTensor {
  std::string name;
  std::vector<int64_t> shape;
  std::span<const float> data;
};

// Writes F32 tensors in the order given, synced. Throws RunError.
void WriteSafetensors(const std::filesystem::path& path, std::span<const SafetensorsTensor> tensors,
                      const std::map<std::string, std::string>& metadata);

}  // namespace hone
