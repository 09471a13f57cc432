// The tokens of a tokenizer.json as a GGUF file lists them.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "common/json.h"
#include "policy/files/model_folder.h"

namespace hone {

// llama.cpp's types of tokens (llama_token_type).
enum GgufTokenType : int32_t {
  kGgufNormal = 1,
  kGgufUnknown = 2,
  kGgufControl = 3,
  kGgufUserDefined = 4,
  kGgufUnused = 5,
  kGgufByte = 6
};

struct GgufVocabulary {
  std::vector<std::string> texts;  // by id, one for each row of the embedding
  std::vector<int32_t> types;
  // White space behind added tokens counts for nothing, as llama.cpp has it for models whose name
  // says Phi-3, and for no others.
  bool strips_like_phi3 = false;
};

// Ends an export: llama.cpp would cut texts into other tokens. Throws UsageError.
[[noreturn]] void RefuseTokenizer(const std::string& where, const std::string& message);

// The tokens of the vocabulary as they are written there, added tokens, and rows that no token has.
// Refuses tokens that are written alike, and added tokens that llama.cpp would not find where
// Hugging Face finds them.
GgufVocabulary ListGgufTokens(const Json& tokenizer, int64_t rows);

// The merges of a BPE model, in their order.
std::vector<std::pair<std::string, std::string>> ListMerges(const Json& model);

// Refuses a decoder that makes other texts of tokens than llama.cpp does. `text_of` gives
// llama.cpp's for a token of the vocabulary, written so.
void CheckGgufDecoder(const ModelFolder& model, const GgufVocabulary& vocabulary,
                      std::string (*text_of)(const std::string& written));

}  // namespace hone
