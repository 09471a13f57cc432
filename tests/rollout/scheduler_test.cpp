#include "rollout/scheduler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <vector>

#include "common/philox.h"

namespace hone {
namespace {

// Stands in for the model: a slot of the cache holds a hash of all tokens up to its position, and a
// row is right when it sees the hashes of its own sequence at every position before it.
class SimulatedCache {
 public:
  SimulatedCache(int32_t pages, int32_t page_size)
      : page_size_(page_size), slots_(static_cast<size_t>(pages) * page_size, 0) {}

  void Run(const Batch& batch, const std::vector<ScheduledRows>& scheduled) {
    ASSERT_EQ(batch.spans.size(), scheduled.size());
    ASSERT_EQ(batch.page_size, page_size_);
    for (size_t i = 0; i < scheduled.size(); ++i) {
      // What comes before a span is there already or in an earlier span, or it is copied.
      const SequenceSpan& span = batch.spans[i];
      const Sequence& sequence = *scheduled[i].sequence;
      const bool copied = sequence.prompt_end_page >= 0;
      Check(batch, span, sequence,
            copied ? span.position / page_size_ * page_size_ : span.position);
      Write(batch, span, sequence);
    }
    for (const PageCopy& copy : batch.copies) {
      const auto source = slots_.begin() + copy.source * page_size_;
      std::copy(source, source + copy.slots, slots_.begin() + copy.target * page_size_);
    }
    for (size_t i = 0; i < scheduled.size(); ++i) {
      const SequenceSpan& span = batch.spans[i];
      Check(batch, span, *scheduled[i].sequence, span.position + span.rows);
    }
  }

 private:
  static std::vector<uint64_t> Hashes(const Sequence& sequence) {
    std::vector<uint64_t> hashes;
    uint64_t hash = 1;
    for (const int32_t token : sequence.tokens) {
      hash = hash * 0x9E3779B97F4A7C15u + static_cast<uint64_t>(token) + 1;
      hashes.push_back(hash);
    }
    return hashes;
  }
  uint64_t& Slot(const Batch& batch, const SequenceSpan& span, int32_t position) {
    return slots_[batch.pages[span.first_page + position / page_size_] * page_size_ +
                  position % page_size_];
  }
  void Write(const Batch& batch, const SequenceSpan& span, const Sequence& sequence) {
    const std::vector<uint64_t> hashes = Hashes(sequence);
    for (int32_t i = 0; i < span.rows; ++i) {
      ASSERT_EQ(batch.tokens_T[span.first_row + i], sequence.tokens[span.position + i]);
      Slot(batch, span, span.position + i) = hashes[span.position + i];
    }
  }
  void Check(const Batch& batch, const SequenceSpan& span, const Sequence& sequence, int32_t end) {
    const std::vector<uint64_t> hashes = Hashes(sequence);
    for (int32_t position = 0; position < end; ++position) {
      ASSERT_EQ(Slot(batch, span, position), hashes[position])
          << "group " << sequence.group->ordinal << " sample " << sequence.sample << " position "
          << position;
    }
  }

  const int32_t page_size_;
  std::vector<uint64_t> slots_;
};

// Drives a scheduler as the engine does, with random prompts, group sizes and lengths.
class Simulation {
 public:
  Simulation(uint64_t seed, int32_t pages, int32_t page_size, int32_t max_sequences,
             int32_t max_batch_tokens)
      : draws_(seed, {Purpose::kGenerateData}),
        max_sequences_(max_sequences),
        max_batch_tokens_(max_batch_tokens),
        cache_(pages, page_size),
        scheduler_(pages, max_sequences, max_batch_tokens, page_size) {}

  void Submit(uint64_t ordinal, int32_t prompt_length, int32_t samples) {
    auto leader = std::make_unique<Sequence>();
    leader->group = std::make_shared<Group>();
    leader->group->ordinal = ordinal;
    leader->group->prompt_length = prompt_length;
    leader->group->completions.resize(samples);
    for (int32_t i = 0; i < prompt_length; ++i) leader->tokens.push_back(Below(1000));
    scheduler_.Add(std::move(leader));
    unfinished_ += samples;
  }

  // To the end, drawing completions of 1 to `longest` tokens.
  void Run(int32_t longest) {
    Batch batch;
    std::vector<ScheduledRows> scheduled;
    while (scheduler_.Plan(&batch, &scheduled)) {
      ASSERT_LE(batch.rows(), max_batch_tokens_);
      ASSERT_LE(scheduled.size(), static_cast<size_t>(max_sequences_));
      cache_.Run(batch, scheduled);
      if (::testing::Test::HasFatalFailure()) return;
      scheduler_.Commit(scheduled);
      std::vector<Sequence*> drawn;
      for (const ScheduledRows& part : scheduled) {
        if (!part.complete) continue;
        drawn.push_back(part.sequence);
        if (part.sequence->completion_length() > 0) continue;
        for (uint32_t i = 1; i < part.sequence->group->completions.size(); ++i) {
          drawn.push_back(scheduler_.Fork(*part.sequence, i));
        }
      }
      for (Sequence* sequence : drawn) Draw(*sequence, longest);
      ASSERT_LT(++batches_, 100000);
    }
    EXPECT_EQ(unfinished_, 0);
    EXPECT_TRUE(scheduler_.empty());
    EXPECT_EQ(scheduler_.pool().free(), scheduler_.pool().size());
  }
  int64_t preemptions() const { return scheduler_.preemptions(); }

 private:
  int32_t Below(uint32_t bound) { return static_cast<int32_t>(draws_.Below(bound)); }
  void Draw(Sequence& sequence, int32_t longest) {
    sequence.tokens.push_back(Below(1000));
    if (sequence.completion_length() == longest || Below(longest) == 0) {
      scheduler_.Remove(sequence);
      --unfinished_;
    }
  }

  PhiloxSequence draws_;
  const int32_t max_sequences_, max_batch_tokens_;
  SimulatedCache cache_;
  Scheduler scheduler_;
  int32_t unfinished_ = 0, batches_ = 0;
};

TEST(SchedulerTest, EveryRowSeesItsOwnSequenceWhateverTheLimits) {
  int64_t preemptions = 0;
  for (uint64_t seed = 0; seed < 300; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    PhiloxSequence draws(seed, {Purpose::kGenerateData, 1});
    // Up to 60 + 40 positions a sequence: 7 pages of 16.
    const int32_t page_size = std::vector<int32_t>{16, 16, 32, 64}[draws.Below(4)];
    const auto pages = static_cast<int32_t>((7 + draws.Below(40)) * 16 / page_size + 1);
    Simulation simulation(seed, pages, page_size, static_cast<int32_t>(1 + draws.Below(20)),
                          static_cast<int32_t>(1 + draws.Below(100)));
    for (uint64_t group = 0; group < 12; ++group) {
      simulation.Submit(group, static_cast<int32_t>(1 + draws.Below(60)),
                        static_cast<int32_t>(1 + draws.Below(8)));
    }
    simulation.Run(40);
    if (HasFatalFailure()) return;
    preemptions += simulation.preemptions();
  }
  EXPECT_GT(preemptions, 1000);
}

TEST(SchedulerTest, ASiblingsPromptIsTakenOnlyWhenItIsComputed) {
  // Prompts that fill their pages, in chunks: a sample that was put back after its first token has
  // one row to compute once it shares a sibling's pages, and that row comes before the sibling's
  // chunks.
  for (uint64_t seed = 0; seed < 300; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    PhiloxSequence draws(seed, {Purpose::kGenerateData, 2});
    Simulation simulation(seed, static_cast<int32_t>(6 + draws.Below(6)), kDefaultPageSize, 10,
                          static_cast<int32_t>(1 + draws.Below(20)));
    for (uint64_t group = 0; group < 8; ++group) {
      simulation.Submit(group, static_cast<int32_t>(16 * (1 + draws.Below(3))),
                        static_cast<int32_t>(2 + draws.Below(4)));
    }
    simulation.Run(40);
    if (HasFatalFailure()) return;
  }
}

TEST(SchedulerTest, DoesNotPreemptWhileThereAreFreePages) {
  Simulation simulation(1, 8 * 7, kDefaultPageSize, 8, 64);
  for (uint64_t group = 0; group < 20; ++group) simulation.Submit(group, 60, 4);
  simulation.Run(40);
  EXPECT_EQ(simulation.preemptions(), 0);
}

std::unique_ptr<Sequence> MakeLeader(uint64_t ordinal, int32_t length, int32_t samples) {
  auto leader = std::make_unique<Sequence>();
  leader->group = std::make_shared<Group>();
  leader->group->ordinal = ordinal;
  leader->group->prompt_length = length;
  leader->group->completions.resize(samples);
  leader->tokens.resize(length);
  return leader;
}

TEST(SchedulerTest, AnOlderSampleThatWaitsWithPagesRunsWhenAllElseGivesWay) {
  Scheduler scheduler(/*pages=*/5, /*max_sequences=*/2, /*max_batch_tokens=*/64);
  scheduler.Add(MakeLeader(0, 20, 2));
  scheduler.Add(MakeLeader(1, 31, 1));
  Batch batch;
  std::vector<ScheduledRows> scheduled;
  ASSERT_TRUE(scheduler.Plan(&batch, &scheduled));
  ASSERT_EQ(scheduled.size(), 2u);
  scheduler.Commit(scheduled);
  Sequence* fork = scheduler.Fork(*scheduled[0].sequence, 1);
  scheduler.Remove(*scheduled[0].sequence);
  fork->tokens.push_back(0);
  scheduled[1].sequence->tokens.push_back(0);
  // The younger group goes on for as long as there are pages; the fork waits for one.
  for (int32_t length = 33; length <= 49; ++length) {
    ASSERT_TRUE(scheduler.Plan(&batch, &scheduled));
    ASSERT_EQ(scheduled.size(), 1u);
    ASSERT_EQ(scheduled[0].sequence->group->ordinal, 1u);
    scheduler.Commit(scheduled);
    scheduled[0].sequence->tokens.push_back(0);
  }
  ASSERT_EQ(scheduler.pool().free(), 0);
  ASSERT_TRUE(scheduler.Plan(&batch, &scheduled));
  EXPECT_EQ(scheduled[0].sequence, fork);
  EXPECT_EQ(scheduler.preemptions(), 1);
}

TEST(SchedulerTest, DecodesComeBeforePrefillsAndFillTheBatch) {
  Scheduler scheduler(100, 10, 20);
  scheduler.Add(MakeLeader(0, 30, 1));
  scheduler.Add(MakeLeader(1, 1, 1));
  Batch batch;
  std::vector<ScheduledRows> scheduled;
  ASSERT_TRUE(scheduler.Plan(&batch, &scheduled));
  ASSERT_EQ(scheduled.size(), 1u);  // all rows go to the oldest, which is not through
  EXPECT_EQ(scheduled[0].rows, 20);
  EXPECT_FALSE(scheduled[0].complete);
  scheduler.Commit(scheduled);
  ASSERT_TRUE(scheduler.Plan(&batch, &scheduled));
  ASSERT_EQ(scheduled.size(), 2u);
  EXPECT_EQ(scheduled[0].sequence->group->ordinal, 1u);
  EXPECT_EQ(scheduled[0].last_row, 0);
  EXPECT_EQ(scheduled[1].rows, 10);
  EXPECT_TRUE(scheduled[1].complete);
  EXPECT_EQ(scheduled[1].last_row, 10);
  EXPECT_EQ(batch.spans[1].position, 20);
}

}  // namespace
}  // namespace hone
