// A prompt made of a row's columns: "{question}\nThink step by step."; or a completion.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "rollout/data_file.h"

namespace hone {

class PromptTemplate {
 public:
  // {column} stands for a column, {{ and }} for braces. Throws UsageError for a brace that is none
  // of these. `key` is the config's, for errors.
  explicit PromptTemplate(const std::string& text, std::string key = "data.prompt_template");

  bool empty() const { return parts_.empty(); }
  // A text as it is, a number as JSON writes it, a list of them as [1, 2]. Throws RowError for a
  // column that is missing or holds anything else.
  std::string Fill(const RowPlace& place, const Json& row) const;

 private:
  struct Part {
    std::string text, column;  // the text, then the column unless it is empty
  };
  std::vector<Part> parts_;
  std::string key_;
};

}  // namespace hone
