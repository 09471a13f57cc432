#include "actors/ledger_file.h"

#include "common/error.h"
#include "common/json.h"

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

// The text of the first `batches` lines; see LedgerFile.
std::string FirstLines(const std::filesystem::path& path, uint64_t batches, uint64_t groups) {
  std::string old;
  if (std::filesystem::exists(path)) old = ReadFile(path);
  std::string kept;
  size_t at = 0;
  for (uint64_t batch = 0; batch < batches; ++batch) {
    const size_t end = old.find('\n', at);
    if (end == std::string::npos) {  // also what an interrupted write left of a line
      at = old.size();
      kept += LedgerText(TrainedBatch(batch, groups)) + "\n";
      continue;
    }
    const std::string text = old.substr(at, end - at);
    at = end + 1;
    const auto number = static_cast<int64_t>(batch + 1);
    const Json line = ParseJsonLine(text, path, number);
    if (!line.is_object() || line.value("step", Json()) != Json(batch + 1)) {
      throw FileError(
          path.string(), "line " + std::to_string(number),
          "expected the ledger of step " + std::to_string(batch + 1) + ", found " + text);
    }
    kept += text + "\n";
  }
  return kept;
}

std::filesystem::path Prepare(const std::filesystem::path& run, uint64_t batches, uint64_t groups) {
  const std::filesystem::path path = run / "ledger.jsonl";
  WriteFileAtomically(path, FirstLines(path, batches, groups));
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

LedgerFile::LedgerFile(const std::filesystem::path& run, uint64_t batches,
                       uint64_t groups_per_batch)
    : log_(Prepare(run, batches, groups_per_batch)) {}

}  // namespace hone
