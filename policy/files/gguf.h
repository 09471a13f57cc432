// GGUF, version 3: metadata, a table of tensors, the data; little-endian.
// Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "common/file.h"
#include "policy/files/ggml_types.h"

namespace hone {

// The types of value that an exported policy needs.
using GgufValue = std::variant<uint32_t, float, bool, std::string, std::vector<int32_t>,
                               std::vector<float>, std::vector<std::string>>;
using GgufMetadata = std::vector<std::pair<std::string, GgufValue>>;  // as written

// A tensor to write.
struct GgufTensor {
  std::string name;
  // [rows, columns], [columns] or [matrices, rows, columns]; the file holds it reversed.
  std::vector<int64_t> shape;
  GgmlType type = GgmlType::kF32;
  std::span<const float> data;
  // Rows of a head whose two halves the file holds in turn (row 0, row half, row 1, …), as
  // llama.cpp's rotary embedding of its "llama" turns neighbours; 0: rows as they are.
  int64_t interleaved_head = 0;
  float offset = 0;                                      // added to every number in the file
  std::shared_ptr<const std::vector<float>> owner = {};  // of `data`, where no layout has it
  int64_t begin = -1;  // of `data` in the flat array of a policy; -1: it has none there
  // Of matrices that the file stacks and the array has apart (experts): where the next one begins.
  int64_t stride = 0;

  // A vector is one row; one whose numbers belong to rows that are interleaved is a column.
  int64_t columns() const { return shape.size() == 1 && interleaved_head > 0 ? 1 : shape.back(); }
  int64_t rows() const;
  int64_t SourceRow(int64_t row) const;  // which row of its matrix the file's `row` is
  size_t SourceAt(int64_t row) const;    // where in `data` it begins
  // Numbers of `data` as the file's type will hold them; with an offset, in `scratch`.
  std::span<const float> Shifted(std::span<const float> numbers, std::vector<float>* scratch) const;
};

// Writes a whole file, synced. Throws RunError.
void WriteGguf(const std::filesystem::path& path, const GgufMetadata& metadata,
               std::span<const GgufTensor> tensors);

struct GgufEntry {
  GgmlType type;
  std::vector<int64_t> shape;        // rows first
  std::span<const std::byte> bytes;  // into the map
};

// A memory-mapped, fully validated file. Reads what WriteGguf writes, and is strict: throws
// FileError for another version, type of value or type of tensor; a key or tensor twice; lengths,
// counts or products beyond the file; tensors that do not follow one another at the alignment; and
// bytes behind the last.
class GgufFile {
 public:
  explicit GgufFile(const std::filesystem::path& path);
  const GgufMetadata& metadata() const { return metadata_; }
  const std::map<std::string, GgufEntry>& entries() const { return entries_; }
  const std::filesystem::path& path() const { return path_; }
  const MappedFile& map() const { return file_; }

 private:
  std::filesystem::path path_;
  MappedFile file_;
  GgufMetadata metadata_;
  std::map<std::string, GgufEntry> entries_;
};

}  // namespace hone
