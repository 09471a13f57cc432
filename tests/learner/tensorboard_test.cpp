#include "learner/tensorboard.h"

#include <gtest/gtest.h>

#include <cmath>

#include "common/file.h"
#include "event.pb.h"
#include "fixtures.h"

namespace hone {
namespace {

std::vector<tensorboard::Event> Events(const std::filesystem::path& path) {
  std::vector<tensorboard::Event> events;
  for (const std::string& record : ReadRecords(path))
    EXPECT_TRUE(events.emplace_back().ParseFromString(record));
  return events;
}

TEST(TensorboardTest, TheChecksumIsCastagnolisMasked) {
  // CRC32C("123456789") = e3069283 (RFC 3720, and every CRC catalogue); masked as record_writer.h
  // does.
  const uint32_t crc = 0xe3069283u;
  EXPECT_EQ(MaskedCrc32c("123456789"), ((crc >> 15) | (crc << 17)) + 0xa282ead8u);
}

TEST(TensorboardTest, AFileHoldsItsVersionAndEachStepsScalars) {
  testing::TemporaryFolder folder;
  const auto path = folder.path() / "events";
  EventWriter writer(path, 0);
  writer.Write(1, {{"loss", 0.5}, {"reward", std::nan("")}});
  writer.Write(2, {{"loss", 0.25}});
  const auto events = Events(path);
  ASSERT_EQ(events.size(), 3u);
  EXPECT_EQ(events[0].file_version(), "brain.Event:2");
  EXPECT_GT(events[0].wall_time(), 1.7e9);
  EXPECT_EQ(events[1].step(), 1);
  ASSERT_EQ(events[1].summary().value_size(), 1);
  EXPECT_EQ(events[1].summary().value(0).tag(), "loss");
  EXPECT_EQ(events[1].summary().value(0).simple_value(), 0.5f);
  EXPECT_EQ(events[2].summary().value(0).simple_value(), 0.25f);
}

TEST(TensorboardTest, ResumingCutsLaterStepsAndABrokenEnd) {
  testing::TemporaryFolder folder;
  const auto path = folder.path() / "events";
  {
    EventWriter writer(path, 0);
    for (uint64_t step = 1; step <= 3; ++step) writer.Write(step, {{"loss", 1}});
  }
  const std::string whole = ReadFile(path);
  WriteFileAtomically(path, whole.substr(0, whole.size() - 3));
  EXPECT_EQ(Events(path).size(), 3u) << "the version and two whole steps";
  EventWriter(path, 1).Write(2, {{"loss", 7}});
  const auto events = Events(path);
  ASSERT_EQ(events.size(), 3u);
  EXPECT_EQ(events[2].summary().value(0).simple_value(), 7);
}

TEST(TensorboardTest, AFlippedByteEndsTheReading) {
  testing::TemporaryFolder folder;
  const auto path = folder.path() / "events";
  EventWriter(path, 0).Write(1, {{"loss", 1}});
  std::string bytes = ReadFile(path);
  bytes.back() ^= 1;
  WriteFileAtomically(path, bytes);
  EXPECT_EQ(ReadRecords(path).size(), 1u);
}

}  // namespace
}  // namespace hone
