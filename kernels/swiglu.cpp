#include "kernels/swiglu.h"

#include "kernels/isa_kernels.h"
#include "kernels/parallel.h"

namespace hone::kernels {

void SwiGlu(const Exec& exec, const float* gate_up_T2F, int64_t t, int64_t f, float* out_TF) {
  const GatedKernels& kernels = HONE_ISA_KERNELS(exec.isa, kSwiGlu);
  ParallelFor(exec, t, 4, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const float* gate = gate_up_T2F + row * 2 * f;
      kernels.forward(gate, gate + f, f, out_TF + row * f);
    }
  });
}

void SwiGluBackward(const Exec& exec, const float* d_out_TF, const float* gate_up_T2F, int64_t t,
                    int64_t f, float* d_gate_up_T2F, float* out_TF) {
  const GatedKernels& kernels = HONE_ISA_KERNELS(exec.isa, kSwiGlu);
  ParallelFor(exec, t, 4, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const float* gate = gate_up_T2F + row * 2 * f;
      float* d_gate = d_gate_up_T2F + row * 2 * f;
      kernels.backward(d_out_TF + row * f, gate, gate + f, f, d_gate, d_gate + f, out_TF + row * f);
    }
  });
}

}  // namespace hone::kernels
