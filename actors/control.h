// What actors tell one another about life and control, as typed CAF messages. Everything else goes
// over the sockets.
#pragma once

#include <caf/error.hpp>
#include <caf/meta/type_name.hpp>
#include <caf/type_id.hpp>
#include <cstdint>
#include <exception>
#include <string>

#include "common/error.h"

namespace hone::control {

// Supervisor to broker: this worker has died; what it had in hand is to be issued again.
struct WorkerDown {
  std::string identity;
  std::string cause;
};

// Supervisor to learner: end after the current batch, with a checkpoint.
struct StopAfterBatch {};

// Broker to supervisor: the ledger of this batch is closed and written.
struct BatchClosed {
  uint64_t batch = 0;
};

// Broker to supervisor: this worker has answered for the first time.
struct Delivered {
  std::string identity;
};

// Broker to supervisor: this worker is silent or sends nonsense, and is no longer heard.
struct Lost {
  std::string identity;
  std::string cause;
};

// Broker to supervisor: this worker refused weights whose fingerprint was wrong.
struct WeightsRefusal {
  std::string identity;
  std::string text;
};

// Learner to supervisor: all steps are done, or it was told to stop.
struct LearnerDone {
  uint64_t steps = 0;
  uint64_t batches = 0;  // learned in all: the ledger of the last one must be closed too
  std::string checkpoint;
  bool interrupted = false;
};

// Why an actor ended.
struct Death {
  ExitCode code = ExitCode::kRunFailed;
  std::string text;
};
caf::error ToCaf(const std::exception_ptr& exception);
Death FromCaf(const caf::error& reason);

template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, WorkerDown& m) {
  return f(caf::meta::type_name("WorkerDown"), m.identity, m.cause);
}
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, StopAfterBatch&) {
  return f(caf::meta::type_name("StopAfterBatch"));
}
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, BatchClosed& m) {
  return f(caf::meta::type_name("BatchClosed"), m.batch);
}
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, Delivered& m) {
  return f(caf::meta::type_name("Delivered"), m.identity);
}
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, Lost& m) {
  return f(caf::meta::type_name("Lost"), m.identity, m.cause);
}
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, WeightsRefusal& m) {
  return f(caf::meta::type_name("WeightsRefusal"), m.identity, m.text);
}
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, LearnerDone& m) {
  return f(caf::meta::type_name("LearnerDone"), m.steps, m.batches, m.checkpoint, m.interrupted);
}

}  // namespace hone::control

CAF_BEGIN_TYPE_ID_BLOCK(hone, first_custom_type_id)
CAF_ADD_TYPE_ID(hone, (hone::control::WorkerDown))
CAF_ADD_TYPE_ID(hone, (hone::control::StopAfterBatch))
CAF_ADD_TYPE_ID(hone, (hone::control::BatchClosed))
CAF_ADD_TYPE_ID(hone, (hone::control::Delivered))
CAF_ADD_TYPE_ID(hone, (hone::control::Lost))
CAF_ADD_TYPE_ID(hone, (hone::control::WeightsRefusal))
CAF_ADD_TYPE_ID(hone, (hone::control::LearnerDone))
CAF_END_TYPE_ID_BLOCK(hone)
