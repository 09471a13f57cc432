#include "actors/ledger.h"

#include <algorithm>

#include "common/error.h"

namespace hone {

void Ledger::Open(uint64_t step, uint64_t first_group, uint64_t groups) {
  if (open_) {
    throw RunError("the ledger was to open batch " + std::to_string(step) + " while batch " +
                   std::to_string(step_) + " is not closed: " + Describe());
  }
  if (groups == 0)
    throw RunError("the ledger was to open batch " + std::to_string(step) + " of no groups");
  open_ = true;
  step_ = step;
  first_ = first_group;
  past_ = first_group;
  reissued_ = duplicates_ = 0;
  entries_.assign(groups, Entry{});
  to_generate_.clear();
  to_score_.clear();
}

Ledger::Entry* Ledger::Find(uint64_t group) {
  if (!open_ || group < first_ || group - first_ >= entries_.size()) return nullptr;
  return &entries_[group - first_];
}

// A group of a batch that is closed was answered before; one of a batch to come nobody asked for.
Ledger::Answer Ledger::NotOpen(uint64_t group) {
  if (group >= past_) return Answer::kUnknown;
  ++duplicates_;
  return Answer::kDuplicate;
}

Ledger::Answer Ledger::Issue(uint64_t group) {
  Entry* entry = Find(group);
  if (entry == nullptr) return NotOpen(group);
  if (entry->state != State::kExpected) {
    ++duplicates_;
    return Answer::kDuplicate;
  }
  entry->state = State::kIssued;
  entry->issued = true;
  to_generate_.insert(group);
  return Answer::kAccepted;
}

std::optional<uint64_t> Ledger::FirstExpected() const {
  for (size_t i = 0; open_ && i < entries_.size(); ++i) {
    if (entries_[i].state == State::kExpected) return first_ + i;
  }
  return std::nullopt;
}

std::optional<uint64_t> Ledger::Take(std::set<uint64_t>& waiting, State state,
                                     const std::string& worker) {
  if (waiting.empty()) return std::nullopt;
  const uint64_t group = *waiting.begin();
  waiting.erase(waiting.begin());
  Entry& entry = *Find(group);
  entry.state = state;
  entry.worker = worker;
  return group;
}

std::optional<uint64_t> Ledger::TakeToGenerate(const std::string& worker) {
  return Take(to_generate_, State::kGenerating, worker);
}

std::optional<uint64_t> Ledger::TakeToScore(const std::string& worker) {
  return Take(to_score_, State::kScoring, worker);
}

Ledger::Answer Ledger::Generated(uint64_t group, const std::string& worker) {
  Entry* entry = Find(group);
  if (entry == nullptr) return NotOpen(group);
  if (entry->state != State::kGenerating || entry->worker != worker) {
    ++duplicates_;
    return Answer::kDuplicate;
  }
  entry->state = State::kGenerated;
  entry->generated = true;
  entry->worker.clear();
  entry->attempts = 0;
  to_score_.insert(group);
  return Answer::kAccepted;
}

Ledger::Answer Ledger::Scored(uint64_t group, const std::string& worker) {
  Entry* entry = Find(group);
  if (entry == nullptr) return NotOpen(group);
  if (entry->state != State::kScoring || entry->worker != worker) {
    ++duplicates_;
    return Answer::kDuplicate;
  }
  entry->state = State::kScored;
  entry->scored = true;
  entry->worker.clear();
  return Answer::kAccepted;
}

std::vector<uint64_t> Ledger::Reissue(const std::string& worker, const std::string& cause,
                                      Gone gone) {
  std::vector<uint64_t> groups;
  for (size_t i = 0; open_ && i < entries_.size(); ++i) {
    Entry& entry = entries_[i];
    const bool generating = entry.state == State::kGenerating;
    if (entry.worker != worker || (!generating && entry.state != State::kScoring)) continue;
    if (gone == Gone::kDied && ++entry.attempts >= max_attempts_) {
      throw RunError("group " + std::to_string(first_ + i) + " was given to " +
                     std::to_string(entry.attempts) + " workers to be " +
                     (generating ? "generated" : "scored") +
                     ", and each of them died; the last was " + worker + ": " + cause);
    }
    entry.state = generating ? State::kIssued : State::kGenerated;
    (generating ? to_generate_ : to_score_).insert(first_ + i);
    entry.worker.clear();
    ++reissued_;
    groups.push_back(first_ + i);
  }
  return groups;
}

Ledger::Answer Ledger::Drop(uint64_t group, const std::string& reason) {
  Entry* entry = Find(group);
  if (entry == nullptr) return NotOpen(group);
  if (entry->state == State::kDropped) {
    ++duplicates_;
    return Answer::kDuplicate;
  }
  entry->state = State::kDropped;
  entry->drop_reason = reason;
  entry->worker.clear();
  to_generate_.erase(group);
  to_score_.erase(group);
  return Answer::kAccepted;
}

bool Ledger::all_generated() const {
  return open_ && std::all_of(entries_.begin(), entries_.end(), [](const Entry& entry) {
           return entry.generated || entry.state == State::kDropped;
         });
}

bool Ledger::complete() const {
  return open_ && std::all_of(entries_.begin(), entries_.end(), [](const Entry& entry) {
           return entry.state == State::kScored || entry.state == State::kDropped;
         });
}

std::vector<uint64_t> Ledger::ScoredGroups() const {
  std::vector<uint64_t> groups;
  for (size_t i = 0; i < entries_.size(); ++i) {
    if (entries_[i].state == State::kScored) groups.push_back(first_ + i);
  }
  return groups;
}

void Ledger::Trained() {
  for (Entry& entry : entries_) {
    if (entry.state == State::kScored) entry.state = State::kTrained;
  }
}

uint64_t Ledger::Count(bool Entry::*flag) const {
  return static_cast<uint64_t>(std::count_if(entries_.begin(), entries_.end(),
                                             [&](const Entry& entry) { return entry.*flag; }));
}

LedgerLine Ledger::Close() {
  LedgerLine line;
  line.step = step_ + 1;
  line.first_group = first_;
  line.last_group = first_ + entries_.size() - 1;
  line.issued = Count(&Entry::issued);
  line.generated = Count(&Entry::generated);
  line.scored = Count(&Entry::scored);
  uint64_t dropped = 0;
  for (const Entry& entry : entries_) {
    if (entry.state == State::kTrained) ++line.trained;
    if (entry.state == State::kDropped) {
      ++line.dropped[entry.drop_reason];
      ++dropped;
    }
  }
  line.reissued = reissued_;
  line.duplicates = duplicates_;
  if (!open_ || line.trained + dropped != entries_.size()) {
    throw RunError("the ledger of batch " + std::to_string(step_) + " does not close: of " +
                   std::to_string(entries_.size()) + " groups " + std::to_string(line.trained) +
                   " were trained and " + std::to_string(dropped) + " dropped: " + Describe());
  }
  open_ = false;
  past_ = first_ + entries_.size();
  return line;
}

std::string Ledger::Describe() const {
  if (!open_) return "no batch is open";
  static constexpr const char* kNames[] = {"not issued",      "waiting for a rollout worker",
                                           "being generated", "waiting for a reward worker",
                                           "being scored",    "scored",
                                           "trained",         "dropped"};
  constexpr size_t kShown = 8;  // groups named for each state
  std::string text;
  for (size_t state = 0; state < std::size(kNames); ++state) {
    size_t count = 0;
    std::string names;
    for (size_t i = 0; i < entries_.size(); ++i) {
      if (entries_[i].state != static_cast<State>(state)) continue;
      if (++count > kShown) continue;
      names += (names.empty() ? "" : ", ") + std::to_string(first_ + i);
      if (!entries_[i].worker.empty()) names += " by " + entries_[i].worker;
    }
    if (count == 0) continue;
    if (count > kShown) names += ", …";
    text += (text.empty() ? "" : "; ") + std::to_string(count) + " " + kNames[state] + " (" +
            names + ")";
  }
  return "batch " + std::to_string(step_) + ": " + text;
}

}  // namespace hone
