#include "kernels/gated.h"

#include "kernels/isa_kernels.h"
#include "kernels/parallel.h"

namespace hone::kernels {

namespace {

// Asks for n floats that will be read soon, from wherever they are.
void AskFor(const float* x, int64_t n) {
  for (int64_t i = 0; i < n; i += 16) __builtin_prefetch(x + i, 0, 2);
}

}  // namespace

const GatedKernels& GatedKernelsOf(const Exec& exec, Gate activation) {
  return activation == Gate::kSilu ? HONE_ISA_KERNELS(exec.isa, kSwiGlu)
                                   : HONE_ISA_KERNELS(exec.isa, kGeGlu);
}

void Gated(const Exec& exec, Gate activation, const float* gate_up_T2F, int64_t t, int64_t f,
           float* out_TF) {
  const GatedKernels& kernels = GatedKernelsOf(exec, activation);
  ParallelFor(exec, t, 4, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const float* gate = gate_up_T2F + row * 2 * f;
      kernels.forward(gate, gate + f, f, out_TF + row * f);
    }
  });
}

void GatedBackward(const Exec& exec, Gate activation, const float* d_out_TF,
                   const float* const* gate_up_T, int64_t t, int64_t f, float* d_gate_up_T2F,
                   const RowsAt& out_TF) {
  const GatedKernels& kernels = GatedKernelsOf(exec, activation);
  ParallelFor(exec, t, 4, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const float* gate = gate_up_T[row];
      if (row + 1 < end) AskFor(gate_up_T[row + 1], 2 * f);
      float* d_gate = d_gate_up_T2F + row * 2 * f;
      kernels.backward(d_out_TF + row * f, gate, gate + f, f, d_gate, d_gate + f, out_TF.From(row));
    }
  });
}

}  // namespace hone::kernels
