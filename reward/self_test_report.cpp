#include "reward/self_test_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "common/error.h"
#include "common/file.h"
#include "common/json.h"
#include "common/log.h"

namespace hone {
namespace fs = std::filesystem;
namespace {

constexpr char kFile[] = "self_test.json";
constexpr size_t kNamed = 5;  // rows in an error

double Share(int64_t part, int64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}
double NotAccepted(const SelfTestTally& gold) {
  return Share(gold.asked - gold.accepted, gold.asked);
}

bool TooFewGold(const SelfTestSection& section, const SelfTestResult& result) {
  return NotAccepted(result.gold) > section.max_gold_refused;
}
bool TooManyAttacks(const SelfTestSection& section, const SelfTestResult& result) {
  return Share(result.attacks.accepted, result.attacks.asked) > section.max_attacks_accepted;
}

std::string Errors(const SelfTestTally& tally) {
  std::string text;
  for (const auto& [cause, count] : tally.errors)
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", count, cause);
  return text.empty() ? "no errors" : "errors: " + text;
}

std::string CaseText(const SelfTestCase& shown) {
  const std::string attack = shown.attack.empty() ? "" : shown.attack + ", ";
  return fmt::format("\n  {}: {}{}: {}", shown.place, attack, Dump(Json(shown.completion)),
                     shown.said);
}

std::string FirstCases(const SelfTestTally& tally) {
  std::string text;
  for (size_t i = 0; i < tally.wrong.size() && i < kNamed; ++i) text += CaseText(tally.wrong[i]);
  return text;
}

OrderedJson TallyJson(const SelfTestTally& tally, const std::string& wrong) {
  OrderedJson json = {{"asked", tally.asked},
                      {"accepted", tally.accepted},
                      {"refused", tally.refused},
                      {"errors", tally.errors}};
  json[wrong] = OrderedJson::array();
  for (const SelfTestCase& shown : tally.wrong) {
    OrderedJson line = {{"row", shown.place}};
    if (!shown.attack.empty()) line["attack"] = shown.attack;
    line["completion"] = shown.completion;
    line["said"] = shown.said;
    json[wrong].push_back(std::move(line));
  }
  return json;
}

}  // namespace

void LogSelfTest(const std::vector<SelfTestResult>& results) {
  for (const SelfTestResult& result : results) {
    const auto& [gold, attacks] = std::tie(result.gold, result.attacks);
    if (!result.untested.empty()) {
      spdlog::info("self-test: {}: not tested: {}", result.verifier, result.untested);
      continue;
    }
    spdlog::info(
        "self-test: {}: {} right answers: {} accepted, {} refused, {}; {} attacks: {} accepted, {}",
        result.verifier, gold.asked, gold.accepted, gold.refused, Errors(gold), attacks.asked,
        attacks.accepted, Errors(attacks));
    if (result.without_gold > 0) {
      spdlog::warn(
          "self-test: {}: of {} rows the right answer is not known, and that it is accepted is not "
          "shown; gold_template in its [[reward]] names one",
          result.verifier, result.without_gold);
    }
    if (result.not_reached > 0) {
      spdlog::warn("self-test: {}: {} rows were not reached in time", result.verifier,
                   result.not_reached);
    }
    if (result.out_of_form > 0) {
      spdlog::warn(
          "self-test: {}: {} of {} right answers are accepted only in another form than the run's "
          "format demands: no completion earns both",
          result.verifier, result.out_of_form, gold.asked);
    }
  }
}

void WriteSelfTest(const fs::path& folder, const SelfTestSection& section,
                   const std::vector<SelfTestResult>& results) {
  OrderedJson json;
  json["passed"] = std::none_of(results.begin(), results.end(), [&](const SelfTestResult& result) {
    return TooFewGold(section, result) || TooManyAttacks(section, result);
  });
  json["max_gold_refused"] = section.max_gold_refused;
  json["max_attacks_accepted"] = section.max_attacks_accepted;
  json["verifiers"] = OrderedJson::array();
  for (const SelfTestResult& result : results) {
    OrderedJson line = {{"verifier", result.verifier}};
    if (result.untested.empty()) {
      line["gold"] = TallyJson(result.gold, "not_accepted");
      line["without_gold"] = result.without_gold;
      line["not_reached"] = result.not_reached;
      line["out_of_form"] = result.out_of_form;
      line["attacks"] = TallyJson(result.attacks, "accepted_attacks");
    } else {
      line["untested"] = result.untested;
    }
    json["verifiers"].push_back(std::move(line));
  }
  WriteFileAtomically(folder / kFile,
                      json.dump(2, ' ', false, OrderedJson::error_handler_t::replace) + "\n");
}

bool PassedSelfTest(const fs::path& folder) {
  try {
    const Json json = ReadJson(folder / kFile);
    return json.is_object() && json.value("passed", Json()) == Json(true);
  } catch (const FileError&) {
    return false;  // not there, or damaged: the test is made again
  }
}

void CheckSelfTest(const SelfTestSection& section, const std::vector<SelfTestResult>& results,
                   const fs::path& folder) {
  std::string text;
  for (const SelfTestResult& result : results) {
    if (TooFewGold(section, result)) {
      text += fmt::format(
          "self-test: {} accepts {} of {} right answers ({} refused, {}); at most a share of {} "
          "(self_test.max_gold_refused) may be left. The first:{}\n",
          result.verifier, result.gold.accepted, result.gold.asked, result.gold.refused,
          Errors(result.gold), section.max_gold_refused, FirstCases(result.gold));
    }
    if (TooManyAttacks(section, result)) {
      text += fmt::format(
          "self-test: {} accepts {} of {} completions that answer nothing; at most a share of {} "
          "(self_test.max_attacks_accepted) may be. The first:{}\n",
          result.verifier, result.attacks.accepted, result.attacks.asked,
          section.max_attacks_accepted, FirstCases(result.attacks));
    }
  }
  if (text.empty()) return;
  throw RunError(text +
                 fmt::format("the run does not begin: mend the rows, data.answer_column, "
                             "data.answer_from or the verifier's options (`hone score --explain` "
                             "tries them), or set the bounds in [self_test]; more in {}",
                             (folder / kFile).string()));
}

}  // namespace hone
