#include "policy/text/special_tokens.h"

#include "common/error.h"
#include "common/file.h"
#include "common/json.h"

namespace hone {
namespace fs = std::filesystem;
namespace {

// A text, or an object with the text as "content", as both files have special tokens.
void ReadFrom(const Json& json, SpecialTokens* tokens) {
  for (const char* key : {"bos_token", "eos_token", "unk_token", "sep_token", "pad_token",
                          "cls_token", "mask_token"}) {
    const auto found = json.find(key);
    if (found == json.end()) continue;
    const Json& value = *found;
    if (value.is_string()) {
      (*tokens)[key] = value.get<std::string>();
    } else if (value.is_object() && value.contains("content") && value["content"].is_string()) {
      (*tokens)[key] = value["content"].get<std::string>();
    }
  }
}

}  // namespace

SpecialTokens ReadSpecialTokens(const fs::path& model_folder) {
  SpecialTokens tokens;
  for (const char* name : {"special_tokens_map.json", "tokenizer_config.json"}) {
    const fs::path path = model_folder / name;
    if (!fs::exists(path)) continue;
    const Json json = ReadJson(path);
    if (!json.is_object()) throw FileError(path.string(), "", "expected a JSON object");
    ReadFrom(json, &tokens);
  }
  return tokens;
}

}  // namespace hone
