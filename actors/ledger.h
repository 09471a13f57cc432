// The account of every group: issued, generated, scored, and trained or dropped with a reason.
//
// Pure logic: no sockets, no clock, no payloads. A group moves along
//   expected → waiting to be generated → generating → waiting to be scored → scoring → scored →
//   trained
// and any of them → dropped. A dead worker's groups step back to waiting. What a group's answer is
// depends on its address alone, so which worker gives it, and how often it was asked for, is no
// matter.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace hone {

// One line of ledger.jsonl: a generation batch, closed.
struct LedgerLine {
  uint64_t step = 0;  // the generation batch's ordinal + 1, as in traces
  uint64_t first_group = 0, last_group = 0;
  uint64_t issued = 0, generated = 0, scored = 0, trained = 0;
  std::map<std::string, uint64_t> dropped;  // by reason
  uint64_t reissued = 0;    // times a group was given to another worker since one had died
  uint64_t duplicates = 0;  // answers to a group that had one, or that came from the wrong worker
};

class Ledger {
 public:
  enum class Answer { kAccepted, kDuplicate, kUnknown };

  // A group whose workers die `max_attempts` times at one task ends the run.
  explicit Ledger(int max_attempts = 5) : max_attempts_(max_attempts) {}

  // Starts a generation batch of `groups` > 0 groups. Throws RunError unless the last one is
  // closed.
  void Open(uint64_t step, uint64_t first_group, uint64_t groups);
  bool open() const { return open_; }

  Answer Issue(uint64_t group);
  // The first group of the open batch that has not been issued.
  std::optional<uint64_t> FirstExpected() const;

  // The lowest group that waits for a worker, now assigned to this one.
  std::optional<uint64_t> TakeToGenerate(const std::string& worker);
  std::optional<uint64_t> TakeToScore(const std::string& worker);
  // An answer counts once, and only from the worker that the group is assigned to.
  Answer Generated(uint64_t group, const std::string& worker);
  Answer Scored(uint64_t group, const std::string& worker);

  // Puts the groups of a worker that is gone back to wait; returns them. Where it died, a group may
  // be to blame: throws RunError when one comes back so too often, with `cause`.
  enum class Gone { kDied, kLeft };
  std::vector<uint64_t> Reissue(const std::string& worker, const std::string& cause,
                                Gone gone = Gone::kDied);

  // A group that is not to be trained on. kDuplicate when it was dropped before.
  Answer Drop(uint64_t group, const std::string& reason);

  bool all_generated() const;  // all groups have been generated (or dropped)
  bool complete() const;       // all groups are scored or dropped: the batch can be learned
  // The groups to be learned, in order.
  std::vector<uint64_t> ScoredGroups() const;
  // All scored groups were trained on.
  void Trained();
  // Ends the batch. Throws RunError when the sum does not close, with the sum.
  LedgerLine Close();

  // "2 of 8 groups are being generated (17: rollout_worker-0, 18: rollout_worker-1)", for error
  // messages.
  std::string Describe() const;

 private:
  enum class State {
    kExpected,
    kIssued,
    kGenerating,
    kGenerated,
    kScoring,
    kScored,
    kTrained,
    kDropped
  };
  struct Entry {
    State state = State::kExpected;
    std::string worker;  // that it is assigned to
    int attempts = 0;    // of its present task
    std::string drop_reason;
    bool issued = false, generated = false, scored = false;
  };

  Entry* Find(uint64_t group);
  Answer NotOpen(uint64_t group);
  std::optional<uint64_t> Take(std::set<uint64_t>& waiting, State state, const std::string& worker);
  uint64_t Count(bool Entry::*flag) const;

  int max_attempts_;
  bool open_ = false;
  uint64_t step_ = 0, first_ = 0;
  uint64_t reissued_ = 0, duplicates_ = 0;
  std::vector<Entry> entries_;  // of groups first_, first_ + 1, …
  std::set<uint64_t> to_generate_, to_score_;
  uint64_t past_ = 0;  // groups below this one have been closed
};

}  // namespace hone
