#include "actors/ledger_file.h"

#include <algorithm>

#include "common/error.h"
#include "common/json.h"
#include "common/log.h"

namespace hone {
namespace {

LedgerLine TrainedBatch(uint64_t batch, uint64_t groups) {
  LedgerLine line;
  line.step = batch + 1;
  line.first_group = batch * groups;
  line.last_group = (batch + 1) * groups - 1;
  line.issued = line.generated = line.scored = line.trained = groups;
  return line;
}

ErrorCause ReadCause(const Json& json) {
  for (const ErrorCause cause :
       {ErrorCause::kUndecided, ErrorCause::kTimeout, ErrorCause::kCrash, ErrorCause::kMachine}) {
    if (json == Json(ErrorCauseName(cause))) return cause;
  }
  throw BadJson("expected the cause of an error, found " + Dump(json));
}

// Throws BadJson or Json::exception for what LedgerText does not write.
VerdictRecord ReadRecord(const Json& json) {
  VerdictRecord record;
  record.verifier = json.at("verifier").get<std::string>();
  if (!ParseHash(json.at("judged").get<std::string>(), &record.judged)) {
    throw BadJson("expected a hash of 32 digits, found " + Dump(json.at("judged")));
  }
  for (const Json& reward : json.at("rewards")) {
    record.verdicts.push_back({.reward = reward.is_null() ? 0 : reward.get<double>()});
  }
  for (const Json& error : json.at("errors")) {
    Verdict& verdict = record.verdicts.at(error.at("sample").get<size_t>());
    verdict.error = error.at("reason").get<std::string>();
    verdict.cause = ReadCause(error.at("cause"));
  }
  for (size_t i = 0; i < record.verdicts.size(); ++i) {
    if (json["rewards"][i].is_null() == record.verdicts[i].error.has_value()) continue;
    throw BadJson("expected a reward or an error of sample " + std::to_string(i));
  }
  return record;
}

// The last word on a group and a verifier counts.
void Remember(std::vector<VerdictRecord>* records, VerdictRecord record) {
  const auto same = [&](const VerdictRecord& known) { return known.verifier == record.verifier; };
  const auto known = std::find_if(records->begin(), records->end(), same);
  if (known == records->end()) {
    records->push_back(std::move(record));
  } else {
    *known = std::move(record);
  }
}

// What a ledger holds for a run that goes on after some batches; see LedgerFile.
struct OldLedger {
  std::string kept;
  KnownRecords known;  // of later batches
};

class OldLedgerReader {
 public:
  OldLedgerReader(const std::filesystem::path& path, uint64_t batches, uint64_t groups)
      : path_(path), batches_(batches), groups_(groups) {}

  OldLedger Read() {
    std::string old;
    if (std::filesystem::exists(path_)) old = ReadFile(path_);
    int64_t number = 0;
    // What an interrupted write left of a line has no end.
    for (size_t at = 0, end = 0; (end = old.find('\n', at)) != std::string::npos; at = end + 1) {
      if (!ReadLine(old.substr(at, end - at), ++number)) break;
    }
    for (; batch_ < batches_; ++batch_) {
      ledger_.kept += LedgerText(TrainedBatch(batch_, groups_)) + "\n";
    }
    for (const auto& [group, records] : ledger_.known) {
      for (const VerdictRecord& record : records) {
        ledger_.kept += LedgerText(group, record) + "\n";
      }
    }
    return std::move(ledger_);
  }

 private:
  // False at a line that is none, past the last batch: what a machine that went down left.
  bool ReadLine(const std::string& text, int64_t number) {
    const Json line = Json::parse(text, nullptr, /*allow_exceptions=*/false);
    if (!line.is_object() && batch_ == batches_) return false;
    if (line.is_object() && line.contains("verdicts")) {
      ReadVerdicts(line["verdicts"], text, number);
    } else if (batch_ < batches_) {
      if (!line.is_object() || line.value("step", Json()) != Json(batch_ + 1)) {
        throw FileError(
            path_.string(), "line " + std::to_string(number),
            "expected the ledger of step " + std::to_string(batch_ + 1) + ", found " + text);
      }
      ++batch_;
      ledger_.kept += text + "\n";
    }
    return true;
  }

  void ReadVerdicts(const Json& json, const std::string& text, int64_t number) {
    try {
      const uint64_t group = json.at("group").get<uint64_t>();
      VerdictRecord record = ReadRecord(json);
      if (group < batches_ * groups_) {
        ledger_.kept += text + "\n";
      } else {
        Remember(&ledger_.known[group], std::move(record));
      }
    } catch (const std::exception& error) {
      throw FileError(path_.string(), "line " + std::to_string(number),
                      std::string("expected verdicts on a group: ") + error.what());
    }
  }

  std::filesystem::path path_;
  uint64_t batches_, groups_;
  uint64_t batch_ = 0;  // lines of batches that were read
  OldLedger ledger_;
};

std::filesystem::path Prepare(const std::filesystem::path& run, uint64_t batches, uint64_t groups,
                              KnownRecords* known) {
  const std::filesystem::path path = run / "ledger.jsonl";
  OldLedger old = OldLedgerReader(path, batches, groups).Read();
  WriteFileAtomically(path, old.kept);
  *known = std::move(old.known);
  return path;
}

}  // namespace

std::string LedgerText(const LedgerLine& line) {
  OrderedJson dropped = OrderedJson::object();
  for (const auto& [reason, count] : line.dropped) dropped[reason] = count;
  OrderedJson json;
  json["step"] = line.step;
  json["groups"] = {line.first_group, line.last_group};
  json["issued"] = line.issued;
  json["generated"] = line.generated;
  json["scored"] = line.scored;
  json["trained"] = line.trained;
  json["dropped"] = dropped;
  json["reissued"] = line.reissued;
  json["duplicates"] = line.duplicates;
  json["closed"] = true;  // a ledger that does not close ends the run instead
  return Dump(json);
}

std::string LedgerText(uint64_t group, const VerdictRecord& record) {
  OrderedJson rewards = OrderedJson::array(), errors = OrderedJson::array();
  for (size_t i = 0; i < record.verdicts.size(); ++i) {
    const Verdict& verdict = record.verdicts[i];
    rewards.push_back(verdict.error ? OrderedJson() : OrderedJson(verdict.reward));
    if (!verdict.error) continue;
    errors.push_back(
        {{"sample", i}, {"cause", ErrorCauseName(verdict.cause)}, {"reason", *verdict.error}});
  }
  OrderedJson json;
  json["group"] = group;
  json["verifier"] = record.verifier;
  json["judged"] = record.judged.Hex();
  json["rewards"] = std::move(rewards);
  json["errors"] = std::move(errors);
  return Dump(OrderedJson{{"verdicts", std::move(json)}});
}

LedgerFile::LedgerFile(const std::filesystem::path& run, uint64_t batches,
                       uint64_t groups_per_batch)
    : log_(Prepare(run, batches, groups_per_batch, &known_)) {}

void LedgerFile::Append(const LedgerLine& line) {
  log_.Append(LedgerText(line));
  known_.erase(known_.begin(), known_.upper_bound(line.last_group));
}

const std::vector<VerdictRecord>& LedgerFile::Known(uint64_t group) const {
  static const std::vector<VerdictRecord> kNone;
  const auto known = known_.find(group);
  return known == known_.end() ? kNone : known->second;
}

void LedgerFile::Record(uint64_t group, const VerdictRecord& record) {
  for (const VerdictRecord& known : Known(group)) {
    if (known.verifier != record.verifier) continue;
    if (known.judged == record.judged) return;
    if (!warned_) {
      spdlog::warn(
          "group {}: the ledger has verdicts of {} on other completions, or by other options: they "
          "were not used, here or further on",
          group, record.verifier);
    }
    warned_ = true;
  }
  log_.Append(LedgerText(group, record));
  synced_ = false;
}

void LedgerFile::SyncRecords() {
  if (!synced_) log_.Sync();
  synced_ = true;
}

}  // namespace hone
