// The "model" of a tokenizer.json.
#pragma once

#include <memory>

#include "policy/text/models/model.h"
#include "policy/text/tokenizer_json.h"

namespace hone {

// Fills `vocabulary`, which the model looks into and which must outlive it.
std::unique_ptr<TokenModel> ReadModel(const TokenizerJson& file, const Json& part, bool byte_level,
                                      Vocabulary* vocabulary);

}  // namespace hone
