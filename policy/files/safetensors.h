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
#include "common/hash.h"
#include "policy/files/float_types.h"

namespace hone {

struct SafetensorsEntry {
  std::string dtype;  // "F32", "BF16", "F16", …
  std::vector<int64_t> shape;
  std::span<const std::byte> bytes;  // into the map
};

// A memory-mapped, fully validated file: what the format's own crate refuses is refused, and more
// (docs/export.md). Throws FileError when the header is over 100,000,000 bytes, is longer than the
// file, is no JSON object, repeats a key, or when offsets lie, overlap, leave holes, do not match
// dtype and shape (products checked), or do not end where the file ends.
class SafetensorsFile {
 public:
  explicit SafetensorsFile(const std::filesystem::path& path);
  const std::map<std::string, SafetensorsEntry>& entries() const { return entries_; }
  const std::map<std::string, std::string>& metadata() const { return metadata_; }
  const std::filesystem::path& path() const { return path_; }
  const MappedFile& map() const { return file_; }

 private:
  std::filesystem::path path_;
  MappedFile file_;
  std::map<std::string, SafetensorsEntry> entries_;
  std::map<std::string, std::string> metadata_;
};

// Widens an F32, F16 or BF16 entry to fp32, and adds what it wrote to `hasher` where there is one.
// The map's pages leave memory as they are read. Throws FileError for another dtype or a wrong
// count. Thread contract: several threads may read from one file.
void ReadFloats(const SafetensorsFile& file, const std::string& name, std::span<float> out,
                Hasher* hasher = nullptr);

struct SafetensorsTensor {
  std::string name;
  std::vector<int64_t> shape;
  std::span<const float> data;
};

// Writes tensors of one type in the order given, synced; fp32 is narrowed on the way. Throws
// RunError.
void WriteSafetensors(const std::filesystem::path& path, std::span<const SafetensorsTensor> tensors,
                      const std::map<std::string, std::string>& metadata,
                      FloatType type = FloatType::kF32);

}  // namespace hone
