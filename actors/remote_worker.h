// A worker in a process of its own, which joins a run that goes on in another.
//
// It says hello and gets what it needs to know of the run (Welcome): the [[reward]] tables, the
// seed and the tokenizer. It sends heartbeats and hears the broker's; there is no supervisor over
// it: when it fails, the broker issues its groups again, and when the run is no longer heard, it
// ends.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "reward/scorer.h"

namespace hone {

struct RemoteWorkerOptions {
  std::string address;  // of the run: CheckLocalAddress
  std::string role;     // kRewardWorker, the only one that a run takes from outside
  // Of the run's [[reward]] tables (Welcome::rewards) and its seed. Throws UsageError.
  std::function<std::unique_ptr<const Scorer>(const std::string& tables, uint64_t seed,
                                              std::shared_ptr<const Tokenizer> tokenizer)>
      make_scorer;
  // Seconds without a word of the run, at the beginning or later, after which it is given up.
  double silence = 60;
  // Set from outside (a signal): what is in hand is given back, and the worker ends.
  const std::atomic<bool>* interrupt = nullptr;
};

struct RemoteWorkerOutcome {
  uint64_t groups = 0;  // scored
  bool interrupted = false;
};

// Works until the run is over or `interrupt` is set. Throws UsageError for an address or a role
// that cannot be, or rewards that this machine cannot judge; RunError when no run answers, it
// refuses this worker, or is no longer heard.
RemoteWorkerOutcome RunRemoteWorker(const RemoteWorkerOptions& options);

}  // namespace hone
