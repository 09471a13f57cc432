// A small real policy for the tests of this folder: random weights, a byte-level tokenizer.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "policy/backend.h"
#include "policy/text/tokenizer.h"

namespace hone {

ModelConfig TinyConfig();
// The exact backend with weights of `seed`, sharp enough that draws differ in likelihood.
std::unique_ptr<Backend> TinyBackend(int threads = 1, uint64_t seed = 1,
                                     const ModelConfig& config = TinyConfig());
// Tokens 0 to 255 are the bytes, 256 and on a few pairs of letters, the last one is "<eos>".
std::shared_ptr<const Tokenizer> TinyTokenizer();
// A fresh folder that is removed when the program ends.
std::filesystem::path TestFolder();

}  // namespace hone
