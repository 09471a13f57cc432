// A Hugging Face model folder with random weights, as `hone init-model` makes it.
#pragma once

#include <cstdint>
#include <filesystem>

namespace hone {

// Throws FileError for a bad config or tokenizer, UsageError when `output` is something else than a
// model folder.
void InitModelFolder(const std::filesystem::path& config, const std::filesystem::path& tokenizer,
                     uint64_t seed, const std::filesystem::path& output);

}  // namespace hone
