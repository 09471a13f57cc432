#include "policy/model/context_length.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/error.h"

namespace hone {

void SetContextLength(int64_t length, ModelConfig* config) {
  if (length == 0) return;
  RopeScaling& scaling = config->rope_scaling;
  const int64_t most = std::max(config->max_position_embeddings, scaling.long_positions);
  if (length < 1 || length > most) {
    throw UsageError(
        fmt::format("context_length: expected 1 to the model's {} positions "
                    "(max_position_embeddings), or 0 for its own, found {}",
                    most, length));
  }
  scaling.takes_long_factors = length > config->max_position_embeddings;
  config->max_position_embeddings = length;
  config->positions_key = "context_length";
}

}  // namespace hone
