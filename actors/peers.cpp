#include "actors/peers.h"

#include <algorithm>

#include "actors/ring.h"

namespace hone {

Peer* Peers::Find(const std::string& identity) {
  const auto peer = peers_.find(identity);
  return peer == peers_.end() ? nullptr : &peer->second;
}

bool Peers::Add(const std::string& identity, const std::string& role) {
  if (lost_.contains(identity) || peers_.contains(identity)) return false;
  Peer& peer = peers_[identity];
  peer.role = role;
  peer.heard = Clock::now();
  peer.state = "has said hello";
  return true;
}

bool Peers::Remove(const std::string& identity) {
  lost_.insert(identity);
  return peers_.erase(identity) > 0;
}

std::vector<std::string> Peers::WithRole(const std::string& role) const {
  std::vector<std::string> found;
  for (const auto& [identity, peer] : peers_) {
    if (peer.role == role) found.push_back(identity);
  }
  return found;
}

std::vector<std::string> Peers::All() const {
  std::vector<std::string> all;
  for (const auto& [identity, peer] : peers_) all.push_back(identity);
  return all;
}

size_t Peers::CountOf(bool (*is_counted)(const std::string& identity)) const {
  return static_cast<size_t>(std::count_if(
      peers_.begin(), peers_.end(), [&](const auto& entry) { return is_counted(entry.first); }));
}

std::string Peers::Idlest(const std::string& role) const {
  const std::pair<const std::string, Peer>* best = nullptr;
  for (const auto& entry : peers_) {
    const Peer& peer = entry.second;
    if (peer.role != role || peer.credit == 0) continue;
    if (role == kRolloutWorker && !peer.holds_weights) continue;
    if (best == nullptr || peer.in_hand < best->second.in_hand) best = &entry;
  }
  return best == nullptr ? "" : best->first;
}

std::vector<std::string> Peers::SilentSince(Clock::time_point then) const {
  std::vector<std::string> silent;
  for (const auto& [identity, peer] : peers_) {
    if (peer.role != kLearner && peer.heard < then) silent.push_back(identity);
  }
  return silent;
}

std::string Peers::Describe() const {
  std::string text;
  for (const auto& [identity, peer] : peers_) {
    text += (text.empty() ? "" : "; ") + identity + " " + peer.state;
  }
  return text.empty() ? "no worker is connected" : text;
}

void Peers::ForgetWeights() {
  for (auto& [identity, peer] : peers_) peer.holds_weights = false;
}

}  // namespace hone
