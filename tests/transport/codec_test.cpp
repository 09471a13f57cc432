#include "transport/codec.h"

#include <gtest/gtest.h>

#include <cstring>

#include "example_messages.h"

namespace hone {
namespace {

// Through frames that own their bytes, as after a socket of another process.
Message RoundTrip(const Message& message) {
  Frames sent = Encode(message);
  Frames received;
  for (zmq::message_t& frame : sent) received.emplace_back(frame.data(), frame.size());
  return Decode(received);
}

void ExpectSame(const PromptTask& a, const PromptTask& b) {
  EXPECT_EQ(a.group_id, b.group_id);
  EXPECT_EQ(a.step, b.step);
  EXPECT_EQ(a.version, b.version);
  EXPECT_EQ(a.num_generations, b.num_generations);
  EXPECT_EQ(a.prompt_tokens, b.prompt_tokens);
  EXPECT_EQ(a.prompt, b.prompt);
  EXPECT_EQ(a.columns, b.columns);
}

void ExpectSame(const RolloutGroup& a, const RolloutGroup& b) {
  ExpectSame(a.task, b.task);
  ASSERT_EQ(a.completions.size(), b.completions.size());
  for (size_t i = 0; i < a.completions.size(); ++i) {
    const Completion &x = a.completions[i], &y = b.completions[i];
    EXPECT_EQ(x.tokens, y.tokens);
    ASSERT_EQ(x.logprobs.size(), y.logprobs.size());
    EXPECT_EQ(std::memcmp(x.logprobs.data(), y.logprobs.data(), x.logprobs.size() * 4), 0);
    ASSERT_EQ(x.entropies.size(), y.entropies.size());
    EXPECT_EQ(std::memcmp(x.entropies.data(), y.entropies.data(), x.entropies.size() * 4), 0);
    EXPECT_EQ(x.finish_reason, y.finish_reason);
    EXPECT_EQ(x.version, y.version);
    EXPECT_EQ(x.fingerprint, y.fingerprint);
  }
}

void ExpectSame(const ScoredGroup& a, const ScoredGroup& b) {
  ExpectSame(a.rollout, b.rollout);
  EXPECT_EQ(a.verifier_names, b.verifier_names);
  EXPECT_EQ(a.rewards_VG, b.rewards_VG);
  EXPECT_EQ(a.rewards_G, b.rewards_G);
  EXPECT_EQ(a.errors, b.errors);
  EXPECT_EQ(a.seconds_V, b.seconds_V);
  EXPECT_EQ(a.records, b.records);
}

TEST(CodecTest, EveryKindComesBackAsItself) {
  for (const Message& message : ExampleMessages()) {
    EXPECT_EQ(RoundTrip(message).index(), message.index());
  }
}

TEST(CodecTest, GroupsComeBackToTheBit) {
  ExpectSame(std::get<PromptTask>(RoundTrip(ExampleTask())), ExampleTask());
  ExpectSame(std::get<RolloutGroup>(RoundTrip(ExampleRollout())), ExampleRollout());
  ExpectSame(std::get<ScoredGroup>(RoundTrip(ExampleScored())), ExampleScored());
}

TEST(CodecTest, ABatchComesBackWithItsTimes) {
  const Message sent =
      BatchMessage{{5, {ExampleScored(40), ExampleScored(41)}}, {1.5, 0.25, 0.125}};
  const auto message = std::get<BatchMessage>(RoundTrip(sent));
  EXPECT_EQ(message.batch.step, 5u);
  ASSERT_EQ(message.batch.groups.size(), 2u);
  ExpectSame(message.batch.groups[0], ExampleScored(40));
  ExpectSame(message.batch.groups[1], ExampleScored(41));
  EXPECT_EQ(message.times.rollout, 1.5);
  EXPECT_EQ(message.times.reward, 0.25);
  EXPECT_EQ(message.times.sync, 0.125);
}

TEST(CodecTest, ControlComesBackWithItsFields) {
  const auto hello = std::get<Hello>(RoundTrip(Hello{"learner", "0.1.0"}));
  EXPECT_EQ(hello.role, "learner");
  EXPECT_EQ(hello.version, "0.1.0");
  const auto beat = std::get<Heartbeat>(RoundTrip(Heartbeat{17, "waits"}));
  EXPECT_EQ(beat.progress, 17u);
  EXPECT_EQ(beat.state, "waits");
  EXPECT_EQ(std::get<Credit>(RoundTrip(Credit{4})).groups, 4u);
  const auto credit = std::get<BatchCredit>(RoundTrip(BatchCredit{5, 6, 40, 8}));
  EXPECT_EQ(credit.step, 5u);
  EXPECT_EQ(credit.version, 6u);
  EXPECT_EQ(credit.first_group, 40u);
  EXPECT_EQ(credit.groups, 8u);
  EXPECT_EQ(std::get<Trained>(RoundTrip(Trained{9})).step, 9u);
  EXPECT_EQ(std::get<WeightsHeld>(RoundTrip(WeightsHeld{6})).version, 6u);
  EXPECT_EQ(std::get<WeightsRefused>(RoundTrip(WeightsRefused{6, "why"})).text, "why");
  const auto fault = std::get<Fault>(RoundTrip(Fault{ExitCode::kUsage, "no such key"}));
  EXPECT_EQ(fault.code, ExitCode::kUsage);
  EXPECT_EQ(fault.text, "no such key");
  EXPECT_EQ(std::get<Stop>(RoundTrip(Stop{"over"})).reason, "over");
  EXPECT_EQ(std::get<Refused>(RoundTrip(Refused{"who?"})).text, "who?");
  EXPECT_EQ(std::get<Leave>(RoundTrip(Leave{"done"})).reason, "done");
}

TEST(CodecTest, AWelcomeBringsATokenizerWhoseFingerprintIsChecked) {
  Welcome sent{7, "rewards", "{\"model\": {}}", {}};
  EXPECT_THROW(RoundTrip(sent), WireError);
  sent.tokenizer_hash = HashBytes(sent.tokenizer.data(), sent.tokenizer.size());
  const auto welcome = std::get<Welcome>(RoundTrip(sent));
  EXPECT_EQ(welcome.seed, 7u);
  EXPECT_EQ(welcome.rewards, "rewards");
  EXPECT_EQ(welcome.tokenizer, sent.tokenizer);
}

TEST(CodecTest, WeightsAreLentOutWithoutACopy) {
  const auto weights = ExampleWeights();
  Frames frames = Encode(WeightsUpdate{weights});
  ASSERT_EQ(frames.size(), 2u);
  const auto update = std::get<WeightsUpdate>(Decode(frames));
  EXPECT_EQ(update.weights->data.data(), weights->data.data());
  EXPECT_EQ(update.weights->version, weights->version);
  EXPECT_EQ(update.weights->fingerprint, weights->fingerprint);
}

TEST(CodecTest, WeightsLiveUntilTheLastFrameIsGone) {
  auto weights = ExampleWeights();
  const std::weak_ptr<const Weights> alive = weights;
  Frames frames = Encode(WeightsUpdate{weights});
  auto update = std::get<WeightsUpdate>(Decode(frames));
  weights.reset();
  frames.clear();
  EXPECT_FALSE(alive.expired());
  EXPECT_EQ(update.weights->data[5], 2.5f);
  update.weights.reset();
  EXPECT_TRUE(alive.expired());
}

TEST(CodecTest, MisalignedWeightsAreCopiedToAlignedMemory) {
  const auto weights = ExampleWeights();
  Frames frames = Encode(WeightsUpdate{weights});
  std::vector<char> memory(weights->data.size_bytes() + 128);
  size_t space = memory.size();
  void* aligned = memory.data();
  std::align(64, weights->data.size_bytes() + 4, aligned, space);
  char* shifted = static_cast<char*>(aligned) + 4;
  std::memcpy(shifted, weights->data.data(), weights->data.size_bytes());
  frames[1] = zmq::message_t(
      shifted, weights->data.size_bytes(), [](void*, void*) {}, nullptr);
  const auto update = std::get<WeightsUpdate>(Decode(frames));
  EXPECT_EQ(reinterpret_cast<uintptr_t>(update.weights->data.data()) % 64, 0u);
  EXPECT_TRUE(std::equal(weights->data.begin(), weights->data.end(), update.weights->data.begin()));
}

}  // namespace
}  // namespace hone
