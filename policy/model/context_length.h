// How long a policy's sequences may be, where the user has a word in it.
#pragma once

#include <cstdint>

#include "policy/model/config.h"

namespace hone {

// `length` positions a sequence; 0: as many as the model has by itself. Of longrope, which has by
// itself the length that its short factors are for, more than these give the long factors to every
// position (as vLLM does by its max_model_len), so that no key changes as a sequence grows. Throws
// UsageError for more than the model has.
void SetContextLength(int64_t length, ModelConfig* config);

}  // namespace hone
