// What tokenizer.json says, checked. With tokenizer_steps.h and tokenizer_model.h, the only place
// that knows its keys.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "policy/text/added_tokens.h"
#include "policy/text/decoder.h"
#include "policy/text/models/model.h"
#include "policy/text/normalizer.h"
#include "policy/text/pre_tokenizer.h"
#include "policy/text/text_ends.h"

namespace hone {

struct TokenizerFile {
  std::unique_ptr<Vocabulary> vocabulary;  // the model's, as written; the model looks into it
  std::unique_ptr<TokenModel> model;
  std::vector<NormalizerStep> normalizer;
  std::vector<PreTokenizerStep> pre_tokenizer;
  std::vector<DecoderStep> decoder;  // never empty
  std::vector<AddedToken> added_tokens;
  TextEnds ends;
};

// Of the file's text; `name` stands for it in errors. Throws FileError naming the key.
TokenizerFile ParseTokenizerFile(std::string_view text, const std::string& name);

}  // namespace hone
