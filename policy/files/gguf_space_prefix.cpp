#include "policy/files/gguf_space_prefix.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/error.h"
#include "common/log.h"
#include "policy/files/gguf_vocabulary.h"
#include "policy/text/added_tokens.h"
#include "policy/text/chat_template.h"
#include "policy/text/tokenizer_json.h"

namespace hone {
namespace {

// When tokenizer.json puts a space before a piece: what stands between two added tokens, or between
// one and an end of the text.
enum class Scheme {
  kNever,
  kPrepend,  // always
  kAlways,   // where the piece does not begin with one
  kFirst,    // where the piece does not begin with one, and the text begins with the piece
};

const Json& Get(const Json& object, const char* key) { return TokenizerJson::Get(object, key); }

void ListSteps(const Json& step, const char* key, std::vector<const Json*>* steps) {
  if (step.is_null()) return;
  if (Get(step, "type") != "Sequence") return steps->push_back(&step);
  for (const Json& inner : Get(step, key)) ListSteps(inner, key, steps);
}

bool IsString(const Json& step, const char* text) {
  return Get(Get(step, "pattern"), "String") == text;
}

Scheme SchemeOf(const Json& metaspace) {
  const std::string where = "tokenizer.json: pre_tokenizer: Metaspace";
  if (Get(metaspace, "replacement") != std::string(kGgufSpace)) {
    RefuseTokenizer(where + ".replacement",
                    fmt::format("llama.cpp has {}", Dump(Json(kGgufSpace))));
  }
  if (Get(metaspace, "split") != false)
    RefuseTokenizer(where + ".split", "llama.cpp splits no words");
  const Json& scheme =
      Get(metaspace, "prepend_scheme");  // (one of these: the tokenizer was loaded)
  return scheme == "never" ? Scheme::kNever : scheme == "first" ? Scheme::kFirst : Scheme::kAlways;
}

Scheme ReadScheme(const Json& tokenizer) {
  std::vector<const Json*> normalizer, pre_tokenizer;
  ListSteps(Get(tokenizer, "normalizer"), "normalizers", &normalizer);
  ListSteps(Get(tokenizer, "pre_tokenizer"), "pretokenizers", &pre_tokenizer);
  std::optional<Scheme> scheme;
  if (!normalizer.empty() && Get(*normalizer[0], "type") == "Prepend" &&
      Get(*normalizer[0], "prepend") == std::string(kGgufSpace)) {
    scheme = Scheme::kPrepend;
  }
  bool replaced = false;
  for (size_t i = scheme ? 1 : 0; i < normalizer.size(); ++i) {
    const Json& step = *normalizer[i];
    if (Get(step, "type") != "Replace" || !IsString(step, " ") ||
        Get(step, "content") != std::string(kGgufSpace)) {
      RefuseTokenizer("tokenizer.json: normalizer",
                      fmt::format("llama.cpp has no {} here", Dump(step)));
    }
    replaced = true;
  }
  for (const Json* step : pre_tokenizer) {
    const Json& type = Get(*step, "type");
    if (type == "Metaspace" && !scheme) {
      scheme = SchemeOf(*step);
      replaced = true;
    } else if (type != "Split" || !IsString(*step, " ") || Get(*step, "invert") == true ||
               !replaced) {
      // (Where no space is left, a split at spaces does nothing: Gemma.)
      RefuseTokenizer("tokenizer.json: pre_tokenizer",
                      fmt::format("llama.cpp has no {} here", Dump(*step)));
    }
  }
  if (!replaced)
    RefuseTokenizer("tokenizer.json: normalizer", "spaces stay spaces, where llama.cpp has \u2581");
  return scheme.value_or(Scheme::kNever);
}

void CheckNormalizedTokens(const Json& tokenizer) {
  for (const Json& token : Get(tokenizer, "added_tokens")) {
    if (Get(token, "normalized") == false) continue;
    RefuseTokenizer("tokenizer.json: added token " + Dump(token["content"]),
                    "is normalized, so found behind a space only; llama.cpp finds it anywhere");
  }
}

// Texts of the folder's chat template, without one for what it raises an error at; nothing where
// there is no template.
std::optional<std::vector<std::string>> ChatTexts(const ModelFolder& model) {
  const OrderedJson user = {{"role", "user"}, {"content", "a"}},
                    assistant = {{"role", "assistant"}, {"content", "b"}},
                    system = {{"role", "system"}, {"content", "c"}};
  std::shared_ptr<const ChatTemplate> chat;
  std::vector<std::string> texts;
  try {
    chat = ChatTemplate::Load(model.path);
    if (chat == nullptr) return std::nullopt;
  } catch (const FileError& error) {
    spdlog::warn("{}", error.what());
    return texts;
  }
  ChatOptions options;
  options.date = ChatDate();
  for (const OrderedJson& messages :
       {OrderedJson::array({user}), OrderedJson::array({user, assistant, user}),
        OrderedJson::array({system, user}), OrderedJson::array({system, user, assistant, user})}) {
    try {
      texts.push_back(chat->Render(messages, options));
    } catch (const FileError& error) {
      spdlog::debug("{}", error.what());  // as templates do that know of no system messages
    }
  }
  return texts;
}

bool BeginsWithSpace(std::string_view text) {
  return text.starts_with(' ') || text.starts_with(kGgufSpace);
}

// Whether llama.cpp gives all these texts the tokens that tokenizer.json gives them.
bool Agrees(Scheme scheme, bool space_prefix, const std::vector<std::string>& texts,
            const AddedTokenMatcher& added) {
  for (const std::string_view text : texts) {
    for (const TextPart& part : added.Split(text)) {
      if (part.token >= 0) continue;
      const bool space = !BeginsWithSpace(text.substr(part.begin)) &&
                         (scheme == Scheme::kAlways || part.begin == 0);
      if (space != space_prefix) return false;
    }
  }
  return true;
}

AddedTokenMatcher AddedTokens(const Json& tokenizer) {
  AddedTokenMatcher added;
  for (const Json& json : Get(tokenizer, "added_tokens")) {
    const auto content = json["content"].get<std::string>();
    if (content.empty()) continue;
    AddedToken token;
    token.id = json["id"].get<int32_t>();
    token.rstrip = Get(json, "rstrip") == true;
    added.Add(token, content);
  }
  return added;
}

// The texts that get other tokens.
const char* Differing(Scheme scheme, bool space_prefix) {
  if (scheme == Scheme::kAlways) {
    return space_prefix ? "one space more to a text that begins with a space or \u2581, and to "
                          "what follows an added token and begins so"
                        : "no space to a text that begins with another character than a space or "
                          "\u2581, nor to what follows an added token and begins so";
  }
  return space_prefix ? "a space to what follows an added token, and one more to a text that "
                        "begins with a space or \u2581"
                      : "no space to a text that begins neither with an added token nor with a "
                        "space or \u2581 (begin it with the space)";
}

bool ChooseSpacePrefix(Scheme scheme, const ModelFolder& model, const Json& tokenizer) {
  const auto chat = ChatTexts(model);
  const AddedTokenMatcher added = AddedTokens(tokenizer);
  bool space_prefix = scheme == Scheme::kAlways || !chat, agrees = false;
  if (chat && !chat->empty()) {
    agrees = Agrees(scheme, space_prefix, *chat, added);
    if (!agrees && Agrees(scheme, !space_prefix, *chat, added)) {
      agrees = true;
      space_prefix = !space_prefix;
    }
  }
  spdlog::warn(
      "tokenizer.json: pre_tokenizer: Metaspace.prepend_scheme \"{}\" is not in GGUF: llama.cpp "
      "adds {}; those texts get other tokens there than in hone, all others the same{}",
      scheme == Scheme::kAlways ? "always" : "first", Differing(scheme, space_prefix),
      !chat || chat->empty() ? ""
      : agrees               ? ", among them those of the chat template, where no message "
                               "holds an added token"
                             : "; the chat template makes such texts");
  return space_prefix;
}

}  // namespace

bool GgufSpacePrefix(const ModelFolder& model, const Json& tokenizer) {
  const Scheme scheme = ReadScheme(tokenizer);
  if (scheme == Scheme::kPrepend) CheckNormalizedTokens(tokenizer);
  if (scheme == Scheme::kNever || scheme == Scheme::kPrepend) return scheme == Scheme::kPrepend;
  return ChooseSpacePrefix(scheme, model, tokenizer);
}

}  // namespace hone
