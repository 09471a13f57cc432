#include "policy/files/safetensors.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "common/error.h"
#include "common/json.h"
#include "policy/files/safetensors_header.h"

namespace hone {
namespace {

constexpr size_t kLengthBytes = 8;
constexpr uint64_t kMostHeaderBytes = 100'000'000;
constexpr size_t kPart = size_t{1} << 16;      // numbers: what is converted and hashed at once
constexpr size_t kReleased = size_t{4} << 20;  // bytes of the map that leave memory at once

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

void ReadFloats(const SafetensorsFile& file, const std::string& name, std::span<float> out,
                Hasher* hasher) {
  const std::string where = fmt::format("tensor {}", Dump(Json(name)));
  const auto found = file.entries().find(name);
  if (found == file.entries().end()) throw FileError(file.path().string(), where, "is missing");
  const SafetensorsEntry& entry = found->second;
  const std::optional<FloatType> type = ParseFloatType(entry.dtype);
  if (!type) {
    throw FileError(file.path().string(), where,
                    fmt::format("has dtype {}, expected F32, F16 or BF16", entry.dtype));
  }
  const size_t width = FloatTypeBytes(*type);
  if (entry.bytes.size() != out.size() * width) {
    throw FileError(
        file.path().string(), where,
        fmt::format("has {} elements, expected {}", entry.bytes.size() / width, out.size()));
  }
  size_t released = 0;  // bytes
  for (size_t i = 0; i < out.size(); i += kPart) {
    const std::span<float> part = out.subspan(i, std::min(kPart, out.size() - i));
    Widen(*type, entry.bytes.data() + i * width, part);
    if (hasher != nullptr) hasher->Update(part.data(), part.size_bytes());
    const size_t done = (i + part.size()) * width;
    if (done - released >= kReleased || i + part.size() == out.size()) {
      file.map().Release(entry.bytes.subspan(released, done - released));
      released = done;
    }
  }
}

void WriteSafetensors(const std::filesystem::path& path, std::span<const SafetensorsTensor> tensors,
                      const std::map<std::string, std::string>& metadata, FloatType type) {
  OrderedJson header = OrderedJson::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  uint64_t end = 0;
  for (const SafetensorsTensor& tensor : tensors) {
    const uint64_t begin = end;
    end += tensor.data.size() * FloatTypeBytes(type);
    header[tensor.name] = {
        {"dtype", FloatTypeName(type)}, {"shape", tensor.shape}, {"data_offsets", {begin, end}}};
  }
  std::string text = Dump(header);
  // Spaces up to a multiple of 8, so that the data is aligned in a memory map.
  text.resize((text.size() + 7) / 8 * 8, ' ');
  const uint64_t length = text.size();
  FileWriter writer(path);
  writer.Write(&length, sizeof(length));
  writer.Write(text);
  std::vector<std::byte> bytes(kPart * FloatTypeBytes(type));
  for (const SafetensorsTensor& tensor : tensors) {
    for (size_t i = 0; i < tensor.data.size(); i += kPart) {
      const auto part = tensor.data.subspan(i, std::min(kPart, tensor.data.size() - i));
      Narrow(type, part, bytes.data());
      writer.Write(bytes.data(), part.size() * FloatTypeBytes(type));
    }
  }
  writer.Close();
}

}  // namespace hone
