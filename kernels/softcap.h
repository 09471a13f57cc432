// A soft cap keeps numbers within (-cap, cap): y = cap tanh(x / cap). Gemma 2, arXiv:2408.00118, 2.
#pragma once

#include <cstdint>

#include "kernels/exec.h"

namespace hone::kernels {

// x to y, n elements, in place.
void SoftCap(const Exec& exec, float* x, int64_t n, float cap);
// Turns the gradient by y into that by x, in place; y as SoftCap gave it.
void SoftCapBackward(const Exec& exec, const float* y, int64_t n, float cap, float* dy);

namespace reference {
void SoftCap(float* x, int64_t n, float cap);
void SoftCapBackward(const float* y, int64_t n, float cap, float* dy);
}  // namespace reference
}  // namespace hone::kernels
