// BPE as SentencePiece has it (Llama 2, Mistral, Gemma, Phi-3) as GGUF metadata:
// tokenizer.ggml.model "llama".
#pragma once

#include "policy/files/gguf.h"
#include "policy/files/gguf_vocabulary.h"

namespace hone {

// Adds tokens, types, scores, whether a space is put before a text. llama.cpp has no merges here:
// of two neighbours that together are a token it takes those whose token scores highest, and of
// these the leftmost. So the file's merges must be all the ways in which tokens are made of two
// tokens, one token's behind another's, as a converter of SentencePiece models writes them. Throws
// UsageError where llama.cpp would cut a text into other tokens.
void AddSentencePieceBpe(const ModelFolder& model, const Json& tokenizer, GgufVocabulary vocabulary,
                         GgufMetadata* metadata);

}  // namespace hone
