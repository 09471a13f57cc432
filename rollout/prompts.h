// The data set as tokenised prompts, and the order in which a run visits them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/config.h"
#include "policy/text/chat_prompts.h"
#include "policy/text/tokenizer.h"
#include "rollout/data_set.h"

namespace hone {

struct PromptRow {
  std::string prompt;  // with the system prompt before it, if any
  std::vector<int32_t> prompt_tokens;
  std::string columns;  // the row as a JSON object, the answer column as data.answer_from says
  uint32_t file = 0;    // where it stands: PromptSet::files
  int64_t number = 0;   // in the file, from 1
};

struct PromptSet {
  std::vector<PromptRow> rows;
  std::vector<RowPlace> files;  // each with the first row that was kept
  // Where a row stands.
  RowPlace Place(const PromptRow& row) const;
  DataReport report;
};

// Reads data files (rollout/data_set.h, by data.on_error). A row's prompt is data.prompt_template
// filled in, or the text in data.prompt_column, both with the BOS that the tokenizer puts before a
// text; or "tokens": ids, or the messages in data.messages_column, which `chat` renders. Throws
// FileError naming the line or row: no JSON object, no prompt or an empty one, messages that the
// chat template refuses, no answer where data.answer_from needs it, or a prompt longer than
// max_prompt_length tokens (0: no limit).
PromptSet ReadPrompts(const std::vector<std::string>& files, const DataSection& data,
                      const Tokenizer& tokenizer, ChatPrompts& chat, int64_t max_prompt_length);

// A row as ChatPrompts takes it: keys in their order, data.messages_column as "messages".
OrderedJson ParseChatRow(const std::string& text, const DataSection& data);

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
