// The middle of the ring: every message between workers passes here, and the ledger is kept here.
//
// Consumes what all workers send; gives each worker what it asked for. Waits for nobody in
// particular: it ends the run when nothing has moved for too long, saying who waits for what. A
// worker that is lost has its groups issued again. Workers of other processes (remote_worker.h) may
// come and go; they can only judge, and what is wrong with one of them never ends the run. What the
// learner gets does not depend on any of this: a batch is in order of group, and a group's contents
// depend on its number alone.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "actors/doors.h"
#include "actors/ledger.h"
#include "actors/ledger_file.h"
#include "actors/open_batch.h"
#include "actors/peers.h"
#include "actors/ring.h"
#include "transport/socket.h"

namespace hone {

// What the broker tells the supervisor. Called on the broker's thread.
struct BrokerEvents {
  std::function<void(uint64_t batch)> batch_closed;
  std::function<void(const std::string& identity)> delivered;  // its first answer
  std::function<void(const std::string& identity, const std::string& cause)> lost;
  std::function<void(const std::string& identity, const std::string& cause)> weights_refused;
};

// Thread contract: one thread.
class Broker {
 public:
  // Listens at the run's address and at transport.bind. Throws RunError.
  Broker(std::shared_ptr<Ring> ring, BrokerEvents events);
  // Tells all workers that the run is over.
  ~Broker();

  // Handles what came, for kSlice at most. Throws an Error that ends the run.
  void Slice();
  // The supervisor saw this worker die.
  void WorkerDown(const std::string& identity, const std::string& cause);

 private:
  using Clock = Peers::Clock;

  void Receive(RouterSocket::Received received);
  void Handle(const std::string& from, Message& message, Frames& frames);
  void OnHello(const std::string& from, const Hello& hello);
  // A hello from another process: welcomes it, or refuses it.
  void OnHelloOutside(const std::string& from, const Hello& hello);
  void OnHeartbeat(const std::string& from, const Heartbeat& beat);
  void OnBatchCredit(const BatchCredit& credit);
  void OnTask(const std::string& from, PromptTask& task, Frames& frames);
  void OnRollout(const std::string& from, const RolloutGroup& group, Frames& frames);
  void OnScored(const std::string& from, ScoredGroup& group);
  void OnTrained(const Trained& trained);
  void OnWeights(const WeightsUpdate& update, Frames& frames);
  void OnWeightsHeld(Peer& peer, const WeightsHeld& held);
  void OnWeightsRefused(const std::string& from, const WeightsRefused& refused);
  void OnFault(const std::string& from, const Fault& fault);
  void OnLeave(const std::string& from, const Leave& leave);

  void SendWeights(const std::string& to);
  // Asks the newest prompt source for what is still to be issued of the open batch.
  void AskForPrompts();
  void Assign();
  void SendBatch();
  void Answered(const std::string& from);
  void Lose(const std::string& identity, const std::string& cause);
  // Does not hear a peer any more; what it had in hand is issued again.
  void Forget(const std::string& identity, const std::string& cause, Ledger::Gone gone);
  void Watch();

  std::shared_ptr<Ring> ring_;
  BrokerEvents events_;
  Doors socket_;
  Peers peers_;
  Ledger ledger_;
  LedgerFile file_;
  OpenBatch batch_;
  Frames weights_frames_;
  uint64_t version_ = 0;  // of the current weights
  Hash128 fingerprint_;
  bool learning_ = false;  // the learner has a batch
  // When the current weights came, were first held, when the last group was generated.
  Clock::time_point weights_came_, weights_held_, generated_;
  Clock::time_point moved_ = Clock::now();
  Clock::time_point next_watch_;
};

}  // namespace hone
