// The actors that carry the ring's loops: each a detached event-based actor, a thread of its own,
// that does one slice of work, sends itself a tick, and hears control messages in between.
#pragma once

#include <caf/actor.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/stateful_actor.hpp>
#include <memory>
#include <string>

#include "actors/broker.h"
#include "actors/learner_loop.h"
#include "actors/worker.h"

namespace hone {

struct BrokerState {
  const char* name = "broker";
  std::unique_ptr<Broker> broker;
};
// Hears control::WorkerDown; tells `supervisor` what Broker says. Dies with the cause when the run
// must.
caf::behavior BrokerActor(caf::stateful_actor<BrokerState>* self, std::shared_ptr<Ring> ring,
                          caf::actor supervisor);

struct LearnerActorState {
  const char* name = kLearner;
  std::unique_ptr<LearnerLoop> loop;
};
// Hears control::StopAfterBatch; tells `supervisor` control::LearnerDone, and ends.
caf::behavior LearnerActor(caf::stateful_actor<LearnerActorState>* self, std::shared_ptr<Ring> ring,
                           caf::actor supervisor);

struct WorkerState {
  std::string name;
  std::unique_ptr<Worker> worker;
};
// A worker of this role (worker.h).
caf::behavior WorkerActor(caf::stateful_actor<WorkerState>* self, std::shared_ptr<Ring> ring,
                          const std::string& role, const std::string& identity);

}  // namespace hone
