// Byte-level BPE as GGUF metadata: tokenizer.ggml.model "gpt2".
#pragma once

#include "policy/files/gguf.h"
#include "policy/files/gguf_vocabulary.h"

namespace hone {

// Adds tokens, types, merges and the pre-tokenizer's name in llama.cpp, which knows the splits of
// texts by name and not by their patterns. Throws UsageError for a tokenizer that it has not.
void AddByteLevelBpe(const ModelFolder& model, const Json& tokenizer, GgufVocabulary vocabulary,
                     GgufMetadata* metadata);

}  // namespace hone
