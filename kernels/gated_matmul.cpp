#include "kernels/gated_matmul.h"

#include <algorithm>

#include "kernels/matmul_partition.h"

namespace hone::kernels {
namespace {

// Panels of gate and of up that a thread computes before their activation: what they give for the
// rows of a unit stays in the second-level cache.
constexpr int64_t kPanels = 4;

}  // namespace

void MatmulGated(const Exec& exec, Gate activation, const float* a, int64_t lda, int64_t m,
                 const PackedMatrix& gate, const PackedMatrix& up, float* gate_up_T2F,
                 float* act_TF, const float* bias_2F) {
  const MatmulKernels& matmul = HONE_ISA_KERNELS(exec.isa, kMatmul);
  const GatedKernels& gated = GatedKernelsOf(exec, activation);
  const int64_t f = gate.n, ld = 2 * f;
  ForUnits(exec, m, f, matmul.tile_rows, kMostRows, [&](const MatmulUnit& unit) {
    for (int64_t panel = unit.panel; panel < unit.panel + unit.panels; panel += kPanels) {
      const int64_t panels = std::min(unit.panel + unit.panels - panel, kPanels);
      MatmulBlock gate_block =
          BlockOf(matmul, unit, a, lda, gate, panel, panels, gate_up_T2F, ld, bias_2F);
      MatmulBlock up_block = BlockOf(matmul, unit, a, lda, up, panel, panels, gate_up_T2F + f, ld,
                                     bias_2F == nullptr ? nullptr : bias_2F + f);
      up_block.next = gate_block.next;
      gate_block.next = MemoryOf(FromPanel(up, panel));
      matmul.block(gate_block);
      matmul.block(up_block);
      const int64_t column = panel * kPanel, columns = gate_block.columns;
      const float* out = gate_block.c;
      for (int64_t row = 0; row < unit.rows; ++row) {
        const float* values = out + row * ld;
        gated.forward(values, values + f, columns, act_TF + (unit.row + row) * f + column);
      }
    }
  });
}

}  // namespace hone::kernels
