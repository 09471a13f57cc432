#include "actors/remote_worker.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <cctype>
#include <random>

#include "actors/reward_worker.h"
#include "common/log.h"
#include "common/version.h"
#include "transport/address.h"

namespace hone {
namespace {

using Clock = std::chrono::steady_clock;

bool Interrupted(const RemoteWorkerOptions& options) {
  return options.interrupt != nullptr && options.interrupt->load();
}

// "HOST-PID-RANDOM": no two workers of a run have one, nor has one that comes back.
std::string NewIdentity() {
  char host[64] = "";
  gethostname(host, sizeof(host) - 1);
  std::string name;
  for (const char* c = host; *c != 0; ++c) {
    name += std::isalnum(static_cast<unsigned char>(*c)) ? *c : '-';
  }
  return fmt::format("{}-{}-{:08x}", name, getpid(), std::random_device()());
}

// Throws RunError when there is no answer in time.
Welcome Join(WorkerLink& link, const RemoteWorkerOptions& options) {
  while (link.silence() < options.silence && !Interrupted(options)) {
    std::optional<Message> message;
    try {
      message = link.Receive(kSlice);
    } catch (const WireError& error) {
      throw RunError(
          fmt::format("the run at {} is of another hone: {}", options.address, error.what()));
    }
    if (!message) continue;
    if (auto* welcome = std::get_if<Welcome>(&*message)) return std::move(*welcome);
    if (const auto* refused = std::get_if<Refused>(&*message)) {
      throw RunError(
          fmt::format("the run at {} refuses this worker: {}", options.address, refused->text));
    }
    if (std::holds_alternative<Stop>(*message)) {
      throw RunError(
          fmt::format("the run at {} ended before this worker had joined it", options.address));
    }
  }
  if (Interrupted(options)) throw Error(ExitCode::kInterrupted, "interrupted; no run had answered");
  throw RunError(
      fmt::format("no run answered at {} within {} s; expected a `hone train` whose "
                  "[transport] bind is this address",
                  options.address, options.silence));
}

RemoteWorkerOutcome Work(RewardWorker& worker, WorkerLink& link,
                         const RemoteWorkerOptions& options) {
  const auto outcome = [&](bool interrupted) {
    return RemoteWorkerOutcome{link.groups_scored(), interrupted};
  };
  while (worker.Slice() == Next::kGoOn) {
    if (Interrupted(options)) {
      link.Send(Leave{"it was told to stop"});
      return outcome(true);
    }
    if (link.silence() > options.silence) {
      throw RunError(fmt::format("the run at {} said nothing for {} s: it is given up",
                                 options.address, options.silence));
    }
  }
  return outcome(false);
}

}  // namespace

RemoteWorkerOutcome RunRemoteWorker(const RemoteWorkerOptions& options) {
  CheckZmqVersion();
  CheckLocalAddress("--connect", options.address);
  if (options.role != kRewardWorker) {
    throw UsageError(fmt::format("a run takes no {} from another process", options.role));
  }
  RunOptions run;
  run.address = options.address;
  const auto ring = std::make_shared<Ring>(run);
  ring->socket.linger = std::chrono::seconds(2);
  WorkerLink link(*ring, options.role, NewIdentity(), Version());
  const Welcome welcome = Join(link, options);
  try {
    ring->scorer =
        options.make_scorer(welcome.rewards, welcome.seed,
                            Tokenizer::Parse(welcome.tokenizer, "the run's tokenizer.json"));
    spdlog::info("{} has joined the run at {}; verifiers: {}", link.identity(), options.address,
                 fmt::join(ring->scorer->names(), ", "));
    RewardWorker worker(ring, link);
    return Work(worker, link, options);
  } catch (const Error& error) {
    link.Send(Fault{error.code(), error.what()});
    throw;
  } catch (const std::exception& error) {
    link.Send(Fault{ExitCode::kRunFailed, error.what()});
    throw;
  }
}

}  // namespace hone
