// Two kinds of socket carry every message of a run: the broker's one ROUTER, which binds, and a
// DEALER for each worker, which connects. Whether that is inside a process (inproc://), between
// processes (ipc://) or between hosts (tcp://) is a matter of the address alone.
//
// No call blocks longer than kSlice. What cannot be sent at once waits in an outbox; that outboxes
// stay small is the work of credits, not of a high-water mark. Thread contract: one thread a
// socket.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>
#include <zmq.hpp>

#include "transport/codec.h"

namespace hone {

inline constexpr std::chrono::milliseconds kSlice{20};

// A message of more frames is cut to this many when received, and so refused by Decode.
inline constexpr size_t kMaxFrames = 3;

// Throws RunError for a libzmq below 4.3.4 (CVE-2020-15166, CVE-2021-20235 and kin).
void CheckZmqVersion();

struct SocketOptions {
  // Of one frame; a peer that sends a longer one over ipc or tcp is disconnected.
  int64_t max_frame_bytes = int64_t{1} << 30;
  // What was sent and has not left this process when the socket closes gets so long; it is the
  // context's end that waits. None inside a process, where what is sent has arrived.
  std::chrono::milliseconds linger{0};
};

class RouterSocket {
 public:
  struct Received {
    std::string peer;
    Frames frames;
  };

  // Binds. Throws RunError naming the address.
  RouterSocket(zmq::context_t& context, const std::string& address, const SocketOptions& options);
  ~RouterSocket();  // removes the file of an ipc:// address

  // Waits up to `wait` (at most kSlice) until one of them has a message.
  static void Wait(std::span<RouterSocket* const> sockets, std::chrono::milliseconds wait);
  // The next message, waiting up to `wait` (at most kSlice) for it.
  std::optional<Received> Receive(std::chrono::milliseconds wait);
  // Queues a message to a peer; Flush sends it.
  void Send(const std::string& peer, Frames frames);
  // Sends what can be sent. Returns the peers that are no longer connected; what waited for them is
  // dropped.
  std::vector<std::string> Flush();
  // Forgets what waits for a peer.
  void Drop(const std::string& peer) { outboxes_.erase(peer); }

 private:
  std::string address_;
  zmq::socket_t socket_;
  std::map<std::string, std::deque<Frames>> outboxes_;
};

class DealerSocket {
 public:
  // Connects. `identity` (1 to 255 bytes) is by which the ROUTER knows this peer. Throws RunError
  // naming the address.
  DealerSocket(zmq::context_t& context, const std::string& address, const std::string& identity,
               const SocketOptions& options);

  std::optional<Frames> Receive(std::chrono::milliseconds wait);
  void Send(Frames frames);  // queues and flushes
  void Flush();
  bool outbox_empty() const { return outbox_.empty(); }

 private:
  zmq::socket_t socket_;
  std::deque<Frames> outbox_;
};

}  // namespace hone
