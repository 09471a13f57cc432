// What stands around a text: tokenizer.json's "post_processor".
#pragma once

#include <cstdint>
#include <vector>

namespace hone {

// The tokens that a post-processor puts before and behind a text that it has alone, not as one of a
// pair: BOS and EOS, or none.
struct TextEnds {
  std::vector<int32_t> before, behind;
};

}  // namespace hone
