#include "learner/run_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>

#include "common/error.h"
#include "common/file.h"
#include "common/philox.h"
#include "fixtures.h"
#include "common/compression.h"

namespace hone {
namespace {

using ::testing::HasSubstr;

std::vector<Json> Lines(const std::filesystem::path& path) {
  std::vector<Json> lines;
  ForEachLine(path, [&](const std::string& line, int64_t) { lines.push_back(Json::parse(line)); });
  return lines;
}

TEST(MetricsWriterTest, EachStepIsALineThatReadsBackToTheSameBits) {
  testing::TemporaryFolder folder;
  const double third = 1.0 / 3;
  MetricsWriter(folder.path(), false, 0).Write(1, {{"loss", third}, {"reward", std::nan("")}});
  const auto lines = Lines(folder.path() / "metrics.jsonl");
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_EQ(lines[0].at("step"), 1);
  EXPECT_EQ(std::bit_cast<uint64_t>(lines[0].at("loss").get<double>()),
            std::bit_cast<uint64_t>(third));
  EXPECT_TRUE(lines[0].at("reward").is_null());
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "tensorboard"));
}

TEST(MetricsWriterTest, ResumingCutsLaterStepsAndABrokenEnd) {
  testing::TemporaryFolder folder;
  const auto path = folder.path() / "metrics.jsonl";
  {
    MetricsWriter writer(folder.path(), false, 0);
    for (uint64_t step = 1; step <= 4; ++step)
      writer.Write(step, {{"loss", static_cast<double>(step)}});
  }
  const std::string whole = ReadFile(path);
  WriteFileAtomically(path, whole + R"({"step":5,"lo)");
  { MetricsWriter writer(folder.path(), false, 9); }
  EXPECT_EQ(ReadFile(path), whole);
  {
    MetricsWriter writer(folder.path(), false, 2);
    writer.Write(3, {{"loss", 30}});
  }
  const auto lines = Lines(path);
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_EQ(lines[1].at("step"), 2);
  EXPECT_EQ(lines[2].at("loss"), 30);
}

float DrawnFloat(PhiloxSequence& draws) {
  for (;;) {
    const float value = std::bit_cast<float>(draws.Next());
    if (std::isfinite(value)) return value;
  }
}

StepBatch BatchWithEverything(uint64_t seed) {
  StepBatch batch = testing::RandomBatch(seed);
  PhiloxSequence draws(seed, {.purpose = Purpose::kGenerateData, .group = 77});
  batch.step = 4;
  for (ScoredGroup& group : batch.groups) {
    group.verifier_names = {"accuracy", "format"};
    group.rewards_VG.assign(2, {});
    group.rollout.task.prompt = "say \"hé\"\n";
    for (size_t s = 0; s < group.rollout.completions.size(); ++s) {
      Completion& completion = group.rollout.completions[s];
      for (size_t t = 0; t < completion.tokens.size(); ++t)
        completion.logprobs.push_back(DrawnFloat(draws));
      completion.version = 3;
      completion.fingerprint = {draws.Next(), draws.Next()};
      group.rewards_VG[0].push_back(DrawnFloat(draws));
      group.rewards_VG[1].push_back(0.1f);
      group.rewards_G[s] = DrawnFloat(draws);
    }
  }
  return batch;
}

void ExpectSame(const StepBatch& a, const StepBatch& b) {
  ASSERT_EQ(a.groups.size(), b.groups.size());
  for (size_t g = 0; g < a.groups.size(); ++g) {
    const ScoredGroup &x = a.groups[g], &y = b.groups[g];
    EXPECT_EQ(x.rollout.task.group_id, y.rollout.task.group_id);
    EXPECT_EQ(x.rollout.task.prompt, y.rollout.task.prompt);
    EXPECT_EQ(x.rollout.task.prompt_tokens, y.rollout.task.prompt_tokens);
    EXPECT_EQ(x.verifier_names, y.verifier_names);
    EXPECT_EQ(x.rewards_VG, y.rewards_VG);
    EXPECT_EQ(x.rewards_G, y.rewards_G);
    ASSERT_EQ(x.rollout.completions.size(), y.rollout.completions.size());
    for (size_t s = 0; s < x.rollout.completions.size(); ++s) {
      const Completion &c = x.rollout.completions[s], &d = y.rollout.completions[s];
      EXPECT_EQ(c.tokens, d.tokens);
      EXPECT_EQ(c.logprobs, d.logprobs);
      EXPECT_EQ(c.finish_reason, d.finish_reason);
      EXPECT_EQ(c.version, d.version);
      EXPECT_EQ(c.fingerprint, d.fingerprint);
    }
  }
}

std::vector<std::vector<float>> Zeros(const StepBatch& batch) {
  std::vector<std::vector<float>> zeros;
  for (const ScoredGroup& group : batch.groups) zeros.emplace_back(group.rewards_G.size(), 0.0f);
  return zeros;
}

TEST(TraceTest, WhatIsWrittenReadsBackToTheSameBits) {
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    SCOPED_TRACE(seed);
    testing::TemporaryFolder folder;
    const StepBatch batch = BatchWithEverything(seed);
    WriteTrace(folder.path(), batch, Zeros(batch), nullptr);
    const auto file = folder.path() / "traces" / "step-000005.jsonl.zst";
    ASSERT_TRUE(std::filesystem::exists(file));
    for (const auto& path : {file, folder.path() / "traces"}) {
      const std::vector<StepBatch> batches = ReadTraces(path);
      ASSERT_EQ(batches.size(), 1u);
      EXPECT_EQ(batches[0].step, 0u);
      ExpectSame(batch, batches[0]);
    }
  }
}

TEST(TraceTest, ALineHasTheContractsFields) {
  testing::TemporaryFolder folder;
  const StepBatch batch = BatchWithEverything(1);
  WriteTrace(folder.path(), batch, Zeros(batch), nullptr);
  const auto file = folder.path() / "traces" / "step-000005.jsonl.zst";
  const Json line = Lines(file).at(0);
  EXPECT_EQ(line.at("step"), 5);
  EXPECT_EQ(line.at("group"), 0);
  EXPECT_EQ(line.at("sample"), 0);
  EXPECT_EQ(line.at("rewards").size(), 2u);
  EXPECT_EQ(line.at("advantage"), 0);
  EXPECT_EQ(line.at("finish_reason"), "stop");
  EXPECT_EQ(line.at("version"), 3);
  EXPECT_EQ(line.at("prompt"), "say \"hé\"\n");
  EXPECT_EQ(line.at("fingerprint"), batch.groups[0].rollout.completions[0].fingerprint.Hex());
}

TEST(TraceTest, CuttingRemovesLaterBatchesAndInterruptedWrites) {
  testing::TemporaryFolder folder;
  StepBatch batch = BatchWithEverything(1);
  for (batch.step = 0; batch.step < 4; ++batch.step)
    WriteTrace(folder.path(), batch, Zeros(batch), nullptr);
  WriteFileAtomically(folder.path() / "traces" / "step-000002.jsonl.zst.partial", "x");
  CutTraces(folder.path(), 2);
  EXPECT_EQ(ReadTraces(folder.path() / "traces").size(), 2u);
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "traces" / "step-000002.jsonl.zst.partial"));
}

class ReplayFileTest : public ::testing::Test {
 protected:
  std::filesystem::path Write(const std::string& text) {
    WriteFileAtomically(path_, text);
    return path_;
  }
  std::string ErrorOf(const std::string& text, const TraceOptions& options = {}) {
    Write(text);
    try {
      ReadTraces(path_, options);
    } catch (const FileError& error) {
      return error.what();
    }
    return "no error";
  }
  testing::TemporaryFolder folder_;
  std::filesystem::path path_ = folder_.path() / "replay.jsonl";
};

constexpr const char* kTwo =
    R"({"step":7,"group":2,"sample":1,"prompt_tokens":[5,6],"completion_tokens":[8],"reward":0.5})"
    "\n"
    R"({"step":7,"group":2,"sample":0,"prompt_tokens":[5,6],"completion_tokens":[7,1],"reward":1,"logprobs":[-0.5,-1e-05]})"
    "\n";

TEST_F(ReplayFileTest, ContractLinesAreTakenInOrderOfSample) {
  TraceOptions options;
  options.terminators = {1};
  const auto batches = ReadTraces(Write(kTwo), options);
  ASSERT_EQ(batches.size(), 1u);
  const ScoredGroup& group = batches[0].groups.at(0);
  EXPECT_EQ(group.rollout.task.group_id, 2u);
  EXPECT_EQ(group.rewards_G, (std::vector<float>{1, 0.5f}));
  EXPECT_EQ(group.rollout.completions[0].logprobs, (std::vector<float>{-0.5f, -1e-5f}));
  EXPECT_EQ(group.rollout.completions[0].finish_reason, FinishReason::kStop);
  EXPECT_TRUE(group.rollout.completions[1].logprobs.empty());
  EXPECT_EQ(group.rollout.completions[1].finish_reason, FinishReason::kLength);
}

TEST_F(ReplayFileTest, StepsAreOrdinalsInOrder) {
  std::string text;
  for (const int step : {9, 2, 5}) {
    text += R"({"step":)" + std::to_string(step) + R"(,"group":0,"sample":0,"prompt_tokens":[)" +
            std::to_string(step) + R"(],"completion_tokens":[1],"reward":0})" + "\n";
  }
  const auto batches = ReadTraces(Write(text));
  ASSERT_EQ(batches.size(), 3u);
  for (size_t i = 0; i < 3; ++i) EXPECT_EQ(batches[i].step, i);
  EXPECT_EQ(batches[0].groups[0].rollout.task.prompt_tokens[0], 2);
  EXPECT_EQ(batches[2].groups[0].rollout.task.prompt_tokens[0], 9);
}

TEST_F(ReplayFileTest, BadLinesAreNamed) {
  const std::string start = R"({"step":1,"group":0,"sample":0,"prompt_tokens":[5],)";
  EXPECT_THAT(ErrorOf("\n{nonsense\n"), HasSubstr("line 2"));
  EXPECT_THAT(ErrorOf("[1]\n"), HasSubstr("line 1: expected a JSON object"));
  EXPECT_THAT(ErrorOf(R"({"step":-1})"), HasSubstr("\"step\""));
  EXPECT_THAT(ErrorOf(start + R"("completion_tokens":[],"reward":1})"),
              HasSubstr("\"completion_tokens\""));
  EXPECT_THAT(ErrorOf(start + R"("completion_tokens":[1.5],"reward":1})"), HasSubstr("token ids"));
  EXPECT_THAT(ErrorOf(start + R"("completion_tokens":[4000000000],"reward":1})"),
              HasSubstr("4000000000"));
  EXPECT_THAT(ErrorOf(start + R"("completion_tokens":[1]})"), HasSubstr("\"reward\""));
  EXPECT_THAT(ErrorOf(start + R"("completion_tokens":[1,2],"reward":1,"logprobs":[0]})"),
              HasSubstr("2 numbers"));
  TraceOptions options;
  options.vocab_size = 5;
  EXPECT_THAT(ErrorOf(start + R"("completion_tokens":[1],"reward":1})", options),
              HasSubstr("token 5"));
  const std::string two = kTwo;
  EXPECT_THAT(ErrorOf(two + two),
              HasSubstr("line 3: step 7, group 2, sample 1 was already on line 1"));
  EXPECT_THAT(ErrorOf(two.substr(0, two.find('\n'))), HasSubstr("no sample 0"));
  EXPECT_THAT(ErrorOf(""), HasSubstr("found none"));
}

TEST_F(ReplayFileTest, ADamagedArchiveIsAFileError) {
  const std::string whole = Compress(kTwo);
  path_ = folder_.path() / "replay.jsonl.zst";
  EXPECT_EQ(ErrorOf(whole), "no error");
  EXPECT_THAT(ErrorOf(whole.substr(0, whole.size() / 2)), HasSubstr("zstd"));
  EXPECT_THAT(ErrorOf("no archive"), HasSubstr("line 1"));
}

}  // namespace
}  // namespace hone
