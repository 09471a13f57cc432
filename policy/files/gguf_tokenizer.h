// tokenizer.json and the chat template as GGUF metadata.
#pragma once

#include "policy/files/gguf.h"
#include "policy/files/model_folder.h"

namespace hone {

// Adds the keys under "tokenizer.": tokens with their types, merges, the pre-tokenizer's id in
// llama.cpp, special ids, whether BOS and EOS are added, the chat template. Throws UsageError,
// naming what stands in the way, where llama.cpp would cut texts into other tokens: it knows
// pre-tokenizers by name and not by their patterns.
void AddGgufTokenizer(const ModelFolder& model, GgufMetadata* metadata);

}  // namespace hone
