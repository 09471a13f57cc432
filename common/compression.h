// zstd, whole texts at a time. Reading is common/byte_source.h.
#pragma once

#include <string>
#include <string_view>

namespace hone {

// The same text gives the same bytes (one thread, one level).
std::string Compress(std::string_view text);

}  // namespace hone
