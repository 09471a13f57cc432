#include "policy/text/tokenizer_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include "common/error.h"
#include "policy/text/tokenizer_json.h"
#include "policy/text/tokenizer_model.h"
#include "policy/text/tokenizer_steps.h"
#include "policy/text/utf8.h"

namespace hone {
namespace {

constexpr size_t kLargestFile = size_t{128} << 20;  // published ones have up to 35 MB
constexpr size_t kLongestAddedToken = 4096;

class Reader {
 public:
  explicit Reader(const std::string& name) : json_(name) {}

  TokenizerFile Run(const Json& json) {
    if (!json.is_object()) json_.Fail("", "expected a JSON object");
    const std::string version = json_.String(json, "version", "", "1.0");
    if (version != "1.0") {
      json_.Fail("version", fmt::format("expected \"1.0\", found \"{}\"", version));
    }
    if (!TokenizerJson::Present(json, "model")) {
      json_.Fail("model", "is missing: this is no tokenizer.json");
    }
    const auto part = [&](const char* key) -> const Json& { return TokenizerJson::Get(json, key); };
    file_.normalizer = ReadNormalizer(json_, part("normalizer"));
    PreTokenizer pre_tokenizer = ReadPreTokenizer(json_, part("pre_tokenizer"));
    file_.pre_tokenizer = std::move(pre_tokenizer.steps);
    file_.decoder = ReadDecoder(json_, part("decoder"));
    file_.ends = ReadPostProcessor(json_, part("post_processor"));
    const Json& model = json_.Object(json, "model", "");
    file_.vocabulary = std::make_unique<Vocabulary>();
    file_.model = ReadModel(json_, model, pre_tokenizer.byte_level, file_.vocabulary.get());
    ReadAddedTokens(json);
    CheckIds();
    CheckMerges(model);
    return std::move(file_);
  }

 private:
  void ReadAddedTokens(const Json& json) {
    if (!TokenizerJson::Present(json, "added_tokens")) return;
    std::unordered_set<std::string> seen;
    // Hugging Face's loader numbers tokens itself, after the vocabulary; the file must say the
    // same.
    auto next = static_cast<int32_t>(file_.vocabulary->size());
    json_.ForEach(json, "added_tokens", "", [&](const Json& entry, const std::string& where) {
      AddedToken token = ReadAddedToken(entry, where);
      if (token.content.empty()) return;  // could never be found
      const std::string quoted = TokenizerJson::Quote(token.content);
      if (!seen.insert(token.content).second) {
        json_.Fail(where, fmt::format("{} stands here twice", quoted));
      }
      const auto known = file_.vocabulary->find(token.content);
      const int32_t expected = known != file_.vocabulary->end() ? known->second : next++;
      if (token.id != expected) {
        const char* why =
            known != file_.vocabulary->end() ? "as in model.vocab" : "the next one free";
        json_.Fail(where + ".id", fmt::format("{} has the id {}, expected {} ({})", quoted,
                                              token.id, expected, why));
      }
      file_.added_tokens.push_back(std::move(token));
    });
  }

  AddedToken ReadAddedToken(const Json& entry, const std::string& where) const {
    if (!entry.is_object()) json_.Fail(where, "expected an object");
    AddedToken token;
    token.id = json_.Id(TokenizerJson::Get(entry, "id"), where + ".id");
    token.content = json_.String(entry, "content", where);
    token.special = json_.Bool(entry, "special", where, false);
    token.lstrip = json_.Bool(entry, "lstrip", where, false);
    token.rstrip = json_.Bool(entry, "rstrip", where, false);
    token.single_word = json_.Bool(entry, "single_word", where, false);
    token.normalized = json_.Bool(entry, "normalized", where, true);
    if (token.content.size() > kLongestAddedToken) {
      json_.Fail(where, fmt::format("a token of {} bytes, expected at most {}",
                                    token.content.size(), kLongestAddedToken));
    }
    return token;
  }

  void CheckIds() const {
    std::unordered_map<int32_t, const std::string*> owner;
    // Vocabularies have few gaps; a table by id must not become larger than the file suggests.
    const size_t tokens = file_.vocabulary->size() + file_.added_tokens.size();
    const size_t limit = 2 * tokens + (1 << 16);
    const auto claim = [&](const std::string& content, int32_t id) {
      if (static_cast<size_t>(id) >= limit) {
        json_.Fail("model.vocab",
                   fmt::format("the id {} of {} is out of range: the file holds {} tokens", id,
                               TokenizerJson::Quote(content), tokens));
      }
      const auto [at, is_new] = owner.emplace(id, &content);
      if (!is_new && *at->second != content) {
        json_.Fail("model.vocab",
                   fmt::format("the id {} is used twice: for {} and for {}", id,
                               TokenizerJson::Quote(std::min(*at->second, content)),
                               TokenizerJson::Quote(std::max(*at->second, content))));
      }
    };
    for (const auto& [piece, id] : *file_.vocabulary) claim(piece, id);
    for (const AddedToken& token : file_.added_tokens) claim(token.content, token.id);
    for (const auto* ids : {&file_.ends.before, &file_.ends.behind}) {
      for (const int32_t id : *ids) {
        if (!owner.contains(id)) json_.Fail("post_processor", fmt::format("no token is {}", id));
      }
    }
  }

  // A vocabulary of words without a merge that makes them is a tokenizer that lost its merges.
  void CheckMerges(const Json& model) const {
    const Json& merges = TokenizerJson::Get(model, "merges");
    if (!merges.is_array() || !merges.empty()) return;
    std::unordered_set<std::string_view> known;
    for (const AddedToken& token : file_.added_tokens) known.insert(token.content);
    const std::string unknown = json_.String(model, "unk_token", "model", "");
    known.insert(unknown);
    const auto is_byte = [](std::string_view piece) {
      return piece.size() == 6 && piece.starts_with("<0x") && piece.ends_with('>');
    };
    for (const auto& [piece, id] : *file_.vocabulary) {
      size_t end = 0;
      if (!piece.empty()) NextCodePoint(piece, &end);
      if (end < piece.size() && !known.contains(piece) && !is_byte(piece)) {
        json_.Fail("model.merges",
                   fmt::format("is empty, but {} (id {}) can only come from a merge",
                               TokenizerJson::Quote(piece), id));
      }
    }
  }

  TokenizerJson json_;
  TokenizerFile file_;
};

}  // namespace

TokenizerFile ParseTokenizerFile(std::string_view text, const std::string& name) {
  if (text.size() > kLargestFile) {
    throw FileError(name, "",
                    fmt::format("{} bytes, expected a tokenizer.json of at most {}", text.size(),
                                kLargestFile));
  }
  return Reader(name).Run(ParseJson(text, name));
}

}  // namespace hone
