#include "actors/ledger.h"

#include <gtest/gtest.h>

#include "common/error.h"
#include "common/philox.h"

namespace hone {
namespace {

using Answer = Ledger::Answer;

// Drives all groups of an open batch to the end.
void Finish(Ledger& ledger) {
  while (auto group = ledger.FirstExpected()) ledger.Issue(*group);
  while (auto group = ledger.TakeToGenerate("a")) ledger.Generated(*group, "a");
  while (auto group = ledger.TakeToScore("b")) ledger.Scored(*group, "b");
}

TEST(LedgerTest, CountsAGroupOnceAtEachStage) {
  Ledger ledger;
  ledger.Open(3, 30, 4);
  Finish(ledger);
  ASSERT_TRUE(ledger.complete());
  EXPECT_EQ(ledger.ScoredGroups(), (std::vector<uint64_t>{30, 31, 32, 33}));
  ledger.Trained();
  const LedgerLine line = ledger.Close();
  EXPECT_EQ(line.step, 4u);
  EXPECT_EQ(line.first_group, 30u);
  EXPECT_EQ(line.last_group, 33u);
  EXPECT_EQ(line.issued, 4u);
  EXPECT_EQ(line.generated, 4u);
  EXPECT_EQ(line.scored, 4u);
  EXPECT_EQ(line.trained, 4u);
  EXPECT_TRUE(line.dropped.empty());
  EXPECT_EQ(line.reissued, 0u);
  EXPECT_EQ(line.duplicates, 0u);
}

TEST(LedgerTest, GivesTheLowestGroupFirst) {
  Ledger ledger;
  ledger.Open(0, 0, 3);
  ledger.Issue(2);
  ledger.Issue(0);
  EXPECT_EQ(ledger.TakeToGenerate("a"), 0u);
  EXPECT_EQ(ledger.TakeToGenerate("a"), 2u);
  EXPECT_EQ(ledger.TakeToGenerate("a"), std::nullopt);
  EXPECT_EQ(ledger.FirstExpected(), 1u);
}

TEST(LedgerTest, DoesNotCloseWhileAGroupIsOpen) {
  Ledger ledger;
  ledger.Open(0, 0, 2);
  ledger.Issue(0);
  ledger.Issue(1);
  ledger.TakeToGenerate("worker-7");
  try {
    ledger.Close();
    FAIL() << "closed";
  } catch (const RunError& error) {
    EXPECT_NE(std::string(error.what()).find("0 by worker-7"), std::string::npos) << error.what();
  }
}

TEST(LedgerTest, DoesNotCloseWhatWasScoredButNotTrained) {
  Ledger ledger;
  ledger.Open(0, 0, 2);
  Finish(ledger);
  EXPECT_THROW(ledger.Close(), RunError);
}

TEST(LedgerTest, DoesNotOpenABatchOverAnOpenOne) {
  Ledger ledger;
  ledger.Open(0, 0, 2);
  EXPECT_THROW(ledger.Open(1, 2, 2), RunError);
}

TEST(LedgerTest, AnAnswerCountsOnceAndOnlyFromItsWorker) {
  Ledger ledger;
  ledger.Open(0, 0, 1);
  EXPECT_EQ(ledger.Issue(0), Answer::kAccepted);
  EXPECT_EQ(ledger.Issue(0), Answer::kDuplicate);
  ledger.TakeToGenerate("a");
  EXPECT_EQ(ledger.Generated(0, "b"), Answer::kDuplicate);
  EXPECT_EQ(ledger.Generated(0, "a"), Answer::kAccepted);
  EXPECT_EQ(ledger.Generated(0, "a"), Answer::kDuplicate);
  ledger.TakeToScore("r");
  EXPECT_EQ(ledger.Scored(0, "r"), Answer::kAccepted);
  EXPECT_EQ(ledger.Scored(0, "r"), Answer::kDuplicate);
  EXPECT_EQ(ledger.Scored(7, "r"), Answer::kUnknown);
  ledger.Trained();
  EXPECT_EQ(ledger.Close().duplicates, 4u);
  EXPECT_EQ(ledger.Generated(0, "a"), Answer::kDuplicate);  // long after
}

TEST(LedgerTest, ADeadWorkersGroupsAreIssuedAgain) {
  Ledger ledger;
  ledger.Open(0, 0, 3);
  while (auto group = ledger.FirstExpected()) ledger.Issue(*group);
  ledger.TakeToGenerate("a");
  ledger.TakeToGenerate("b");
  ledger.TakeToGenerate("a");
  ledger.Generated(0, "a");
  EXPECT_EQ(ledger.Reissue("a", "gone"), std::vector<uint64_t>{2});
  EXPECT_EQ(ledger.Generated(2, "a"), Answer::kDuplicate);  // the dead speaks
  EXPECT_EQ(ledger.TakeToGenerate("b"), 2u);
  ledger.TakeToScore("r");
  EXPECT_EQ(ledger.Reissue("r", "gone"), std::vector<uint64_t>{0});
  EXPECT_EQ(ledger.TakeToScore("s"), 0u);
  EXPECT_TRUE(ledger.Reissue("a", "gone").empty());
}

TEST(LedgerTest, AWorkerThatLeavesBlamesNoGroup) {
  Ledger ledger(3);
  ledger.Open(0, 5, 1);
  ledger.Issue(5);
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(ledger.TakeToGenerate("a"), 5u);
    EXPECT_EQ(ledger.Reissue("a", "told to", Ledger::Gone::kLeft), std::vector<uint64_t>{5});
  }
}

TEST(LedgerTest, AGroupThatKillsEveryWorkerEndsTheRun) {
  Ledger ledger(3);
  ledger.Open(0, 5, 1);
  ledger.Issue(5);
  ledger.TakeToGenerate("a");
  ledger.Reissue("a", "boom");
  ledger.TakeToGenerate("b");
  ledger.Reissue("b", "boom");
  ledger.TakeToGenerate("c");
  try {
    ledger.Reissue("c", "boom");
    FAIL() << "went on";
  } catch (const RunError& error) {
    const std::string text = error.what();
    EXPECT_NE(text.find("group 5"), std::string::npos);
    EXPECT_NE(text.find("boom"), std::string::npos);
  }
}

TEST(LedgerTest, DroppedGroupsAreCountedByReason) {
  Ledger ledger;
  ledger.Open(0, 0, 4);
  ledger.Issue(0);
  ledger.Issue(1);
  ledger.Drop(1, "no signal");
  ledger.Drop(2, "no signal");
  EXPECT_EQ(ledger.Drop(2, "again"), Answer::kDuplicate);
  ledger.Drop(3, "too long");
  Finish(ledger);
  ASSERT_TRUE(ledger.complete());
  ledger.Trained();
  const LedgerLine line = ledger.Close();
  EXPECT_EQ(line.trained, 1u);
  EXPECT_EQ(line.dropped, (std::map<std::string, uint64_t>{{"no signal", 2}, {"too long", 1}}));
}

// Random order, duplicates, late words of dead workers, deaths: every seed closes, with every group
// trained or dropped exactly once.
void Simulate(uint64_t seed) {
  SCOPED_TRACE("seed " + std::to_string(seed));
  PhiloxSequence draw(seed, {Purpose::kGenerateData, 0, 0, 0});
  Ledger ledger(1000);
  uint64_t first = 0, names = 0;
  std::vector<std::string> workers;
  const auto name = [&] { return "w" + std::to_string(names++); };
  for (int i = 0; i < 4; ++i) workers.push_back(name());
  struct Held {
    uint64_t group;
    std::string worker;
    bool score;
  };
  std::vector<Held>
      held;  // answers on their way; those of the dead and the given ones stay for a while
  for (uint64_t step = 0; step < 5; ++step) {
    const uint64_t groups = 1 + draw.Below(9);
    ledger.Open(step, first, groups);
    uint64_t accepted = 0, dropped = 0, turns = 0;
    while (!ledger.complete()) {
      ASSERT_LT(++turns, 100000u);
      const std::string worker = workers[draw.Below(static_cast<uint32_t>(workers.size()))];
      switch (draw.Below(10)) {
        case 0:
        case 1: {
          const uint64_t group = first + draw.Below(static_cast<uint32_t>(groups));
          ledger.Issue(group);
          break;
        }
        case 2:
        case 3:
          if (auto group = ledger.TakeToGenerate(worker)) held.push_back({*group, worker, false});
          break;
        case 4:
        case 5:
          if (auto group = ledger.TakeToScore(worker)) held.push_back({*group, worker, true});
          break;
        case 6:
        case 7:
        case 8: {
          if (held.empty()) break;
          const size_t i = draw.Below(static_cast<uint32_t>(held.size()));
          const Held answer = held[i];
          const Answer said = answer.score ? ledger.Scored(answer.group, answer.worker)
                                           : ledger.Generated(answer.group, answer.worker);
          EXPECT_NE(said, Answer::kUnknown);
          if (answer.score && said == Answer::kAccepted) ++accepted;
          if (draw.Below(3) > 0)
            held.erase(held.begin() + static_cast<ptrdiff_t>(i));  // else twice
          break;
        }
        default:
          if (draw.Below(4) == 0) {
            ledger.Reissue(worker, "died");
            *std::find(workers.begin(), workers.end(), worker) = name();
          } else if (draw.Below(20) == 0) {
            const uint64_t group = first + draw.Below(static_cast<uint32_t>(groups));
            const std::vector<uint64_t> scored = ledger.ScoredGroups();
            if (std::find(scored.begin(), scored.end(), group) != scored.end()) break;
            if (ledger.Drop(group, "dropped") == Answer::kAccepted) ++dropped;
          }
      }
    }
    EXPECT_EQ(accepted + dropped, groups);
    ledger.Trained();
    const LedgerLine line = ledger.Close();
    EXPECT_EQ(line.trained, accepted);
    EXPECT_EQ(line.trained + (dropped > 0 ? line.dropped.at("dropped") : 0), groups);
    EXPECT_LE(line.trained, line.scored);
    EXPECT_LE(line.scored, line.generated);
    EXPECT_LE(line.generated, line.issued);
    EXPECT_LE(line.issued, groups);
    first += groups;
  }
}

TEST(LedgerTest, ClosesUnderAnyOrderWithDeathsAndDuplicates) {
  for (uint64_t seed = 0; seed < 2000; ++seed) {
    Simulate(seed);
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace hone
