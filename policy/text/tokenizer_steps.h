// The "normalizer", "pre_tokenizer", "decoder" and "post_processor" of a tokenizer.json. What is
// not supported is refused by its name; docs/tokenizers.md lists both.
#pragma once

#include <vector>

#include "policy/text/decoder.h"
#include "policy/text/normalizer.h"
#include "policy/text/pre_tokenizer.h"
#include "policy/text/text_ends.h"
#include "policy/text/tokenizer_json.h"

namespace hone {

struct PreTokenizer {
  std::vector<PreTokenizerStep> steps;
  bool byte_level = false;  // the words' bytes then become symbols of byte_level.h
};

// Each takes the part, or null for none.
std::vector<NormalizerStep> ReadNormalizer(const TokenizerJson& file, const Json& part);
PreTokenizer ReadPreTokenizer(const TokenizerJson& file, const Json& part);
std::vector<DecoderStep> ReadDecoder(const TokenizerJson& file, const Json& part);
// Its tokens around a text. (What else a post-processor does is to move offsets.)
TextEnds ReadPostProcessor(const TokenizerJson& file, const Json& part);

}  // namespace hone
