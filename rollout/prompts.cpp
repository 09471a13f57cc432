#include "rollout/prompts.h"

#include <fmt/format.h>

#include <numeric>

#include "common/error.h"
#include "common/json.h"
#include "common/nearest.h"
#include "common/philox.h"
#include "rollout/gold_answer.h"
#include "rollout/prompt_template.h"

namespace hone {
namespace {

constexpr char kNoPrompt[] = "no prompt";

std::vector<int32_t> ReadTokens(const RowPlace& place, const Json& ids,
                                const Tokenizer& tokenizer) {
  if (!ids.is_array()) {
    place.Fail(fmt::format("\"tokens\": expected an array of ids, found {}", ids.type_name()),
               kNoPrompt);
  }
  std::vector<int32_t> tokens;
  for (const Json& id : ids) {
    if (!id.is_number_integer() || id < 0 || id >= tokenizer.vocab_size()) {
      place.Fail(fmt::format("\"tokens\": expected ids from 0 to {}, found {}",
                             tokenizer.vocab_size() - 1, Dump(id)),
                 kNoPrompt);
    }
    tokens.push_back(id.get<int32_t>());
  }
  return tokens;
}

[[noreturn]] void FailWithoutPrompt(const RowPlace& place, const Json& row,
                                    const DataSection& data) {
  std::vector<std::string> columns;
  for (const auto& [name, value] : row.items()) columns.push_back(name);
  place.Fail(
      fmt::format("expected the prompt in column \"{}\" (data.prompt_column), which is missing{}",
                  data.prompt_column,
                  columns.empty() ? "" : DidYouMean(data.prompt_column, columns)),
      kNoPrompt);
}

std::string PromptText(const RowPlace& place, const Json& prompt, const std::string& column) {
  if (!prompt.is_string()) {
    place.Fail(fmt::format("\"{}\": expected text, found {}", column, prompt.type_name()),
               kNoPrompt);
  }
  return prompt.get<std::string>();
}

// Makes prompts of rows.
class PromptReader {
 public:
  PromptReader(const DataSection& data, const Tokenizer& tokenizer, ChatPrompts& chat,
               int64_t max_length)
      : data_(data),
        tokenizer_(tokenizer),
        chat_(chat),
        max_length_(max_length),
        template_(data.prompt_template) {}

  PromptRow Read(const RowPlace& place, const std::string& text) const {
    Json json = ParseRow(place, text);
    PromptRow row;
    ReadPrompt(place, json, text, &row);
    CheckLength(place, row);
    row.columns = text;
    if (data_.answer_from != "column") {
      json[data_.answer_column] = GoldAnswer(place, json, data_.answer_column, data_.answer_from);
      row.columns = Dump(json);
    }
    return row;
  }

 private:
  void ReadPrompt(const RowPlace& place, const Json& json, const std::string& text,
                  PromptRow* row) const {
    if (!template_.empty())
      return EncodeText(place, data_.system_prompt + template_.Fill(place, json), row);
    if (const auto prompt = json.find(data_.prompt_column); prompt != json.end()) {
      const std::string asked = PromptText(place, *prompt, data_.prompt_column);
      return EncodeText(place, data_.system_prompt + asked, row);
    }
    const auto ids = json.find("tokens");
    if (ids == json.end() && json.contains(data_.messages_column)) {
      row->prompt = RenderMessages(place, text);
      row->prompt_tokens = tokenizer_.Encode(row->prompt);  // a BOS is the template's to write
      return;
    }
    if (ids == json.end()) FailWithoutPrompt(place, json, data_);
    row->prompt_tokens = tokenizer_.Encode(data_.system_prompt);
    const std::vector<int32_t> tokens = ReadTokens(place, *ids, tokenizer_);
    row->prompt_tokens.insert(row->prompt_tokens.end(), tokens.begin(), tokens.end());
    row->prompt = tokenizer_.Decode(row->prompt_tokens);
  }

  std::string RenderMessages(const RowPlace& place, const std::string& text) const {
    chat_.Load();
    try {
      return chat_.Prompt(ParseChatRow(text, data_), data_.system_prompt);
    } catch (const Error& error) {  // the template's, too: of these messages
      place.Fail(error.what(), kNoPrompt);
    }
  }

  void EncodeText(const RowPlace& place, std::string prompt, PromptRow* row) const {
    if (prompt.empty()) place.Fail("the prompt is empty", kNoPrompt);
    row->prompt = std::move(prompt);
    row->prompt_tokens = tokenizer_.EncodePrompt(row->prompt);
  }

  void CheckLength(const RowPlace& place, const PromptRow& row) const {
    if (row.prompt_tokens.empty()) place.Fail("the prompt is empty", kNoPrompt);
    const auto length = static_cast<int64_t>(row.prompt_tokens.size());
    if (max_length_ <= 0 || length <= max_length_) return;
    place.Fail(fmt::format("the prompt has {} tokens, more than max_prompt_length = {}; "
                           "data.on_error = \"skip\" goes on without it",
                           length, max_length_),
               "prompt too long");
  }

  const DataSection& data_;
  const Tokenizer& tokenizer_;
  ChatPrompts& chat_;
  int64_t max_length_;
  PromptTemplate template_;
};

}  // namespace

OrderedJson ParseChatRow(const std::string& text, const DataSection& data) {
  OrderedJson row = OrderedJson::parse(text);
  if (data.messages_column != "messages" && row.contains(data.messages_column)) {
    row["messages"] = OrderedJson(row[data.messages_column]);
  }
  return row;
}

PromptSet ReadPrompts(const std::vector<std::string>& files, const DataSection& data,
                      const Tokenizer& tokenizer, ChatPrompts& chat, int64_t max_prompt_length) {
  const PromptReader reader(data, tokenizer, chat, max_prompt_length);
  PromptSet set;
  set.report =
      ReadDataSet(files, data.on_error, [&](const RowPlace& place, const std::string& text) {
        PromptRow row = reader.Read(place, text);
        if (set.files.empty() || set.files.back().path != place.path) set.files.push_back(place);
        row.file = static_cast<uint32_t>(set.files.size() - 1);
        row.number = place.number;
        set.rows.push_back(std::move(row));
      });
  return set;
}

RowPlace PromptSet::Place(const PromptRow& row) const {
  RowPlace place = files[row.file];
  place.number = row.number;
  return place;
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
