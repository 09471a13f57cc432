#include "rollout/prompts.h"

#include <fmt/format.h>

#include <numeric>

#include "common/error.h"
#include "common/file.h"
#include "common/json.h"
#include "common/nearest.h"
#include "common/philox.h"

namespace hone {
namespace {

// One line of the data file, and how its errors are named.
struct Line {
  const std::filesystem::path& path;
  int64_t number;
  [[noreturn]] void Fail(const std::string& message) const {
    throw FileError(path.string(), fmt::format("line {}", number), message);
  }
};

std::vector<int32_t> ReadTokens(const Line& line, const Json& ids, const Tokenizer& tokenizer) {
  if (!ids.is_array())
    line.Fail(fmt::format("\"tokens\": expected an array of ids, found {}", ids.type_name()));
  std::vector<int32_t> tokens;
  for (const Json& id : ids) {
    if (!id.is_number_integer() || id < 0 || id >= tokenizer.vocab_size()) {
      line.Fail(fmt::format("\"tokens\": expected ids from 0 to {}, found {}",
                            tokenizer.vocab_size() - 1, Dump(id)));
    }
    tokens.push_back(id.get<int32_t>());
  }
  return tokens;
}

[[noreturn]] void FailWithoutPrompt(const Line& line, const Json& row, const std::string& column) {
  std::vector<std::string> columns;
  for (const auto& [name, value] : row.items()) columns.push_back(name);
  line.Fail(
      fmt::format("expected the prompt in column \"{}\" (data.prompt_column), which is missing{}",
                  column, columns.empty() ? "" : DidYouMean(column, columns)));
}

// The messages of a line as text, by the model's chat template.
std::string RenderMessages(const Line& line, const std::string& text, const DataSection& data,
                           ChatPrompts& chat) {
  try {
    return chat.Prompt(OrderedJson::parse(text), data.system_prompt);  // keys in their order
  } catch (const Error& error) {
    line.Fail(error.what());
  }
}

PromptRow ReadRow(const Line& line, const std::string& text, const DataSection& data,
                  const Tokenizer& tokenizer, ChatPrompts& chat) {
  const Json json = ParseJsonLine(text, line.path, line.number);
  if (!json.is_object())
    line.Fail(fmt::format("expected a JSON object, found {}", json.type_name()));
  PromptRow row;
  row.columns = text;
  if (const auto prompt = json.find(data.prompt_column); prompt != json.end()) {
    if (!prompt->is_string()) {
      line.Fail(
          fmt::format("\"{}\": expected text, found {}", data.prompt_column, prompt->type_name()));
    }
    row.prompt = data.system_prompt + prompt->get<std::string>();
    row.prompt_tokens = tokenizer.Encode(row.prompt);
  } else if (const auto ids = json.find("tokens"); ids != json.end()) {
    row.prompt_tokens = tokenizer.Encode(data.system_prompt);
    const std::vector<int32_t> tokens = ReadTokens(line, *ids, tokenizer);
    row.prompt_tokens.insert(row.prompt_tokens.end(), tokens.begin(), tokens.end());
    row.prompt = tokenizer.Decode(row.prompt_tokens);
  } else if (json.contains("messages")) {
    row.prompt = RenderMessages(line, text, data, chat);
    row.prompt_tokens = tokenizer.Encode(row.prompt);
  } else {
    FailWithoutPrompt(line, json, data.prompt_column);
  }
  if (row.prompt_tokens.empty()) line.Fail("the prompt is empty");
  return row;
}

}  // namespace

std::vector<PromptRow> ReadPrompts(const std::filesystem::path& path, const DataSection& data,
                                   const Tokenizer& tokenizer, ChatPrompts& chat,
                                   int64_t max_prompt_length) {
  std::vector<PromptRow> rows;
  ForEachLine(path, [&](const std::string& text, int64_t number) {
    const Line line{path, number};
    rows.push_back(ReadRow(line, text, data, tokenizer, chat));
    const auto length = static_cast<int64_t>(rows.back().prompt_tokens.size());
    if (max_prompt_length > 0 && length > max_prompt_length) {
      line.Fail(fmt::format("the prompt has {} tokens, more than max_prompt_length = {}", length,
                            max_prompt_length));
    }
  });
  if (rows.empty()) throw FileError(path.string(), "", "expected at least one prompt, found none");
  return rows;
}

int64_t PromptOrder::Row(uint64_t group) {
  const auto rows = static_cast<uint64_t>(rows_);
  const uint64_t epoch = group / rows;
  const auto index = static_cast<int64_t>(group % rows);
  if (!shuffle_) return index;
  if (epoch != epoch_) {
    permutation_.resize(rows);
    std::iota(permutation_.begin(), permutation_.end(), 0);
    for (int64_t i = rows_ - 1; i > 0; --i) {
      const Address address{Purpose::kShuffleData, epoch, 0, static_cast<uint32_t>(i)};
      const uint32_t word = Philox(seed_, address)[0];
      std::swap(permutation_[i], permutation_[UniformBelow(word, static_cast<uint32_t>(i) + 1)]);
    }
    epoch_ = epoch;
  }
  return permutation_[index];
}

}  // namespace hone
