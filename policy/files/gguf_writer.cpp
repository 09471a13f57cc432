#include <algorithm>
#include <bit>
#include <type_traits>

#include "policy/files/gguf.h"
#include "policy/files/gguf_format.h"

namespace hone {
namespace {

static_assert(std::endian::native == std::endian::little, "GGUF is little-endian");

constexpr size_t kBuffer = size_t{1} << 20;  // bytes of rows written at once

// The head of the file, built up in memory.
class HeadBuilder {
 public:
  template <class Number>
  void Add(Number number) {
    static_assert(std::is_arithmetic_v<Number>);
    bytes_.append(reinterpret_cast<const char*>(&number), sizeof(number));
  }
  void Add(const std::string& text) {
    Add(static_cast<uint64_t>(text.size()));
    bytes_ += text;
  }
  void Add(const GgufValue& value) {
    Add(static_cast<uint32_t>(TypeOf(value)));
    std::visit([this](const auto& inner) { AddInner(inner); }, value);
  }
  void Pad() { bytes_.resize(AlignUp(bytes_.size())); }
  const std::string& bytes() const { return bytes_; }

 private:
  static GgufType TypeOf(const GgufValue& value) {
    constexpr GgufType kTypes[] = {GgufType::kUint32, GgufType::kFloat32, GgufType::kBool,
                                   GgufType::kString, GgufType::kArray,   GgufType::kArray,
                                   GgufType::kArray};
    return kTypes[value.index()];
  }
  void AddInner(bool value) { Add(static_cast<uint8_t>(value)); }
  void AddInner(uint32_t value) { Add(value); }
  void AddInner(float value) { Add(value); }
  void AddInner(const std::string& value) { Add(value); }
  void AddInner(const std::vector<int32_t>& values) { AddArray(GgufType::kInt32, values); }
  void AddInner(const std::vector<float>& values) { AddArray(GgufType::kFloat32, values); }
  void AddInner(const std::vector<std::string>& values) { AddArray(GgufType::kString, values); }
  template <class Values>
  void AddArray(GgufType type, const Values& values) {
    Add(static_cast<uint32_t>(type));
    Add(static_cast<uint64_t>(values.size()));
    for (const auto& value : values) Add(value);
  }

  std::string bytes_;
};

uint64_t BytesOf(const GgufTensor& tensor) {
  return static_cast<uint64_t>(tensor.rows()) * GgmlRowBytes(tensor.type, tensor.columns());
}

void WriteRows(const GgufTensor& tensor, FileWriter* writer) {
  const size_t row_bytes = GgmlRowBytes(tensor.type, tensor.columns());
  const auto columns = static_cast<size_t>(tensor.columns());
  const int64_t at_once = static_cast<int64_t>(std::max<size_t>(1, kBuffer / row_bytes));
  std::vector<std::byte> buffer(row_bytes * static_cast<size_t>(std::min(at_once, tensor.rows())));
  std::vector<float> shifted;
  for (int64_t first = 0; first < tensor.rows(); first += at_once) {
    const int64_t rows = std::min(at_once, tensor.rows() - first);
    for (int64_t r = 0; r < rows; ++r) {
      const auto row = tensor.data.subspan(tensor.SourceAt(first + r), columns);
      EncodeRow(tensor.type, tensor.Shifted(row, &shifted),
                buffer.data() + static_cast<size_t>(r) * row_bytes);
    }
    writer->Write(buffer.data(), static_cast<size_t>(rows) * row_bytes);
  }
  const uint64_t bytes = BytesOf(tensor);
  writer->Write(std::string(AlignUp(bytes) - bytes, '\0'));
}

}  // namespace

int64_t GgufTensor::rows() const {
  if (shape.size() == 1) return interleaved_head > 0 ? shape[0] : 1;
  return shape.size() == 2 ? shape[0] : shape[0] * shape[1];
}

int64_t GgufTensor::SourceRow(int64_t row) const {
  if (interleaved_head == 0) return row;
  const int64_t head = row / interleaved_head, within = row % interleaved_head;
  return head * interleaved_head + within % 2 * (interleaved_head / 2) + within / 2;
}

size_t GgufTensor::SourceAt(int64_t row) const {
  const int64_t matrix = shape.size() == 3 ? row / shape[1] : 0,
                within = shape.size() == 3 ? row % shape[1] : row;
  return static_cast<size_t>(matrix * stride + SourceRow(within) * columns());
}

std::span<const float> GgufTensor::Shifted(std::span<const float> numbers,
                                           std::vector<float>* scratch) const {
  if (offset == 0) return numbers;
  scratch->assign(numbers.begin(), numbers.end());
  for (float& number : *scratch) number += offset;
  return *scratch;
}

void WriteGguf(const std::filesystem::path& path, const GgufMetadata& metadata,
               std::span<const GgufTensor> tensors) {
  HeadBuilder head;
  head.Add(kGgufMagic);
  head.Add(kGgufVersion);
  head.Add(static_cast<uint64_t>(tensors.size()));
  head.Add(static_cast<uint64_t>(metadata.size()));
  for (const auto& [key, value] : metadata) {
    head.Add(key);
    head.Add(value);
  }
  uint64_t offset = 0;
  for (const GgufTensor& tensor : tensors) {
    head.Add(tensor.name);
    head.Add(static_cast<uint32_t>(tensor.shape.size()));
    for (auto size = tensor.shape.rbegin(); size != tensor.shape.rend(); ++size)
      head.Add(static_cast<uint64_t>(*size));
    head.Add(static_cast<uint32_t>(tensor.type));
    head.Add(offset);
    offset += AlignUp(BytesOf(tensor));
  }
  head.Pad();
  FileWriter writer(path);
  writer.Write(head.bytes());
  for (const GgufTensor& tensor : tensors) WriteRows(tensor, &writer);
  writer.Close();
}

}  // namespace hone
