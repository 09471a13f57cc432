// The JSON header of a safetensors file, read as a stream: what does not belong is refused where it
// stands, and a hostile header costs no more than its own size.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace hone {

struct SafetensorsHeader {
  struct Tensor {
    std::string name;
    std::string dtype;
    std::vector<int64_t> shape;
    uint64_t begin = 0, end = 0;  // bytes from the start of the data
  };
  std::vector<Tensor> tensors;  // as written
  std::map<std::string, std::string> metadata;
};

// Throws FileError (naming `path`) for anything but the header of the format: no JSON object, a key
// twice, a value of another type, more than 131,072 tensors, nesting or axes beyond 64, more than
// 65,536 keys of metadata.
SafetensorsHeader ParseSafetensorsHeader(std::string_view json, const std::filesystem::path& path);

// Bytes of one element; 0 for a dtype that is unknown or smaller than a byte.
int64_t SafetensorsDtypeSize(std::string_view dtype);

}  // namespace hone
