// Bytes from a stranger: refused by name, without a crash and without memory beyond their own size.
#include <flatbuffers/flatbuffers.h>
#include <gtest/gtest.h>

#include <chrono>
#include <functional>

#include "common/philox.h"
#include "example_messages.h"
#include "transport/codec.h"
#include "transport/messages_generated.h"

namespace hone {
namespace {

using Builder = flatbuffers::FlatBufferBuilder;
template <class T>
using Offset = flatbuffers::Offset<T>;

template <class T>
Frames Envelope(Builder& b, Offset<T> body, uint32_t schema = kSchemaVersion) {
  wire::FinishEnvelopeBuffer(
      b, wire::CreateEnvelope(b, schema, wire::BodyTraits<T>::enum_value, body.Union()));
  Frames frames;
  frames.emplace_back(b.GetBufferPointer(), b.GetSize());
  return frames;
}

std::string ErrorOf(Frames frames) {
  try {
    Decode(frames);
  } catch (const WireError& error) {
    return error.what();
  }
  return "";
}

Offset<wire::PromptTask> BuildTask(Builder& b, int32_t samples,
                                   const std::vector<int32_t>& prompt) {
  return wire::CreatePromptTask(b, 1, 0, 0, samples, b.CreateVector(prompt), b.CreateString("p"),
                                b.CreateString("{}"));
}

Offset<wire::Completion> BuildSample(Builder& b, size_t tokens, size_t logprobs, size_t entropies,
                                     uint8_t reason = 0) {
  const wire::Hash hash(1, 2);
  return wire::CreateCompletion(b, b.CreateVector(std::vector<int32_t>(tokens)),
                                b.CreateVector(std::vector<float>(logprobs)),
                                b.CreateVector(std::vector<float>(entropies)), reason, 0, &hash);
}

TEST(HostileFramesTest, NoFramesOrGarbageIsRefused) {
  EXPECT_NE(ErrorOf({}), "");
  for (size_t size : {0, 1, 3, 7, 8, 12, 100, 4096}) {
    Frames frames;
    frames.emplace_back(size);
    std::memset(frames[0].data(), 0xff, size);
    EXPECT_NE(ErrorOf(std::move(frames)), "") << size;
  }
}

TEST(HostileFramesTest, AnotherSchemaIsNamed) {
  Builder b;
  const std::string error = ErrorOf(Envelope(b, wire::CreateTrained(b, 1), kSchemaVersion + 1));
  EXPECT_NE(error.find("schema is " + std::to_string(kSchemaVersion + 1)), std::string::npos);
}

TEST(HostileFramesTest, TokensWithoutTheirNumbersAreRefused) {
  const auto error = [](size_t logprobs, size_t entropies) {
    Builder b;
    const auto sample = BuildSample(b, 3, logprobs, entropies);
    const auto task = BuildTask(b, 1, {1});
    return ErrorOf(Envelope(b, wire::CreateRolloutGroup(b, task, b.CreateVector({sample}))));
  };
  EXPECT_EQ(error(3, 3), "");
  EXPECT_NE(error(2, 3).find("3 tokens, but 2 log-prob"), std::string::npos);
  EXPECT_NE(error(3, 4).find("3 tokens, but 4 entropies"), std::string::npos);
  EXPECT_NE(error(3, 0).find("3 tokens, but 0 entropies"), std::string::npos);
}

TEST(HostileFramesTest, AGroupThatIsNotWholeIsRefused) {
  Builder b;
  const auto sample = BuildSample(b, 2, 2, 2);
  const auto task = BuildTask(b, 2, {1});
  const auto group = wire::CreateRolloutGroup(b, task, b.CreateVector({sample}));
  EXPECT_NE(ErrorOf(Envelope(b, group)).find("1 completions of 2"), std::string::npos);
}

TEST(HostileFramesTest, AnUnknownFinishReasonIsRefused) {
  Builder b;
  const auto sample = BuildSample(b, 2, 2, 2, 9);
  const auto task = BuildTask(b, 1, {1});
  const auto group = wire::CreateRolloutGroup(b, task, b.CreateVector({sample}));
  EXPECT_NE(ErrorOf(Envelope(b, group)).find("finish reason 9"), std::string::npos);
}

TEST(HostileFramesTest, ATaskWithoutPromptOrSamplesIsRefused) {
  Builder empty;
  EXPECT_NE(ErrorOf(Envelope(empty, BuildTask(empty, 1, {}))), "");
  Builder none;
  EXPECT_NE(ErrorOf(Envelope(none, BuildTask(none, 0, {1}))), "");
  Builder negative;
  EXPECT_NE(ErrorOf(Envelope(negative, BuildTask(negative, -1, {1}))), "");
}

TEST(HostileFramesTest, ABatchOutOfOrderIsRefused) {
  const Message batch = BatchMessage{{5, {ExampleScored(41), ExampleScored(40)}}, {}};
  EXPECT_NE(ErrorOf(Encode(batch)).find("out of order"), std::string::npos);
}

TEST(HostileFramesTest, WeightsMustMatchTheirFrame) {
  Frames missing = Encode(WeightsUpdate{ExampleWeights()});
  missing.pop_back();
  EXPECT_NE(ErrorOf(std::move(missing)), "");
  Frames cut = Encode(WeightsUpdate{ExampleWeights()});
  cut[1] = zmq::message_t(cut[1].data(), cut[1].size() - 4);
  EXPECT_NE(ErrorOf(std::move(cut)).find("1024 elements came with 4092 bytes"), std::string::npos);
  Frames extra = Encode(Trained{1});
  extra.emplace_back(4);
  EXPECT_NE(ErrorOf(std::move(extra)).find("2 frames"), std::string::npos);
  Builder b;
  const wire::Hash hash(1, 2);
  // 2^62 elements are 2^64 bytes: a product that would wrap to 0.
  Frames huge = Envelope(b, wire::CreateWeightsUpdate(b, 1, &hash, uint64_t{1} << 62));
  huge.emplace_back(0);
  EXPECT_NE(ErrorOf(std::move(huge)), "");
}

// 1 MB of tokens, referred to by 5,000 completions: 5 GB when unpacked as it says.
TEST(HostileFramesTest, SharedBytesDoNotMultiply) {
  Builder b;
  const auto task = BuildTask(b, 5000, {1});
  const auto sample = BuildSample(b, 250000, 250000, 250000);
  const std::vector<Offset<wire::Completion>> samples(5000, sample);
  const auto group = wire::CreateRolloutGroup(b, task, b.CreateVector(samples));
  const auto start = std::chrono::steady_clock::now();
  EXPECT_NE(ErrorOf(Envelope(b, group)).find("same bytes"), std::string::npos);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(1));
}

void Mutate(Frames& frames, PhiloxSequence& draw) {
  zmq::message_t& frame = frames[draw.Below(static_cast<uint32_t>(frames.size()))];
  std::string bytes = frame.to_string();
  const uint32_t changes = 1 + draw.Below(8);
  for (uint32_t i = 0; i < changes; ++i) {
    const uint32_t size = static_cast<uint32_t>(bytes.size());
    const uint32_t at = size == 0 ? 0 : draw.Below(size);
    switch (draw.Below(6)) {
      case 0:
        bytes.resize(at);
        break;
      case 1:
        bytes.append(draw.Below(64), static_cast<char>(draw.Next()));
        break;
      case 2:
        bytes.erase(at, draw.Below(16));
        break;
      case 3:
        if (at + 4 <= size) {  // an offset or a length, of any or of extreme size
          const uint32_t word = draw.Below(2) == 0 ? draw.Next() : 0xffffffff >> draw.Below(32);
          std::memcpy(bytes.data() + at, &word, 4);
        }
        break;
      default:
        if (size > 0) bytes[at] = static_cast<char>(bytes[at] ^ (1 << draw.Below(8)));
    }
  }
  frame = zmq::message_t(bytes.data(), bytes.size());
}

TEST(HostileFramesTest, MutatedFramesAreReadOrRefusedByName) {
  const std::vector<Message> messages = ExampleMessages();
  constexpr uint64_t kSeed = 20260101;
  uint64_t refused = 0, read = 0;
  for (uint32_t i = 0; i < 20000; ++i) {
    PhiloxSequence draw(kSeed, {Purpose::kGenerateData, i, 0, 0});
    Frames frames = Encode(messages[i % messages.size()]);
    Frames owned;
    for (zmq::message_t& frame : frames) owned.emplace_back(frame.data(), frame.size());
    Mutate(owned, draw);
    try {
      // What can be read can be sent again.
      Frames again = Encode(Decode(owned));
      Decode(again);
      ++read;
    } catch (const WireError&) {
      ++refused;
    } catch (const std::exception& error) {
      FAIL() << "seed " << kSeed << ", iteration " << i << ": " << error.what();
    }
  }
  EXPECT_GT(refused, 10000u);
  EXPECT_GT(read, 500u);
}

}  // namespace
}  // namespace hone
