// zstd, whole texts at a time.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace hone {

// The same text gives the same bytes (one thread, one level).
std::string Compress(std::string_view text);
// Throws FileError (naming `path`) when the bytes are no whole zstd frames.
std::string Decompress(std::string_view bytes, const std::filesystem::path& path);

}  // namespace hone
