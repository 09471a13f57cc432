#include "learner/session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "common/error.h"
#include "common/file.h"
#include "common/json.h"
#include "fixtures.h"
#include "learner/checkpoints.h"
#include "learner/replay.h"
#include "learner/run_files.h"
#include "learner/sft.h"

namespace hone {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class JobTest : public ::testing::Test {
 protected:
  JobTest() {
    testing::TinyModelIn(folder_.path() / "model");
    config_ = testing::TinyConfig();
    config_.policy.model = (folder_.path() / "model").string();
    config_.checkpoint.every = 2;
    config_.run.steps = 7;
    StepBatch batch;
    for (uint64_t step = 0; step < 7; ++step) {
      batch = testing::RandomBatch(step + 1);
      batch.step = step;
      std::vector<std::vector<float>> zeros;
      for (const ScoredGroup& group : batch.groups) zeros.emplace_back(group.rewards_G.size());
      WriteTrace(folder_.path() / "recorded", batch, zeros, nullptr);
    }
    config_.rollout.source = "replay";
    config_.rollout.replay = (folder_.path() / "recorded" / "traces").string();
    std::string lines;
    for (int i = 0; i < 11; ++i) {
      lines += Dump(Json{{"prompt_tokens", {2 + i, 3}}, {"completion_tokens", {4 + i, 5 + i, 1}}}) +
               "\n";
    }
    config_.data.train = {(folder_.path() / "demonstrations.jsonl").string()};
    WriteFileAtomically(config_.data.train.front(), lines);
    config_.sft.batch_size = 4;
  }

  // What must not differ between two runs: weights, optimizer, traces, and metrics but for times
  // and memory.
  std::map<std::string, std::string> Fixed(const fs::path& run) const {
    std::map<std::string, std::string> fixed;
    for (const auto& entry : fs::recursive_directory_iterator(run)) {
      const std::string name = fs::relative(entry.path(), run).string();
      if (entry.is_regular_file() &&
          (name.starts_with("checkpoints") || name.starts_with("traces"))) {
        fixed[name] = testing::Bytes(entry.path());
      }
    }
    ForEachLine(run / "metrics.jsonl", [&](const std::string& line, int64_t) {
      Json json = Json::parse(line);
      for (const char* key : {"time/learn", "step_time", "tokens_per_second", "rss_bytes"})
        json.erase(key);
      fixed["metrics.jsonl"] += Dump(json) + "\n";
    });
    return fixed;
  }

  testing::TemporaryFolder folder_;
  Config config_;
};

constexpr auto kReplay = TrainReplay;
constexpr auto kSft = TrainSft;

TEST_F(JobTest, AReplayWritesMetricsTracesAndCheckpoints) {
  const fs::path run = folder_.path() / "run";
  std::vector<uint64_t> steps;
  const ReplayOutcome outcome = TrainReplay(
      config_, run, false, 1, [&](uint64_t step, const Metrics&) { steps.push_back(step); },
      nullptr);
  EXPECT_EQ(steps, (std::vector<uint64_t>{1, 2, 3, 4, 5, 6, 7}));
  EXPECT_EQ(outcome.steps, 7u);
  EXPECT_FALSE(outcome.interrupted);
  EXPECT_EQ(outcome.checkpoint, CheckpointPath(run, 7));
  EXPECT_TRUE(fs::exists(CheckpointPath(run, 6)));
  EXPECT_FALSE(fs::exists(CheckpointPath(run, 4))) << "checkpoint.keep is 2";
  EXPECT_EQ(ReadTraces(run / "traces").size(), 7u);
  ForEachLine(run / "metrics.jsonl", [&](const std::string& line, int64_t number) {
    const Json json = Json::parse(line);
    EXPECT_EQ(json.at("step"), number);
    for (const char* key : {"loss",
                            "grad_norm",
                            "learning_rate",
                            "reward",
                            "reward_std",
                            "rewards/rule/mean",
                            "rewards/rule/std",
                            "frac_reward_zero_std",
                            "entropy",
                            "clip_ratio/low_mean",
                            "clip_ratio/high_mean",
                            "clip_ratio/region_mean",
                            "completions/mean_length",
                            "completions/clipped_ratio",
                            "completions/mean_terminated_length",
                            "num_tokens",
                            "step_time",
                            "time/rollout",
                            "time/reward",
                            "time/learn",
                            "time/sync",
                            "tokens_per_second",
                            "staleness",
                            "rss_bytes"}) {
      EXPECT_TRUE(json.contains(key)) << key;
    }
    EXPECT_GT(json.at("rss_bytes"), 1 << 20);
  });
}

template <class Job>
void ExpectSameAfterInterrupts(const Job& job, Config config, const fs::path& folder,
                               const auto& fixed) {
  job(config, folder / "straight", false, 1, nullptr, nullptr);
  // Stopped after three steps in order, then (as by a kill) thrown out of a step between two
  // checkpoints.
  std::atomic<bool> stop = false;
  const auto first = job(
      config, folder / "broken", false, 2, [&](uint64_t step, const Metrics&) { stop = step == 3; },
      &stop);
  EXPECT_TRUE(first.interrupted);
  EXPECT_TRUE(fs::exists(first.checkpoint));
  struct Killed {};
  const auto kill = [](uint64_t step, const Metrics&) {
    if (step >= 5) throw Killed();
  };
  EXPECT_THROW(job(config, folder / "broken", true, 1, kill, nullptr), Killed);
  const auto last = job(config, folder / "broken", true, 1, nullptr, nullptr);
  EXPECT_EQ(last.steps, 7u);
  const auto a = fixed(folder / "straight"), b = fixed(folder / "broken");
  ASSERT_TRUE(a.contains("checkpoints/step-000007/model.safetensors"));
  ASSERT_TRUE(a.contains("metrics.jsonl"));
  for (const auto& [name, bytes] : a) {
    ASSERT_TRUE(b.contains(name)) << name;
    EXPECT_EQ(bytes == b.at(name), true) << name;
  }
}

TEST_F(JobTest, AReplayResumedTwiceEndsInTheSameBits) {
  ExpectSameAfterInterrupts(kReplay, config_, folder_.path(),
                            [&](const fs::path& run) { return Fixed(run); });
}

TEST_F(JobTest, ASupervisedRunResumedTwiceEndsInTheSameBits) {
  ExpectSameAfterInterrupts(kSft, config_, folder_.path(),
                            [&](const fs::path& run) { return Fixed(run); });
}

TEST_F(JobTest, WithTwoIterationsCheckpointsStandBetweenBatches) {
  config_.algorithm.num_iterations = 2;
  config_.checkpoint.every = 3;
  config_.checkpoint.keep = 0;
  const fs::path run = folder_.path() / "run";
  TrainReplay(config_, run, false, 1, nullptr, nullptr);
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(run / "checkpoints"))
    names.push_back(entry.path().filename());
  EXPECT_THAT(names, ::testing::UnorderedElementsAre("step-000004", "step-000006", "step-000007"));
}

TEST_F(JobTest, ResumingWithoutACheckpointStartsFromTheBeginning) {
  config_.run.steps = 2;
  EXPECT_EQ(TrainReplay(config_, folder_.path() / "run", true, 1, nullptr, nullptr).steps, 2u);
}

TEST_F(JobTest, AFinishedRunResumedDoesNothing) {
  config_.run.steps = 2;
  const fs::path run = folder_.path() / "run";
  TrainReplay(config_, run, false, 1, nullptr, nullptr);
  const auto before = Fixed(run);
  EXPECT_EQ(TrainReplay(config_, run, true, 1, nullptr, nullptr).checkpoint,
            CheckpointPath(run, 2));
  EXPECT_EQ(Fixed(run), before);
}

TEST_F(JobTest, AFolderThatHoldsARunIsRefused) {
  config_.run.steps = 1;
  const fs::path run = folder_.path() / "run";
  TrainReplay(config_, run, false, 1, nullptr, nullptr);
  EXPECT_THAT([&] { TrainReplay(config_, run, false, 1, nullptr, nullptr); },
              ::testing::ThrowsMessage<UsageError>(HasSubstr("--resume")));
}

TEST_F(JobTest, ARecordingThatEndsBeforeTheRunIsRefusedBeforeAnyWork) {
  config_.run.steps = 8;
  EXPECT_THAT([&] { TrainReplay(config_, folder_.path() / "run", false, 1, nullptr, nullptr); },
              ::testing::ThrowsMessage<FileError>(HasSubstr("holds 7 generation batches")));
  EXPECT_FALSE(fs::exists(folder_.path() / "run"));
}

TEST_F(JobTest, BadDemonstrationsAreNamedByLine) {
  const ModelFolder model = LoadModelFolder(config_.policy.model);
  const auto error = [&](const std::string& text) -> std::string {
    WriteFileAtomically(config_.data.train.front(), text);
    try {
      ReadDemonstrations(config_.data.train, config_.data, model);
    } catch (const FileError& caught) {
      return caught.what();
    }
    return "no error";
  };
  const std::string good = R"({"prompt_tokens":[1],"completion_tokens":[2]})";
  EXPECT_EQ(error(good), "no error");
  EXPECT_THAT(error(good + "\nnot json\n"), HasSubstr("line 2"));
  EXPECT_THAT(error(R"({"prompt_tokens":[1],"completion_tokens":[96]})"),
              HasSubstr("token ids from 0 to 95"));
  EXPECT_THAT(error(R"({"prompt_tokens":[],"completion_tokens":[9]})"),
              HasSubstr("at least one token"));
  EXPECT_THAT(error(R"({"messages":[],"completion":"x"})"),
              HasSubstr("tokenizer.json: is missing"));
  EXPECT_THAT(error(R"({"prompt":"a","completion":"b"})"), HasSubstr("tokenizer.json: is missing"));
  EXPECT_THAT(error("\n"), HasSubstr("found none"));
}

}  // namespace
}  // namespace hone
