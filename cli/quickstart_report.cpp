#include "cli/quickstart_report.h"

#include <fmt/format.h>

#include <algorithm>

namespace hone {
namespace {

constexpr size_t kColumn = 46;  // width of a trace

// A trace cut into lines: after each step of the thought, and where a line would be too long.
std::vector<std::string> Wrap(const std::string& text) {
  std::vector<std::string> lines(1);
  const auto break_line = [&] {
    if (!lines.back().empty()) lines.emplace_back();
  };
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '<') break_line();
    if (text[i] == '\n' || lines.back().size() == kColumn) break_line();
    if (text[i] == '\n') continue;
    lines.back() += text[i];
    if (text[i] == ';' || text[i] == '>') {
      const bool closes = text[i] == '>' && lines.back().find("</") == std::string::npos;
      if (!closes || lines.back() == "<think>") break_line();
    }
  }
  if (lines.back().empty()) lines.pop_back();
  return lines;
}

void PrintPair(const HeldOut& before, const HeldOut& after, size_t i) {
  const auto left = Wrap(before.completions[i]), right = Wrap(after.completions[i]);
  const auto verdict = [](bool passed) { return passed ? "right" : "wrong"; };
  fmt::print("\n  {}\n  {:<{}}  {}\n", before.prompts[i],
             fmt::format("before: {}", verdict(before.passed[i])), kColumn,
             fmt::format("after: {}", verdict(after.passed[i])));
  for (size_t line = 0; line < std::max(left.size(), right.size()); ++line) {
    fmt::print("    {:<{}}  {}\n", line < left.size() ? left[line] : "", kColumn - 2,
               line < right.size() ? "  " + right[line] : "");
  }
}

// Problems that the training turned from wrong to right come first.
std::vector<size_t> Telling(const HeldOut& before, const HeldOut& after, size_t count) {
  std::vector<size_t> chosen;
  for (const bool turned : {true, false}) {
    for (size_t i = 0; i < before.passed.size() && chosen.size() < count; ++i) {
      if ((!before.passed[i] && after.passed[i]) == turned) chosen.push_back(i);
    }
  }
  return chosen;
}

}  // namespace

HeldOut Summarize(const EvalResult& result, const Tokenizer& tokenizer) {
  HeldOut held_out;
  held_out.pass_at_1 = result.pass_at_k.front().second.value;
  held_out.length = result.length.value;
  for (const ScoredGroup& group : result.groups) {
    held_out.prompts.push_back(group.rollout.task.prompt);
    held_out.completions.push_back(
        tokenizer.Decode(group.rollout.completions.front().tokens, true));
    held_out.passed.push_back(group.rewards_VG.front().front() >= 1);
    held_out.format += group.rewards_VG.back().front() / static_cast<double>(result.groups.size());
  }
  return held_out;
}

void PrintQuickstart(const HeldOut& before, const HeldOut& after, double train_seconds,
                     const std::filesystem::path& output, const std::filesystem::path& model) {
  fmt::print("\n{} problems never seen, greedy          before RL    after RL\n",
             before.passed.size());
  fmt::print("  pass@1                                    {:8.3f}    {:8.3f}\n", before.pass_at_1,
             after.pass_at_1);
  fmt::print("  format                                    {:8.3f}    {:8.3f}\n", before.format,
             after.format);
  fmt::print("  mean length (tokens)                      {:8.1f}    {:8.1f}\n", before.length,
             after.length);
  fmt::print("  training took {:.0f} s, cold start included\n", train_seconds);
  for (const size_t i : Telling(before, after, 3)) PrintPair(before, after, i);
  const std::string folder = output.string();
  fmt::print(
      "\nThe trained policy, a Hugging Face folder: {}\nIts metrics and every trace: "
      "{}/grpo\n\nNext:\n",
      model.string(), folder);
  fmt::print(
      "  echo '{{\"prompt\": \"478+964=\"}}' > p.jsonl && build/release/hone generate --model {} "
      "--prompts p.jsonl --greedy\n",
      model.string());
  fmt::print(
      "  build/release/hone eval --model {} --data {}/data/eval.jsonl --verifier arithmetic --k "
      "1,8\n",
      model.string(), folder);
  fmt::print(
      "  make countdown                                        # the longer run of the same "
      "kind\n");
}

}  // namespace hone
