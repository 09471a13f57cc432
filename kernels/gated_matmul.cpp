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
      const int64_t left = unit.panel + unit.panels - panel, column = panel * kPanel;
      const int64_t columns = std::min(std::min(left, kPanels) * kPanel, f - column);
      float* out = gate_up_T2F + unit.row * ld + column;
      const PackedMatrix gate_part = FromPanel(gate, panel), up_part = FromPanel(up, panel);
      MatmulBlock block = {.a = a + unit.row * lda,
                           .lda = lda,
                           .rows = unit.rows,
                           .panels = gate_part.panels,
                           .bf16_pairs = gate_part.bf16_pairs,
                           .panel_stride = PanelStride(gate),
                           .k = gate.k,
                           .columns = columns,
                           .c = out,
                           .ldc = ld,
                           .bias = bias_2F == nullptr ? nullptr : bias_2F + column,
                           .from = nullptr,
                           .next = MemoryOf(up_part),
                           .scratch = UnpackScratch(matmul, gate)};
      matmul.block(block);
      block.next = MemoryOf(FromPanel(gate_part, kPanels));
      block.panels = up_part.panels;
      block.bf16_pairs = up_part.bf16_pairs;
      block.c = out + f;
      if (bias_2F != nullptr) block.bias += f;
      matmul.block(block);
      for (int64_t row = 0; row < unit.rows; ++row) {
        const float* values = out + row * ld;
        gated.forward(values, values + f, columns, act_TF + (unit.row + row) * f + column);
      }
    }
  });
}

}  // namespace hone::kernels
