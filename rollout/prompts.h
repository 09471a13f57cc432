// The data set: JSON Lines of problems, tokenised prompts, and the order in which a run visits
// them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "common/config.h"
#include "policy/text/chat_prompts.h"
#include "policy/text/tokenizer.h"

namespace hone {

struct PromptRow {
  std::string prompt;  // with the system prompt before it, if any
  std::vector<int32_t> prompt_tokens;
  std::string columns;  // the line as a JSON object
};

// Reads a data file. A prompt line has data.prompt_column as text (or "tokens": ids, or "messages",
// which `chat` renders). Throws FileError naming the line: no JSON, no object, no prompt column, an
// empty prompt, messages that the chat template refuses, or a prompt longer than max_prompt_length
// tokens (0: no limit). An empty file is an error.
std::vector<PromptRow> ReadPrompts(const std::filesystem::path& path, const DataSection& data,
                                   const Tokenizer& tokenizer, ChatPrompts& chat,
                                   int64_t max_prompt_length);

// Which row the run's n-th group takes: rows in order, or with `shuffle` a permutation of its own
// each epoch (Fisher-Yates by Philox draws keyed by seed and epoch). A pure function.
class PromptOrder {
 public:
  PromptOrder(uint64_t seed, int64_t rows, bool shuffle)
      : seed_(seed), rows_(rows), shuffle_(shuffle) {}
  int64_t Row(uint64_t group);  // caches the current epoch's permutation

 private:
  uint64_t seed_;
  int64_t rows_;
  bool shuffle_;
  uint64_t epoch_ = ~uint64_t{0};
  std::vector<int64_t> permutation_;
};

}  // namespace hone
