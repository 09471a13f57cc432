#include "reward/verify.h"

#include <fmt/format.h>

#include <filesystem>

#include "common/error.h"
#include "common/nearest.h"
#include "reward/plugins/http_verifier.h"
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
  return {"format",     "exact_match",     "arithmetic", "countdown",   "math",
          "gsm8k",      "multiple_choice", "regex",      "json_schema", "length",
          "repetition", "language",        "code",       "random"};
}

std::unique_ptr<Verifier> MakeVerifier(const RewardConfig& config, uint64_t seed) {
  const std::string& name = config.verifier;
  if (name == "format") return MakeFormatVerifier(config.options);
  if (name == "exact_match") return MakeExactMatchVerifier(config.options);
  if (name == "arithmetic") return MakeArithmeticVerifier(config.options);
  if (name == "countdown") return MakeCountdownVerifier(config.options);
  if (name == "math") return MakeMathVerifier(config.options);
  if (name == "gsm8k") return MakeGsm8kVerifier(config.options);
  if (name == "multiple_choice") return MakeMultipleChoiceVerifier(config.options);
  if (name == "regex") return MakeRegexVerifier(config.options);
  if (name == "json_schema") return MakeJsonSchemaVerifier(config.options);
  if (name == "length") return MakeLengthVerifier(config.options, seed);
  if (name == "repetition") return MakeRepetitionVerifier(config.options);
  if (name == "language") return MakeLanguageVerifier(config.options);
  if (name == "random") return MakeRandomVerifier(config.options, seed);
  if (name == "code") {
#ifdef HONE_SANDBOX
    return MakeCodeVerifier(config.options);
#else
    throw RunError("code: this build has no sandbox; install libseccomp-dev and build again");
#endif
  }
  if (IsUrl(name)) return MakeHttpVerifier(PlanHttp(config));
  if (name.find('/') != std::string::npos) return MakeProgramVerifier(PlanProgram(config));
  throw UsageError(
      fmt::format("verifier: unknown verifier \"{}\"{}", name, DidYouMean(name, VerifierNames())));
}

std::vector<RewardConfig> WithAbsolutePaths(std::vector<RewardConfig> rewards) {
  const auto absolute = [](const std::string& path) {
    return std::filesystem::absolute(path).lexically_normal().string();
  };
  for (RewardConfig& reward : rewards) {
    if (IsUrl(reward.verifier)) {
      const auto file = reward.options.find("ca_file");
      if (file != reward.options.end() && file->is_string()) *file = absolute(*file);
    } else if (reward.verifier.find('/') != std::string::npos) {
      reward.verifier = absolute(reward.verifier);
    }
  }
  return rewards;
}

void UseAnswerColumn(const std::string& column, RewardConfig* config) {
  // A verifier of the user's own reads columns as it likes.
  const bool own = config->verifier.find('/') != std::string::npos;
  if (own || config->options.contains("answer_column")) return;
  RewardConfig with = *config;
  with.options["answer_column"] = column;
  try {
    MakeVerifier(with, 0);  // refuses an option that it does not have
  } catch (const UsageError&) {
    return;
  }
  *config = std::move(with);
}

}  // namespace hone
