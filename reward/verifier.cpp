#include "reward/verifier.h"

#include <fmt/format.h>

#include "common/error.h"
#include "common/nearest.h"
#include "reward/plugins/program_verifier.h"
#include "reward/verifiers/verifiers.h"

namespace hone {

const char* ErrorCauseName(ErrorCause cause) {
  switch (cause) {
    case ErrorCause::kUndecided:
      return "undecided";
    case ErrorCause::kTimeout:
      return "timeout";
    case ErrorCause::kCrash:
      return "crash";
    case ErrorCause::kMachine:
      return "machine";
  }
  return "unknown";
}

std::vector<std::string> VerifierNames() {
  return {"format", "exact_match", "arithmetic", "countdown", "random"};
}

std::unique_ptr<Verifier> MakeVerifier(const RewardConfig& config, uint64_t seed) {
  const std::string& name = config.verifier;
  if (name == "format") return MakeFormatVerifier(config.options);
  if (name == "exact_match") return MakeExactMatchVerifier(config.options);
  if (name == "arithmetic") return MakeArithmeticVerifier(config.options);
  if (name == "countdown") return MakeCountdownVerifier(config.options);
  if (name == "random") return MakeRandomVerifier(config.options, seed);
  if (name.find('/') != std::string::npos) return MakeProgramVerifier(PlanProgram(config));
  throw UsageError(
      fmt::format("verifier: unknown verifier \"{}\"{}", name, DidYouMean(name, VerifierNames())));
}

}  // namespace hone
