// The contract of softcap.h in plain loops.
#include <cmath>

#include "kernels/softcap.h"
#include "kernels/softmax.h"

namespace hone::kernels::reference {

void SoftCap(float* x, int64_t n, float cap) {
  for (int64_t i = 0; i < n; ++i) x[i] = cap * Tanh(x[i] / cap);
}

void SoftCapBackward(const float* y, int64_t n, float cap, float* dy) {
  for (int64_t i = 0; i < n; ++i) {
    const float t = y[i] / cap;
    dy[i] *= std::fma(-t, t, 1.0f);
  }
}

}  // namespace hone::kernels::reference
