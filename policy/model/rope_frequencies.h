// The inverse frequencies of rotary embedding.
#pragma once

#include <vector>

#include "policy/model/config.h"

namespace hone {

// theta^(-2 i / dims) for i = 0 … dims / 2 - 1, stretched as the scaling says.
std::vector<double> InverseFrequenciesInDouble(double theta, int64_t dims,
                                               const RopeScaling& scaling);

// The same, rounded to float once. (transformers rounds at every step: a few ulp apart.)
std::vector<float> InverseFrequencies(double theta, int64_t dims, const RopeScaling& scaling);

}  // namespace hone
