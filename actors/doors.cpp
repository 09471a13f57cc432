#include "actors/doors.h"

#include <algorithm>
#include <cctype>

#include "common/log.h"
#include "transport/address.h"

namespace hone {
namespace {

constexpr std::string_view kOutside = "remote/";
constexpr size_t kLongestName = 200;

// Names stand in logs and errors.
bool IsName(const std::string& identity) {
  return !identity.empty() && identity.size() <= kLongestName &&
         std::all_of(identity.begin(), identity.end(), [](unsigned char c) {
           return std::isalnum(c) || c == '.' || c == '_' || c == '-';
         });
}

std::string NameOutside(const std::string& peer) { return peer.substr(kOutside.size()); }

// What is said last, that the run is over, must get out.
SocketOptions Lingering(SocketOptions options) {
  options.linger = std::chrono::seconds(2);
  return options;
}

}  // namespace

Doors::Doors(zmq::context_t& context, const std::string& inside, const std::string& outside,
             const SocketOptions& options)
    : inside_(context, inside, options) {
  if (outside.empty()) return;
  CheckLocalAddress("[transport] bind", outside);
  outside_.emplace(context, outside, Lingering(options));
  spdlog::info("workers of other processes can join at {}", outside);
}

bool Doors::IsOutside(const std::string& peer) { return peer.starts_with(kOutside); }

std::optional<RouterSocket::Received> Doors::Receive(std::chrono::milliseconds wait) {
  if (!outside_) return inside_.Receive(wait);
  RouterSocket* const both[] = {&inside_, &*outside_};
  RouterSocket::Wait(both, wait);
  if (auto received = inside_.Receive(std::chrono::milliseconds{0})) return received;
  auto received = outside_->Receive(std::chrono::milliseconds{0});
  if (!received) return std::nullopt;
  if (!IsName(received->peer)) {
    spdlog::debug("broker: a stranger whose name is no name is not heard");
    return std::nullopt;
  }
  received->peer.insert(0, kOutside);
  return received;
}

void Doors::Send(const std::string& peer, Frames frames) {
  if (IsOutside(peer)) {
    outside_->Send(NameOutside(peer), std::move(frames));
  } else {
    inside_.Send(peer, std::move(frames));
  }
}

std::vector<std::string> Doors::Flush() {
  std::vector<std::string> gone = inside_.Flush();
  if (!outside_) return gone;
  for (const std::string& name : outside_->Flush()) gone.push_back(std::string(kOutside) + name);
  return gone;
}

void Doors::Drop(const std::string& peer) {
  if (IsOutside(peer)) {
    outside_->Drop(NameOutside(peer));
  } else {
    inside_.Drop(peer);
  }
}

}  // namespace hone
