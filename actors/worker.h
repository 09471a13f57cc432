// A worker of the ring: something that takes turns on a thread of its own and talks to the broker.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "actors/ring.h"
#include "transport/messages.h"
#include "transport/socket.h"

namespace hone {

// What is to happen after a slice of work.
enum class Next {
  kGoOn,
  kDone,    // the broker said that the run is over
  kKilled,  // an injected fault: vanish without a word
};

// A worker's end of the ring: its socket, its greeting and its sign of life.
class WorkerLink {
 public:
  // Connects and says hello. `version`: of this program, which a worker of another process says.
  WorkerLink(Ring& ring, const std::string& role, const std::string& identity,
             const std::string& version = "");

  void Send(const Message& message);
  // Throws WireError for bytes that are no message.
  std::optional<Message> Receive(std::chrono::milliseconds wait);
  // Something was done.
  void Advance() { ++progress_; }
  // Tells the broker that this worker lives and what it is at, at most once a second.
  void Beat(const std::string& state);

  const std::string& identity() const { return identity_; }
  // Seconds since the broker was last heard, or since the hello.
  double silence() const;
  uint64_t groups_scored() const { return groups_scored_; }

 private:
  std::string identity_;
  DealerSocket socket_;
  uint64_t progress_ = 0, groups_scored_ = 0;
  std::string state_;
  std::chrono::steady_clock::time_point next_beat_, heard_;
};

// Thread contract: made, used and destroyed on one thread.
class Worker {
 public:
  Worker(std::shared_ptr<Ring> ring, const std::string& role, const std::string& identity)
      : ring_(std::move(ring)),
        role_(role),
        own_link_(std::make_unique<WorkerLink>(*ring_, role, identity)),
        link_(*own_link_) {}
  // Of another process: its hello has been answered.
  Worker(std::shared_ptr<Ring> ring, const std::string& role, WorkerLink& link)
      : ring_(std::move(ring)), role_(role), link_(link) {}
  virtual ~Worker() = default;
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // Does what there is to do, and waits for more, for kSlice or one indivisible piece of work.
  Next Slice();

 protected:
  Ring& ring() const { return *ring_; }
  WorkerLink& link() { return link_; }

  // How long to wait for a message when none is there.
  virtual std::chrono::milliseconds patience() const { return kSlice; }
  // How long it waits for another message after one, before it does what there is to do.
  virtual std::chrono::milliseconds lull() const { return std::chrono::milliseconds{0}; }
  // A message of the run's work. Throws WireError for a kind that this worker has no use for.
  virtual Next Handle(Message message) = 0;
  // Works until `deadline`, once the messages that were there are handled.
  virtual Next Work(std::chrono::steady_clock::time_point deadline) = 0;
  // What it does or waits for, in words.
  virtual std::string state() const = 0;

  // An injected fault of this group: throws, or gives kKilled.
  Next StrikeAt(uint64_t group);

 private:
  Next SliceOnce();

  std::shared_ptr<Ring> ring_;
  std::string role_;
  std::unique_ptr<WorkerLink> own_link_;
  WorkerLink& link_;
};

// By role: kPromptSource, kRolloutWorker, kRewardWorker.
std::unique_ptr<Worker> MakeWorker(const std::string& role, std::shared_ptr<Ring> ring,
                                   const std::string& identity);

}  // namespace hone
