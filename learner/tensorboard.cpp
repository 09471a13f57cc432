#include "learner/tensorboard.h"

#include <fmt/format.h>

#include <array>
#include <chrono>
#include <cmath>
#include <cstring>

#include "common/error.h"
#include "common/file.h"
#include "event.pb.h"

namespace hone {
namespace fs = std::filesystem;
namespace {

std::array<uint32_t, 256> CrcTable() {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0x82F63B78u : 0);
    table[i] = crc;
  }
  return table;
}

template <class T>
std::string LittleEndian(T value) {
  std::string bytes(sizeof(T), '\0');
  for (size_t i = 0; i < sizeof(T); ++i) bytes[i] = static_cast<char>(value >> 8 * i & 0xff);
  return bytes;
}

template <class T>
T FromLittleEndian(std::string_view bytes) {
  T value = 0;
  for (size_t i = sizeof(T); i-- > 0;)
    value = static_cast<T>(value << 8 | static_cast<unsigned char>(bytes[i]));
  return value;
}

std::string Frame(std::string_view payload) {
  const std::string length = LittleEndian<uint64_t>(payload.size());
  return length + LittleEndian(MaskedCrc32c(length)) + std::string(payload) +
         LittleEndian(MaskedCrc32c(payload));
}

tensorboard::Event NewEvent() {
  tensorboard::Event event;
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  event.set_wall_time(std::chrono::duration<double>(now).count());
  return event;
}

}  // namespace

uint32_t MaskedCrc32c(std::string_view bytes) {
  static const std::array<uint32_t, 256> table = CrcTable();
  uint32_t crc = ~0u;
  for (const char byte : bytes)
    crc = crc >> 8 ^ table[(crc ^ static_cast<unsigned char>(byte)) & 0xff];
  crc = ~crc;
  return (crc >> 15 | crc << 17) + 0xa282ead8u;
}

std::vector<std::string> ReadRecords(const fs::path& path) {
  const std::string bytes = ReadFile(path);
  std::vector<std::string> records;
  std::string_view rest = bytes;
  while (rest.size() >= 16) {
    const auto length = FromLittleEndian<uint64_t>(rest);
    if (FromLittleEndian<uint32_t>(rest.substr(8)) != MaskedCrc32c(rest.substr(0, 8))) break;
    if (length > rest.size() - 16) break;
    const std::string_view payload = rest.substr(12, length);
    if (FromLittleEndian<uint32_t>(rest.substr(12 + length)) != MaskedCrc32c(payload)) break;
    records.emplace_back(payload);
    rest.remove_prefix(16 + length);
  }
  return records;
}

EventWriter::EventWriter(const fs::path& path, uint64_t keep_step) : path_(path) {
  std::string kept;
  if (fs::exists(path)) {
    for (const std::string& record : ReadRecords(path)) {
      tensorboard::Event event;
      if (event.ParseFromString(record) && static_cast<uint64_t>(event.step()) <= keep_step)
        kept += Frame(record);
    }
  }
  if (kept.empty()) {
    tensorboard::Event first = NewEvent();
    first.set_file_version("brain.Event:2");
    kept = Frame(first.SerializeAsString());
  }
  WriteFileAtomically(path, kept);
  out_.open(path, std::ios::app | std::ios::binary);
  if (!out_)
    throw RunError(fmt::format("{}: cannot write: {}", path.string(), std::strerror(errno)));
}

void EventWriter::Write(uint64_t step, const std::map<std::string, double>& values) {
  tensorboard::Event event = NewEvent();
  event.set_step(static_cast<int64_t>(step));
  for (const auto& [name, value] : values) {
    if (!std::isfinite(value)) continue;
    tensorboard::Summary::Value* entry = event.mutable_summary()->add_value();
    entry->set_tag(name);
    entry->set_simple_value(static_cast<float>(value));
  }
  const std::string frame = Frame(event.SerializeAsString());
  errno = 0;
  out_.write(frame.data(), static_cast<std::streamsize>(frame.size()));
  out_.flush();
  if (!out_)
    throw RunError(fmt::format("{}: cannot write: {}", path_.string(), std::strerror(errno)));
}

}  // namespace hone
