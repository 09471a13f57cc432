#include <fmt/format.h>

#include <cstring>
#include <set>

#include "common/error.h"
#include "common/json.h"
#include "policy/files/gguf.h"
#include "policy/files/gguf_format.h"

namespace hone {
namespace {

constexpr uint64_t kMostTensors = 1 << 17;
constexpr uint64_t kMostKeys = 1 << 16;
constexpr size_t kLongestName = 256;                   // bytes of a key or a tensor's name
constexpr uint64_t kMostElements = uint64_t{1} << 44;  // of a tensor
constexpr uint32_t kMostAxes = 4;

std::string Quote(const std::string& text) { return Dump(Json(text)); }

// Walks through the head of a file; never past its end.
class HeadReader {
 public:
  HeadReader(std::span<const std::byte> bytes, const std::string& path)
      : bytes_(bytes), path_(path) {}

  [[noreturn]] void Fail(const std::string& message) const {
    throw FileError(path_, fmt::format("byte {}", at_), message);
  }

  template <class Number>
  Number Get() {
    Number number;
    if (left() < sizeof(number)) Fail("the file is cut off");
    std::memcpy(&number, bytes_.data() + at_, sizeof(number));
    at_ += sizeof(number);
    return number;
  }
  std::string GetString(size_t longest) {
    const auto length = Get<uint64_t>();
    if (length > left() || length > longest) Fail(fmt::format("a text of {} bytes", length));
    std::string text(reinterpret_cast<const char*>(bytes_.data()) + at_, length);
    at_ += length;
    return text;
  }
  uint64_t GetCount(uint64_t most, uint64_t least_bytes, const char* what) {
    const auto count = Get<uint64_t>();
    // An array that is longer than the file could be takes no memory first.
    if (count > most || count > left() / least_bytes) Fail(fmt::format("{} {}", count, what));
    return count;
  }
  GgufValue GetValue() {
    switch (static_cast<GgufType>(Get<uint32_t>())) {
      case GgufType::kUint32:
        return Get<uint32_t>();
      case GgufType::kFloat32:
        return Get<float>();
      case GgufType::kBool: {
        const auto byte = Get<uint8_t>();
        if (byte > 1) Fail(fmt::format("a bool of value {}", byte));
        return byte == 1;
      }
      case GgufType::kString:
        return GetString(left());
      case GgufType::kArray:
        return GetArray();
      default:
        Fail("a value of a type that hone does not write");
    }
  }
  // Goes on to the data, over bytes that are zero.
  void Align() {
    while (at_ % kGgufAlignment != 0) {
      if (Get<uint8_t>() != 0) Fail("expected zeros up to the data");
    }
  }
  size_t at() const { return at_; }

 private:
  size_t left() const { return bytes_.size() - at_; }
  template <class Number>
  std::vector<Number> GetNumbers() {
    std::vector<Number> values(GetCount(UINT64_MAX, sizeof(Number), "numbers in an array"));
    for (Number& value : values) value = Get<Number>();
    return values;
  }
  GgufValue GetArray() {
    const auto type = static_cast<GgufType>(Get<uint32_t>());
    if (type == GgufType::kInt32) return GetNumbers<int32_t>();
    if (type == GgufType::kFloat32) return GetNumbers<float>();
    if (type != GgufType::kString) Fail("an array of a type that hone does not write");
    std::vector<std::string> values(GetCount(UINT64_MAX, sizeof(uint64_t), "texts in an array"));
    for (std::string& value : values) value = GetString(left());
    return values;
  }

  std::span<const std::byte> bytes_;
  std::string path_;
  size_t at_ = 0;
};

struct TableRow {
  std::string name;
  GgufEntry entry;
  uint64_t offset = 0, bytes = 0;
};

TableRow ReadTableRow(HeadReader* head) {
  TableRow row;
  row.name = head->GetString(kLongestName);
  const auto axes = head->Get<uint32_t>();
  if (axes < 1 || axes > kMostAxes) head->Fail(fmt::format("a tensor of {} axes", axes));
  uint64_t elements = 1;
  for (uint32_t i = 0; i < axes; ++i) {
    const auto size = head->Get<uint64_t>();
    if (size == 0 || size > kMostElements || elements > kMostElements / size)
      head->Fail(fmt::format("the shape of tensor {} is empty or too large", Quote(row.name)));
    elements *= size;
    row.entry.shape.insert(row.entry.shape.begin(), static_cast<int64_t>(size));
  }
  const auto type = head->Get<uint32_t>();
  if (!IsGgmlType(type))
    head->Fail(fmt::format("tensor {} has the type {}", Quote(row.name), type));
  row.entry.type = static_cast<GgmlType>(type);
  const int64_t columns = row.entry.shape.back();
  if (columns % GgmlBlock(row.entry.type) != 0) {
    head->Fail(fmt::format("tensor {}: rows of {} numbers are no whole blocks of {}",
                           Quote(row.name), columns, GgmlTypeName(row.entry.type)));
  }
  row.bytes = elements / static_cast<uint64_t>(columns) * GgmlRowBytes(row.entry.type, columns);
  row.offset = head->Get<uint64_t>();
  return row;
}

}  // namespace

GgufFile::GgufFile(const std::filesystem::path& path) : path_(path), file_(path) {
  HeadReader head(file_.bytes(), path.string());
  if (head.Get<uint32_t>() != kGgufMagic) head.Fail("does not begin with \"GGUF\"");
  if (const auto version = head.Get<uint32_t>(); version != kGgufVersion)
    head.Fail(fmt::format("version {}, expected {}", version, kGgufVersion));
  const uint64_t tensors = head.GetCount(kMostTensors, 1, "tensors");
  const uint64_t keys = head.GetCount(kMostKeys, 1, "keys");
  std::set<std::string> seen;
  for (uint64_t i = 0; i < keys; ++i) {
    std::string key = head.GetString(kLongestName);
    if (!seen.insert(key).second)
      head.Fail(fmt::format("the key {} stands here twice", Quote(key)));
    if (key == "general.alignment") head.Fail("another alignment than the default");
    metadata_.emplace_back(std::move(key), head.GetValue());
  }
  std::vector<TableRow> table;
  for (uint64_t i = 0; i < tensors; ++i) table.push_back(ReadTableRow(&head));
  head.Align();
  const std::span<const std::byte> data = file_.bytes().subspan(head.at());
  uint64_t end = 0;
  for (TableRow& row : table) {
    const std::string where = fmt::format("tensor {}", Quote(row.name));
    if (row.offset != end) {
      throw FileError(path.string(), where,
                      fmt::format("begins at {}, expected {}", row.offset, end));
    }
    if (AlignUp(row.bytes) > data.size() - end)
      throw FileError(path.string(), where, "ends beyond the file");
    row.entry.bytes = data.subspan(end, row.bytes);
    end += AlignUp(row.bytes);
    if (!entries_.emplace(std::move(row.name), std::move(row.entry)).second)
      throw FileError(path.string(), where, "stands here twice");
  }
  if (end != data.size()) {
    throw FileError(path.string(), "",
                    fmt::format("{} bytes of data follow the last tensor", data.size() - end));
  }
}

}  // namespace hone
