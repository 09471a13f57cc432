// The workers that the broker has heard of.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "transport/messages.h"

namespace hone {

struct Peer {
  std::string role;
  uint64_t credit = 0;   // groups that it can take more
  uint64_t in_hand = 0;  // groups that it was given and has not answered
  bool delivered = false;
  bool holds_weights = false;  // of the current version
  uint64_t refused_version = 0;
  int refusals = 0;  // of that version
  uint64_t progress = 0;
  std::string state;
  std::chrono::steady_clock::time_point heard;
};

// Thread contract: one thread. An identity that was lost is never heard again: what starts anew has
// a new one, so a late word of a dead worker changes nothing.
class Peers {
 public:
  using Clock = std::chrono::steady_clock;

  // The peer, or null for a stranger. A pointer is good until the next Add or Remove.
  Peer* Find(const std::string& identity);
  // False when this identity was lost before, or is known already.
  bool Add(const std::string& identity, const std::string& role);
  // Counts this identity as dead, known or not. False when it was not known.
  bool Remove(const std::string& identity);

  std::vector<std::string> WithRole(const std::string& role) const;
  std::vector<std::string> All() const;
  size_t CountOf(bool (*is_counted)(const std::string& identity)) const;
  // The worker of this role with credit that has the least in hand; empty when there is none.
  // Rollout workers must hold the current weights.
  std::string Idlest(const std::string& role) const;
  // Who has said nothing since `then`. The learner is silent while it learns, and not counted.
  std::vector<std::string> SilentSince(Clock::time_point then) const;
  // "rollout_worker-0 waits for weights; …"
  std::string Describe() const;
  void ForgetWeights();

 private:
  std::map<std::string, Peer> peers_;
  std::set<std::string> lost_;
};

}  // namespace hone
