// What tokenizer.json says, checked: the only place that knows its keys.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "policy/text/added_tokens.h"
#include "policy/text/bpe.h"
#include "policy/text/pre_tokenizer.h"

namespace hone {

struct TokenizerFile {
  // The model's vocabulary, in the alphabet of byte_level.h.
  std::unordered_map<std::string, int32_t> vocabulary;
  BpeMerges merges;
  bool ignore_merges = false;  // a word that is itself a token is taken whole
  std::optional<int32_t>
      unknown_id;             // stands for a byte without a symbol; without it, that is dropped
  bool fuse_unknown = false;  // a run of such bytes gives one unknown_id

  std::vector<AddedToken> added_tokens;
  bool normal_form_c = false;
  std::vector<PreTokenizerStep> pre_tokenizer;
};

// Throws FileError naming the key.
TokenizerFile ReadTokenizerFile(const std::filesystem::path& path);

}  // namespace hone
