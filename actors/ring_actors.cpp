#include "actors/ring_actors.h"

#include "actors/control.h"

namespace hone {
namespace {

// An actor that throws ends with what the exception says (control::FromCaf reads it back).
void DieOfExceptions(caf::scheduled_actor* self) {
  self->set_exception_handler(
      [](std::exception_ptr& exception) { return control::ToCaf(exception); });
}

}  // namespace

caf::behavior BrokerActor(caf::stateful_actor<BrokerState>* self, std::shared_ptr<Ring> ring,
                          caf::actor supervisor) {
  DieOfExceptions(self);
  BrokerEvents events;
  events.batch_closed = [=](uint64_t batch) {
    self->send(supervisor, control::BatchClosed{batch});
  };
  events.delivered = [=](const std::string& identity) {
    self->send(supervisor, control::Delivered{identity});
  };
  events.lost = [=](const std::string& identity, const std::string& cause) {
    self->send(supervisor, control::Lost{identity, cause});
  };
  events.weights_refused = [=](const std::string& identity, const std::string& text) {
    self->send(supervisor, control::WeightsRefusal{identity, text});
  };
  self->state.broker = std::make_unique<Broker>(std::move(ring), std::move(events));
  self->send(self, caf::tick_atom_v);
  return {
      [=](caf::tick_atom) {
        self->state.broker->Slice();
        self->send(self, caf::tick_atom_v);
      },
      [=](const control::WorkerDown& down) {
        self->state.broker->WorkerDown(down.identity, down.cause);
      },
  };
}

caf::behavior LearnerActor(caf::stateful_actor<LearnerActorState>* self, std::shared_ptr<Ring> ring,
                           caf::actor supervisor) {
  DieOfExceptions(self);
  self->state.loop = std::make_unique<LearnerLoop>(std::move(ring), kLearner);
  self->send(self, caf::tick_atom_v);
  return {
      [=](caf::tick_atom) {
        if (auto done = self->state.loop->Slice()) {
          self->send(supervisor, std::move(*done));
          return;  // no more ticks; the supervisor ends all actors together
        }
        self->send(self, caf::tick_atom_v);
      },
      [=](control::StopAfterBatch) { self->state.loop->StopAfterBatch(); },
  };
}

caf::behavior WorkerActor(caf::stateful_actor<WorkerState>* self, std::shared_ptr<Ring> ring,
                          const std::string& role, const std::string& identity) {
  DieOfExceptions(self);
  self->state.name = identity;
  self->state.worker = MakeWorker(role, std::move(ring), identity);
  self->send(self, caf::tick_atom_v);
  return {
      [=](caf::tick_atom) {
        switch (self->state.worker->Slice()) {
          case Next::kGoOn:
            self->send(self, caf::tick_atom_v);
            break;
          case Next::kDone:
            self->quit();
            break;
          case Next::kKilled:
            self->quit(caf::exit_reason::kill);
            break;
        }
      },
  };
}

}  // namespace hone
