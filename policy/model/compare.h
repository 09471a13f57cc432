// Two backends on the same tokens: how far apart are they?
#pragma once

#include <cstdint>
#include <span>

#include "policy/backend.h"

namespace hone {

struct Comparison {
  double max_logprob_diff = 0;  // over all tokens but the first, at temperature 1
  int64_t worst_position = 0;   // of the token that differs most
  double mean_logprob_diff = 0;
  double max_entropy_diff = 0;
};

// Runs one sequence of at least two tokens through both, each with the weights that it holds.
// Throws RunError when their vocabularies differ.
Comparison CompareBackends(Backend& a, Backend& b, std::span<const int32_t> tokens);

}  // namespace hone
