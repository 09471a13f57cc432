// hone worker: a worker that joins a run which goes on in another process.
#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "actors/remote_worker.h"
#include "actors/ring.h"
#include "cli/command.h"
#include "cli/config_file.h"
#include "cli/progress.h"
#include "common/error.h"
#include "common/json.h"

namespace hone {
namespace {

struct WorkerFlags {
  std::string address, role;
  double timeout = 60;
};

void Work(const WorkerFlags& flags) {
  InterruptGuard interrupt;
  RemoteWorkerOptions options;
  options.address = flags.address;
  options.role = flags.role == "reward" ? kRewardWorker : flags.role;
  options.make_scorer = [](const std::string& tables, uint64_t seed,
                           std::shared_ptr<const Tokenizer> tokenizer) {
    const RunConfig run = RewardsFromToml(tables, "the run's rewards", seed);
    return std::make_unique<const Scorer>(run.rewards, run.verifiers, std::move(tokenizer));
  };
  options.silence = flags.timeout;
  options.interrupt = interrupt.flag();
  const RemoteWorkerOutcome outcome = RunRemoteWorker(options);
  if (outcome.interrupted) {
    throw Error(ExitCode::kInterrupted,
                fmt::format("interrupted; {} groups were scored, what was in hand is given back",
                            outcome.groups));
  }
  OrderedJson result;
  result["role"] = flags.role;
  result["groups"] = outcome.groups;
  fmt::print("{}\n", Dump(result));
}

}  // namespace

void AddWorkerCommand(CLI::App& program) {
  auto flags = std::make_shared<WorkerFlags>();
  CLI::App* command = program.add_subcommand(
      "worker", "Join a run of this machine, and work for it until it is over");
  command
      ->add_option(
          "--connect", flags->address,
          "The run's [transport] bind: ipc://PATH, tcp://127.0.0.1:PORT or tcp://[::1]:PORT")
      ->required();
  command->add_option("--role", flags->role, "What to do for it: reward, which judges completions")
      ->required()
      ->check(CLI::IsMember({"reward"}));
  command
      ->add_option("--timeout", flags->timeout,
                   "Seconds without a word of the run after which it is given up")
      ->capture_default_str()
      ->check(CLI::Range(1.0, 86400.0));
  command->callback([flags] { Work(*flags); });
}

}  // namespace hone
