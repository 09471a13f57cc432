#include "kernels/softcap.h"

#include "kernels/isa_kernels.h"
#include "kernels/parallel.h"

namespace hone::kernels {

namespace {
constexpr int64_t kGrain = 1024;
}

void SoftCap(const Exec& exec, float* x, int64_t n, float cap) {
  const SoftCapKernels& kernels = HONE_ISA_KERNELS(exec.isa, kSoftCap);
  ParallelFor(exec, n, kGrain,
              [&](int64_t begin, int64_t end) { kernels.forward(x + begin, end - begin, cap); });
}

void SoftCapBackward(const Exec& exec, const float* y, int64_t n, float cap, float* dy) {
  const SoftCapKernels& kernels = HONE_ISA_KERNELS(exec.isa, kSoftCap);
  ParallelFor(exec, n, kGrain, [&](int64_t begin, int64_t end) {
    kernels.backward(y + begin, end - begin, cap, dy + begin);
  });
}

}  // namespace hone::kernels
