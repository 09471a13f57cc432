#include "policy/files/gguf_tokenizer.h"

#include <fmt/format.h>

#include <optional>
#include <unordered_set>

#include "common/error.h"
#include "common/log.h"
#include "policy/text/byte_level.h"

namespace hone {
namespace {

// llama.cpp's types of tokens (llama_token_type).
enum TokenType : int32_t { kNormal = 1, kControl = 3, kUserDefined = 4, kUnused = 5 };

// The split of Qwen2's tokenizer.json, and that of Llama 3's: digits alone, or up to three.
constexpr const char* kQwen2Split =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr const char* kLlama3Split =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

// The pre-tokenizers of tokenizer.json that llama.cpp has under a name.
struct PreTokenizerName {
  std::vector<std::string> steps;  // as StepName() says them
  bool ignore_merges;
  const char* name;
};
const std::vector<PreTokenizerName>& KnownPreTokenizers() {
  static const std::vector<PreTokenizerName> known = {
      {{"gpt2"}, false, "gpt-2"},
      {{"digits", "gpt2"}, false, "smollm"},
      {{std::string("split ") + kQwen2Split, "bytes"}, false, "qwen2"},
      {{std::string("split ") + kLlama3Split, "bytes"}, true, "llama-bpe"},
      {{std::string("split ") + kLlama3Split, "bytes"}, false, "dbrx"},
  };
  return known;
}

[[noreturn]] void Fail(const std::string& where, const std::string& message) {
  throw UsageError(fmt::format("--format gguf: {}: {}; export the policy as hf", where, message));
}

std::string Companion(const ModelFolder& model, const std::string& name) {
  for (const auto& [companion, bytes] : model.companions) {
    if (companion == name) return bytes;
  }
  return "";
}

Json Get(const Json& object, const std::string& key) {
  return object.is_object() && object.contains(key) ? object[key] : Json();
}

// A step in the words of KnownPreTokenizers.
std::string StepName(const Json& step) {
  const Json type = Get(step, "type");
  if (type == "ByteLevel" && Get(step, "add_prefix_space") == false)
    return Get(step, "use_regex") == false ? "bytes" : "gpt2";
  if (type == "Digits" && Get(step, "individual_digits") == true) return "digits";
  const Json regex = Get(Get(step, "pattern"), "Regex");
  if (type == "Split" && regex.is_string() && Get(step, "behavior") == "Isolated" &&
      Get(step, "invert") != true) {
    return "split " + regex.get<std::string>();
  }
  return Dump(step);
}

void ListSteps(const Json& step, std::vector<std::string>* steps) {
  if (Get(step, "type") != "Sequence") return steps->push_back(StepName(step));
  for (const Json& inner : Get(step, "pretokenizers")) ListSteps(inner, steps);
}

std::string PreTokenizerId(const Json& tokenizer) {
  std::vector<std::string> steps;
  ListSteps(Get(tokenizer, "pre_tokenizer"), &steps);
  const bool ignore_merges = Get(Get(tokenizer, "model"), "ignore_merges") == true;
  for (const PreTokenizerName& known : KnownPreTokenizers()) {
    if (known.steps == steps && known.ignore_merges == ignore_merges) return known.name;
  }
  Fail("tokenizer.json: pre_tokenizer",
       fmt::format("llama.cpp has no name for [{}]{}", fmt::join(steps, ", "),
                   ignore_merges ? " with ignore_merges" : ""));
}

struct Vocabulary {
  std::vector<std::string> texts;
  std::vector<int32_t> types;
};

Vocabulary ListTokens(const Json& tokenizer, int64_t rows) {
  Vocabulary all;
  all.texts.resize(static_cast<size_t>(rows));
  all.types.assign(static_cast<size_t>(rows), kUnused);
  for (const auto& [piece, id] : tokenizer["model"]["vocab"].items()) {
    all.texts[id.get<size_t>()] = piece;
    all.types[id.get<size_t>()] = kNormal;
  }
  for (const Json& token : Get(tokenizer, "added_tokens")) {
    const auto id = token["id"].get<size_t>();
    const auto content = token["content"].get<std::string>();
    for (const char* flag : {"lstrip", "rstrip", "single_word"}) {
      if (Get(token, flag) == true) {
        Fail(fmt::format("tokenizer.json: added token {}", Dump(token["content"])),
             fmt::format("llama.cpp has no {}", flag));
      }
    }
    if (content.empty()) continue;
    all.texts[id] = content;
    all.types[id] = Get(token, "special") == true ? kControl : kUserDefined;
  }
  std::unordered_set<std::string> seen;
  for (size_t id = 0; id < all.texts.size(); ++id) {
    // Rows that no token has, by which a vocabulary is filled up to a round number.
    if (all.types[id] == kUnused) all.texts[id] = fmt::format("[PAD{}]", id);
    if (all.types[id] == kNormal && !BytesOfSymbols(all.texts[id])) {
      Fail(fmt::format("tokenizer.json: the token {}", Dump(Json(all.texts[id]))),
           "is not written in the alphabet of byte-level BPE");
    }
    if (!seen.insert(all.texts[id]).second) {
      Fail("tokenizer.json", fmt::format("two tokens are written {}", Dump(Json(all.texts[id]))));
    }
  }
  return all;
}

std::vector<std::string> ListMerges(const Json& model) {
  std::vector<std::string> merges;
  for (const Json& merge : model["merges"]) {
    if (merge.is_string()) {
      if (auto text = merge.get<std::string>(); !text.starts_with("#version"))
        merges.push_back(std::move(text));
      continue;
    }
    const auto left = merge[0].get<std::string>(), right = merge[1].get<std::string>();
    if ((left + right).find(' ') != std::string::npos)
      Fail("tokenizer.json: model.merges", fmt::format("{} holds a space", Dump(merge)));
    merges.push_back(left + " " + right);
  }
  return merges;
}

// What the post-processor puts before and after a text.
struct AddedEnds {
  bool bos = false, eos = false;
};
AddedEnds EndsOf(const Json& processor, const std::optional<int32_t>& bos,
                 const std::optional<int32_t>& eos) {
  AddedEnds ends;
  const Json type = Get(processor, "type");
  const std::string where = "tokenizer.json: post_processor";
  if (type == "Sequence") {
    for (const Json& part : Get(processor, "processors")) {
      const AddedEnds more = EndsOf(part, bos, eos);
      ends.bos |= more.bos;
      ends.eos |= more.eos;
    }
  } else if (type == "TemplateProcessing") {
    bool text_seen = false;
    for (const Json& part : Get(processor, "single")) {
      if (part.contains("Sequence")) {
        text_seen = true;
        continue;
      }
      const Json id = Get(Get(part, "SpecialToken"), "id");
      const Json ids =
          Get(Get(Get(processor, "special_tokens"), id.is_string() ? id.get<std::string>() : ""),
              "ids");
      const bool is_bos = bos && ids == Json::array({*bos}),
                 is_eos = eos && ids == Json::array({*eos});
      if (!text_seen && is_bos && !ends.bos) {
        ends.bos = true;
      } else if (text_seen && is_eos && !ends.eos) {
        ends.eos = true;
      } else {
        Fail(where,
             fmt::format("adds {}, which is neither BOS before nor EOS after a text", Dump(id)));
      }
    }
  } else if (!type.is_null() && type != "ByteLevel") {
    Fail(where, fmt::format("llama.cpp has no {}", Dump(type)));
  }
  return ends;
}

std::optional<int32_t> SpecialId(const ModelFolder& model, const Json& config, const char* key,
                                 int32_t fallback) {
  Json text = Get(config, key);
  if (text.is_object()) text = Get(text, "content");
  if (text.is_string()) {
    if (const auto id = model.tokenizer->TokenId(text.get<std::string>())) return id;
  }
  return fallback >= 0 ? std::optional(fallback) : std::nullopt;
}

void AddSpecialIds(const ModelFolder& model, const Json& tokenizer, const Json& config,
                   GgufMetadata* metadata) {
  const GenerationConfig& generation = model.generation;
  const auto add = [&](const char* key, const std::optional<int32_t>& id) {
    if (id)
      metadata->emplace_back(fmt::format("tokenizer.ggml.{}_token_id", key),
                             static_cast<uint32_t>(*id));
  };
  // Without the key llama.cpp takes token 11 for the end.
  if (generation.eos_token_ids.empty())
    Fail("generation_config.json: eos_token_id", "is missing, and GGUF has no way to say so");
  // The keys by which llama.cpp learns of tokens that end a generation.
  constexpr const char* kEnds[] = {"eos", "eot", "eom"};
  if (generation.eos_token_ids.size() > std::size(kEnds)) {
    Fail("generation_config.json: eos_token_id",
         fmt::format("has {} ids, GGUF has keys for {}", generation.eos_token_ids.size(),
                     std::size(kEnds)));
  }
  for (size_t i = 0; i < generation.eos_token_ids.size(); ++i)
    add(kEnds[i], generation.eos_token_ids[i]);
  const auto bos = SpecialId(model, config, "bos_token", generation.bos_token_id);
  const auto eos = SpecialId(model, config, "eos_token", generation.eos_token_ids[0]);
  add("bos", bos);
  add("padding", SpecialId(model, config, "pad_token", generation.pad_token_id));
  AddedEnds ends = EndsOf(Get(tokenizer, "post_processor"), bos, eos);
  if (ends.eos && eos != generation.eos_token_ids[0])
    Fail("tokenizer.json: post_processor", "adds another EOS than generation_config.json's first");
  metadata->emplace_back("tokenizer.ggml.add_bos_token", ends.bos);
  metadata->emplace_back("tokenizer.ggml.add_eos_token", ends.eos);
}

void AddChatTemplates(const ModelFolder& model, const Json& config, GgufMetadata* metadata) {
  const std::string file = Companion(model, "chat_template.jinja");
  const Json inside = Get(config, "chat_template");
  if (!file.empty() || inside.is_string()) {
    metadata->emplace_back("tokenizer.chat_template",
                           !file.empty() ? file : inside.get<std::string>());
    return;
  }
  std::vector<std::string> names;
  for (const Json& each : inside.is_array() ? inside : Json::array()) {
    const Json name = Get(each, "name"), text = Get(each, "template");
    if (!name.is_string() || !text.is_string())
      Fail("tokenizer_config.json: chat_template", "expected names and texts");
    if (name == "default") {
      metadata->emplace_back("tokenizer.chat_template", text.get<std::string>());
    } else {
      names.push_back(name.get<std::string>());
      metadata->emplace_back("tokenizer.chat_template." + names.back(), text.get<std::string>());
    }
  }
  if (!names.empty()) metadata->emplace_back("tokenizer.chat_templates", names);
}

}  // namespace

void AddGgufTokenizer(const ModelFolder& model, GgufMetadata* metadata) {
  if (model.tokenizer == nullptr) Fail("tokenizer.json", "is missing");
  const Json tokenizer = Json::parse(Companion(model, "tokenizer.json"));
  const std::string config_text = Companion(model, "tokenizer_config.json");
  const Json config = config_text.empty() ? Json() : Json::parse(config_text, nullptr, false);
  const Json& bpe = tokenizer["model"];
  if (Get(bpe, "merges").is_null() || Get(bpe, "byte_fallback") == true)
    Fail("tokenizer.json: model", "only byte-level BPE is written as GGUF");
  if (!Get(bpe, "unk_token").is_null())
    Fail("tokenizer.json: model.unk_token", "llama.cpp's byte-level BPE has none");
  if (const Json normalizer = Get(tokenizer, "normalizer"); !normalizer.is_null()) {
    if (Get(normalizer, "type") != "NFC")
      Fail("tokenizer.json: normalizer", fmt::format("llama.cpp has no {}", Dump(normalizer)));
    spdlog::warn(
        "tokenizer.json: llama.cpp does not normalise: a text that is not in normal form C gives "
        "it other tokens");
  }
  Vocabulary vocabulary = ListTokens(tokenizer, model.config.vocab_size);
  metadata->emplace_back("tokenizer.ggml.model", std::string("gpt2"));
  metadata->emplace_back("tokenizer.ggml.pre", PreTokenizerId(tokenizer));
  metadata->emplace_back("tokenizer.ggml.tokens", std::move(vocabulary.texts));
  metadata->emplace_back("tokenizer.ggml.token_type", std::move(vocabulary.types));
  metadata->emplace_back("tokenizer.ggml.merges", ListMerges(bpe));
  AddSpecialIds(model, tokenizer, config, metadata);
  AddChatTemplates(model, config, metadata);
}

}  // namespace hone
