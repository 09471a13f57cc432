#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <cstdlib>

#include "common/compression.h"
#include "common/error.h"
#include "common/file.h"
#include "common/json.h"
#include "learner/run_files.h"

namespace hone {
namespace fs = std::filesystem;
namespace {

// The shortest text that reads back to the same float, also by way of a double, as JSON readers go.
void AppendFloat(std::string* line, float value) {
  if (!std::isfinite(value)) {
    *line += "null";
    return;
  }
  std::string text = fmt::format("{}", value);
  if (static_cast<float>(std::strtod(text.c_str(), nullptr)) != value)
    text = fmt::format("{:.17g}", value);
  *line += text;
}

void AppendText(std::string* line, const char* key, std::string_view text) {
  *line += fmt::format(",\"{}\":{}", key, Dump(Json(text)));
}

template <class T, class Append>
void AppendList(std::string* line, const char* key, const std::vector<T>& values,
                const Append& append) {
  *line += fmt::format(",\"{}\":[", key);
  for (size_t i = 0; i < values.size(); ++i) {
    if (i > 0) *line += ',';
    append(line, values[i]);
  }
  *line += ']';
}

void AppendInteger(std::string* line, int32_t value) { *line += fmt::format_int(value).c_str(); }

// A model's vocabulary may be padded beyond the tokenizer's: such tokens have no text.
std::string Text(const Tokenizer& tokenizer, std::vector<int32_t> tokens) {
  std::erase_if(tokens, [&](int32_t token) { return token >= tokenizer.vocab_size(); });
  return tokenizer.Decode(tokens);
}

std::string TraceLine(uint64_t step, const ScoredGroup& group, size_t sample, float advantage,
                      const Tokenizer* tokenizer) {
  const PromptTask& task = group.rollout.task;
  const Completion& completion = group.rollout.completions[sample];
  std::string line =
      fmt::format("{{\"step\":{},\"group\":{},\"sample\":{}", step, task.group_id, sample);
  if (!task.prompt.empty()) {
    AppendText(&line, "prompt", task.prompt);
  } else if (tokenizer != nullptr) {
    AppendText(&line, "prompt", Text(*tokenizer, task.prompt_tokens));
  }
  AppendList(&line, "prompt_tokens", task.prompt_tokens, AppendInteger);
  if (tokenizer != nullptr) AppendText(&line, "completion", Text(*tokenizer, completion.tokens));
  AppendList(&line, "completion_tokens", completion.tokens, AppendInteger);
  if (!completion.logprobs.empty()) AppendList(&line, "logprobs", completion.logprobs, AppendFloat);
  line += ",\"rewards\":{";
  for (size_t v = 0; v < group.verifier_names.size(); ++v) {
    line += fmt::format("{}{}:", v > 0 ? "," : "", Dump(Json(group.verifier_names[v])));
    AppendFloat(&line, group.rewards_VG[v][sample]);
  }
  line += "},\"reward\":";
  AppendFloat(&line, group.rewards_G[sample]);
  OrderedJson errors;
  for (const VerifierError& error : group.errors) {
    if (error.sample != sample) continue;
    errors[group.verifier_names[error.verifier]] = {{"cause", ErrorCauseName(error.cause)},
                                                    {"reason", error.reason}};
  }
  if (!errors.is_null()) line += ",\"errors\":" + Dump(errors);
  line += ",\"advantage\":";
  AppendFloat(&line, advantage);
  line += fmt::format(",\"finish_reason\":\"{}\",\"version\":{},\"fingerprint\":\"{}\"}}\n",
                      completion.finish_reason == FinishReason::kStop ? "stop" : "length",
                      completion.version, completion.fingerprint.Hex());
  return line;
}

std::string TraceName(uint64_t step) { return fmt::format("step-{:06}.jsonl.zst", step); }

}  // namespace

void WriteTrace(const fs::path& run, const StepBatch& batch,
                const std::vector<std::vector<float>>& advantages, const Tokenizer* tokenizer) {
  std::string text;
  for (size_t g = 0; g < batch.groups.size(); ++g) {
    for (size_t s = 0; s < batch.groups[g].rollout.completions.size(); ++s) {
      text += TraceLine(batch.step + 1, batch.groups[g], s, advantages[g][s], tokenizer);
    }
  }
  const fs::path folder = run / "traces";
  std::error_code error;
  fs::create_directories(folder, error);
  if (error)
    throw RunError(fmt::format("{}: cannot make the folder: {}", folder.string(), error.message()));
  WriteFileAtomically(folder / TraceName(batch.step + 1), Compress(text));
}

void CutTraces(const fs::path& run, uint64_t batches) {
  const fs::path folder = run / "traces";
  if (!fs::is_directory(folder)) return;
  std::vector<fs::path> extra;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with("step-")) continue;
    uint64_t step = 0;
    std::from_chars(name.data() + 5, name.data() + name.size(), step);
    if (step > batches || name.ends_with(".partial")) extra.push_back(entry.path());
  }
  for (const fs::path& path : extra) {
    std::error_code error;
    fs::remove(path, error);
    if (error) throw RunError(fmt::format("{}: cannot remove: {}", path.string(), error.message()));
  }
}

}  // namespace hone
