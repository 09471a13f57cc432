#include "reward/verify.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <iterator>

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

namespace {

struct BuiltIn {
  const char* name;
  std::unique_ptr<Verifier> (*make)(const Json& options, uint64_t seed);
  bool has_answer_column = false;  // has the option answer_column
};

// A verifier without a seed in the form of one with it.
template <std::unique_ptr<Verifier> (*kMake)(const Json&)>
std::unique_ptr<Verifier> WithoutSeed(const Json& options, uint64_t) {
  return kMake(options);
}

#ifdef HONE_SANDBOX
constexpr auto* kMakeCode = WithoutSeed<MakeCodeVerifier>;
#else
std::unique_ptr<Verifier> kMakeCode(const Json&, uint64_t) {
  throw RunError("code: this build has no sandbox; install libseccomp-dev and build again");
}
#endif

constexpr BuiltIn kBuiltIns[] = {
    {"format", WithoutSeed<MakeFormatVerifier>},
    {"exact_match", WithoutSeed<MakeExactMatchVerifier>, true},
    {"arithmetic", WithoutSeed<MakeArithmeticVerifier>, true},
    {"countdown", WithoutSeed<MakeCountdownVerifier>},
    {"math", WithoutSeed<MakeMathVerifier>, true},
    {"gsm8k", WithoutSeed<MakeGsm8kVerifier>, true},
    {"multiple_choice", WithoutSeed<MakeMultipleChoiceVerifier>, true},
    {"regex", WithoutSeed<MakeRegexVerifier>},
    {"json_schema", WithoutSeed<MakeJsonSchemaVerifier>},
    {"length", MakeLengthVerifier},
    {"repetition", WithoutSeed<MakeRepetitionVerifier>},
    {"language", WithoutSeed<MakeLanguageVerifier>},
    {"code", kMakeCode},
    {"random", MakeRandomVerifier},
};

const BuiltIn* FindBuiltIn(const std::string& name) {
  const auto found = std::find_if(std::begin(kBuiltIns), std::end(kBuiltIns),
                                  [&](const BuiltIn& one) { return name == one.name; });
  return found == std::end(kBuiltIns) ? nullptr : found;
}

}  // namespace

std::vector<std::string> VerifierNames() {
  std::vector<std::string> names;
  for (const BuiltIn& one : kBuiltIns) names.emplace_back(one.name);
  return names;
}

std::unique_ptr<Verifier> MakeVerifier(const RewardConfig& config, uint64_t seed) {
  const std::string& name = config.verifier;
  if (const BuiltIn* built_in = FindBuiltIn(name)) return built_in->make(config.options, seed);
  if (IsUrl(name)) return MakeHttpVerifier(PlanHttp(config));
  if (name.find('/') != std::string::npos) return MakeProgramVerifier(PlanProgram(config));
  throw UsageError(
      fmt::format("verifier: unknown verifier \"{}\"{}", name, DidYouMean(name, VerifierNames())));
}

Verifiers MakeVerifiers(const std::vector<RewardConfig>& rewards, uint64_t seed) {
  Verifiers verifiers;
  for (const RewardConfig& reward : rewards) verifiers.push_back(MakeVerifier(reward, seed));
  return verifiers;
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
  const BuiltIn* built_in = FindBuiltIn(config->verifier);
  if (built_in == nullptr || !built_in->has_answer_column) return;
  if (!config->options.contains("answer_column")) config->options["answer_column"] = column;
}

}  // namespace hone
