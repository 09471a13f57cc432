#include "reward/scoring_watch.h"

namespace hone {
namespace {

double SecondsBetween(std::chrono::steady_clock::time_point from,
                      std::chrono::steady_clock::time_point to) {
  return std::chrono::duration<double>(to - from).count();
}

}  // namespace

ScoringWatch::View ScoringWatch::Look() const {
  const std::lock_guard lock(mutex_);
  View view = view_;
  if (view.works) view.seconds = SecondsBetween(last_verdict_, Clock::now());
  return view;
}

void ScoringWatch::Stop() {
  const std::lock_guard lock(mutex_);
  stopped_ = true;
}

void ScoringWatch::Begin(const std::string& verifier, double deadline_s) {
  const std::lock_guard lock(mutex_);
  view_.verifier = verifier;
  view_.deadline_s = deadline_s;
  view_.given = 0;
  view_.works = true;
  worked_ = 0;
  since_ = last_verdict_ = Clock::now();
}

double ScoringWatch::End() {
  const std::lock_guard lock(mutex_);
  if (view_.works) worked_ += SecondsBetween(since_, Clock::now());
  view_.works = false;
  return worked_;
}

void ScoringWatch::Judged() {
  const std::lock_guard lock(mutex_);
  ++view_.verdicts;
  ++view_.given;
  last_verdict_ = Clock::now();
  if (stopped_) throw ScoringStopped();
}

void ScoringWatch::Wait() {
  const std::lock_guard lock(mutex_);
  if (view_.works) worked_ += SecondsBetween(since_, Clock::now());
  view_.works = false;
}

void ScoringWatch::GoOn() {
  const std::lock_guard lock(mutex_);
  view_.works = true;
  since_ = last_verdict_ = Clock::now();
}

}  // namespace hone
