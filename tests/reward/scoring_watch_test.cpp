#include "reward/scoring_watch.h"

#include <gtest/gtest.h>

#include <thread>

namespace hone {
namespace {

void Sleep(int milliseconds) {
  std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
}

TEST(ScoringWatchTest, ShowsWhoseTurnItIsAndHowLongAVerdictHasTaken) {
  ScoringWatch watch;
  EXPECT_EQ(watch.Look().verifier, "");
  watch.Begin("slow", 7);
  watch.Judged();
  Sleep(20);
  ScoringWatch::View view = watch.Look();
  EXPECT_EQ(view.verifier, "slow");
  EXPECT_EQ(view.deadline_s, 7);
  EXPECT_EQ(view.given, 1u);
  EXPECT_TRUE(view.works);
  EXPECT_GE(view.seconds, 0.02);
  watch.Judged();
  watch.End();
  watch.Begin("next", 0);
  view = watch.Look();
  EXPECT_LT(view.seconds, 0.02);
  EXPECT_EQ(view.given, 0u);
  EXPECT_EQ(view.verdicts, 2u);
}

TEST(ScoringWatchTest, WaitingIsNoWork) {
  ScoringWatch watch;
  watch.Begin("slow", 7);
  watch.Wait();
  Sleep(100);
  EXPECT_FALSE(watch.Look().works);
  watch.GoOn();
  EXPECT_LT(watch.Look().seconds, 0.1);
  Sleep(10);
  const double worked = watch.End();
  EXPECT_GE(worked, 0.01);
  EXPECT_LT(worked, 0.1);
}

TEST(ScoringWatchTest, AStopEndsTheScoringAtItsNextVerdict) {
  ScoringWatch watch;
  watch.Begin("slow", 7);
  watch.Judged();
  watch.Stop();
  EXPECT_THROW(watch.Judged(), ScoringStopped);
}

}  // namespace
}  // namespace hone
