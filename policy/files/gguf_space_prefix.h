// Where a space goes that no text holds: before a text, and before what follows an added token.
#pragma once

#include <string_view>

#include "common/json.h"
#include "policy/files/model_folder.h"

namespace hone {

inline constexpr std::string_view kGgufSpace = "\u2581";  // ▁, which stands for a space

// llama.cpp's one setting for it, `add_space_prefix` of its SentencePiece tokenizer: before
// whatever stands at those places, or nowhere. That is what Prepend and Metaspace's "never" do.
// Metaspace's "always" and "first" look at what stands there: of the two settings the one that
// agrees on the texts of the chat template, else on most texts, and a warning that says which texts
// get other tokens. Refuses every other step of the normalizer and the pre-tokenizer.
bool GgufSpacePrefix(const ModelFolder& model, const Json& tokenizer);

}  // namespace hone
