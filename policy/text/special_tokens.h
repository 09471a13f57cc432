// The texts of a tokenizer's special tokens, as a model folder names them.
#pragma once

#include <filesystem>
#include <map>
#include <string>

namespace hone {

// "bos_token" → "<s>" and so on.
using SpecialTokens = std::map<std::string, std::string>;

// Those of special_tokens_map.json, and over them those of tokenizer_config.json; none where
// neither file is there. Throws FileError for a file that is no JSON object.
SpecialTokens ReadSpecialTokens(const std::filesystem::path& model_folder);

}  // namespace hone
