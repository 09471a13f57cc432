// TensorBoard event files: protobuf events in TFRecord frames.
// Frame: length (u64), masked CRC32C of the length's bytes (u32), the bytes, their masked CRC32C
// (u32); little-endian. Source: tensorflow/core/lib/io/record_writer.h.
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace hone {

// CRC32C (Castagnoli), rotated and offset as TFRecord stores it.
uint32_t MaskedCrc32c(std::string_view bytes);

// The payloads of all whole frames whose checksums hold, up to the first that is not.
std::vector<std::string> ReadRecords(const std::filesystem::path& path);

class EventWriter {
 public:
  // Keeps the events of steps <= `keep_step` of the file that is there; makes it otherwise.
  EventWriter(const std::filesystem::path& path, uint64_t keep_step);
  // Scalars of a step, flushed. Numbers that are not finite are left out.
  void Write(uint64_t step, const std::map<std::string, double>& values);

 private:
  std::filesystem::path path_;
  std::ofstream out_;
};

}  // namespace hone
