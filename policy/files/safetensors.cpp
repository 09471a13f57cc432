#include "policy/files/safetensors.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "common/error.h"
#include "common/json.h"
#include "policy/files/safetensors_header.h"

namespace hone {
namespace {

static_assert(std::endian::native == std::endian::little, "safetensors is little-endian");

constexpr size_t kLengthBytes = 8;
constexpr uint64_t kMostHeaderBytes = 100'000'000;

std::string_view HeaderOf(std::span<const std::byte> bytes, const std::string& path) {
  if (bytes.size() < kLengthBytes) {
    throw FileError(
        path, "",
        fmt::format("a safetensors file has at least 8 bytes, this has {}", bytes.size()));
  }
  uint64_t length;
  std::memcpy(&length, bytes.data(), kLengthBytes);
  if (length > kMostHeaderBytes) {
    throw FileError(path, "byte 0",
                    fmt::format("the header would have {} bytes, at most {} are allowed", length,
                                kMostHeaderBytes));
  }
  if (length > bytes.size() - kLengthBytes) {
    throw FileError(
        path, "byte 0",
        fmt::format("the header would have {} bytes, the file has {} after its length: it "
                    "is cut off, or no safetensors file",
                    length, bytes.size() - kLengthBytes));
  }
  const std::string_view header(reinterpret_cast<const char*>(bytes.data()) + kLengthBytes, length);
  if (!header.starts_with('{'))
    throw FileError(path, "byte 8", "the header does not begin with '{'");
  return header;
}

// Bytes that dtype and shape call for. Throws FileError when that is no number of 63 bits.
uint64_t SizeOf(const SafetensorsHeader::Tensor& tensor, const std::string& path) {
  const std::string where = fmt::format("tensor {}", Dump(Json(tensor.name)));
  int64_t size = SafetensorsDtypeSize(tensor.dtype);
  if (size == 0)
    throw FileError(path, where,
                    fmt::format("the dtype {} is not supported", Dump(Json(tensor.dtype))));
  int64_t elements = 1;
  bool overflow = false;
  for (const int64_t axis : tensor.shape)
    overflow |= __builtin_mul_overflow(elements, axis, &elements);
  overflow |= __builtin_mul_overflow(elements, size, &size);
  if (overflow)
    throw FileError(path, where,
                    fmt::format("the shape [{}] is too large", fmt::join(tensor.shape, ", ")));
  return static_cast<uint64_t>(size);
}

// The tensors must tile the data: each begins where the one before it ends, the last ends with the
// file.
void CheckTiling(std::vector<SafetensorsHeader::Tensor>* tensors, uint64_t data_bytes,
                 const std::string& path) {
  std::sort(tensors->begin(), tensors->end(), [](const auto& a, const auto& b) {
    return std::tie(a.begin, a.end) < std::tie(b.begin, b.end);
  });
  uint64_t end = 0;
  for (const auto& tensor : *tensors) {
    const std::string where = fmt::format("tensor {}", Dump(Json(tensor.name)));
    if (tensor.end < tensor.begin || tensor.end > data_bytes) {
      throw FileError(path, where,
                      fmt::format("data_offsets [{}, {}] do not lie in the {} bytes of data",
                                  tensor.begin, tensor.end, data_bytes));
    }
    if (tensor.begin != end) {
      throw FileError(path, where,
                      fmt::format("data begins at {}, expected {}: tensors {}", tensor.begin, end,
                                  tensor.begin < end ? "overlap" : "leave a hole"));
    }
    const uint64_t size = SizeOf(tensor, path);
    if (tensor.end - tensor.begin != size) {
      throw FileError(
          path, where,
          fmt::format("data_offsets give {} bytes, {} [{}] needs {}", tensor.end - tensor.begin,
                      tensor.dtype, fmt::join(tensor.shape, ", "), size));
    }
    end = tensor.end;
  }
  if (end != data_bytes) {
    throw FileError(path, "",
                    fmt::format("{} bytes of data follow the last tensor", data_bytes - end));
  }
}

float WidenHalf(uint16_t half) {
  const uint32_t sign = static_cast<uint32_t>(half & 0x8000) << 16;
  const uint32_t exponent = half >> 10 & 0x1F, fraction = half & 0x3FF;
  if (exponent == 0) {  // zero or subnormal: fraction × 2^-24, exact in fp32
    return std::bit_cast<float>(sign |
                                std::bit_cast<uint32_t>(static_cast<float>(fraction) * 0x1p-24f));
  }
  const uint32_t wide = exponent == 0x1F ? 0xFF : exponent + 112;
  return std::bit_cast<float>(sign | wide << 23 | fraction << 13);
}

uint16_t Load16(const std::byte* at) {
  uint16_t value;
  std::memcpy(&value, at, sizeof(value));
  return value;
}

}  // namespace

SafetensorsFile::SafetensorsFile(const std::filesystem::path& path) : path_(path), file_(path) {
  const std::span<const std::byte> bytes = file_.bytes();
  const std::string_view text = HeaderOf(bytes, path.string());
  SafetensorsHeader header = ParseSafetensorsHeader(text, path);
  const std::span<const std::byte> data = bytes.subspan(kLengthBytes + text.size());
  CheckTiling(&header.tensors, data.size(), path.string());
  for (auto& tensor : header.tensors) {
    entries_.emplace(std::move(tensor.name),
                     SafetensorsEntry{std::move(tensor.dtype), std::move(tensor.shape),
                                      data.subspan(tensor.begin, tensor.end - tensor.begin)});
  }
  metadata_ = std::move(header.metadata);
}

void ReadFloats(const SafetensorsFile& file, const std::string& name, std::span<float> out) {
  const std::string where = fmt::format("tensor {}", Dump(Json(name)));
  const auto found = file.entries().find(name);
  if (found == file.entries().end()) throw FileError(file.path().string(), where, "is missing");
  const SafetensorsEntry& entry = found->second;
  if (entry.dtype != "F32" && entry.dtype != "F16" && entry.dtype != "BF16") {
    throw FileError(file.path().string(), where,
                    fmt::format("has dtype {}, expected F32, F16 or BF16", entry.dtype));
  }
  const size_t width = entry.dtype == "F32" ? 4 : 2;
  if (entry.bytes.size() != out.size() * width) {
    throw FileError(
        file.path().string(), where,
        fmt::format("has {} elements, expected {}", entry.bytes.size() / width, out.size()));
  }
  const std::byte* at = entry.bytes.data();
  if (entry.dtype == "F32") {
    if (!out.empty()) std::memcpy(out.data(), at, entry.bytes.size());
  } else if (entry.dtype == "BF16") {
    for (float& value : out) {
      value = std::bit_cast<float>(uint32_t{Load16(at)} << 16);
      at += width;
    }
  } else {
    for (float& value : out) {
      value = WidenHalf(Load16(at));
      at += width;
    }
  }
}

void WriteSafetensors(const std::filesystem::path& path, std::span<const SafetensorsTensor> tensors,
                      const std::map<std::string, std::string>& metadata) {
  OrderedJson header = OrderedJson::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  uint64_t end = 0;
  for (const SafetensorsTensor& tensor : tensors) {
    const uint64_t begin = end;
    end += tensor.data.size_bytes();
    header[tensor.name] = {
        {"dtype", "F32"}, {"shape", tensor.shape}, {"data_offsets", {begin, end}}};
  }
  std::string text = Dump(header);
  // Spaces up to a multiple of 8, so that the data is aligned in a memory map.
  text.resize((text.size() + 7) / 8 * 8, ' ');
  const uint64_t length = text.size();
  FileWriter writer(path);
  writer.Write(&length, sizeof(length));
  writer.Write(text);
  for (const SafetensorsTensor& tensor : tensors)
    writer.Write(tensor.data.data(), tensor.data.size_bytes());
  writer.Close();
}

}  // namespace hone
