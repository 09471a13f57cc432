// Where a kernel writes its rows.
#pragma once

#include <cstdint>

namespace hone::kernels {

// Element (row, column) goes to data[row * row_step + column / 32 * panel_stride + column % 32].
// Rows of ld floats are {data, ld, 32}; rows from r on of panels [k][32] (matmul.h) are
// {panels + r * 32, 32, k * 32}.
struct RowsAt {
  float* data;
  int64_t row_step, panel_stride = 32;

  RowsAt From(int64_t row) const { return {data + row * row_step, row_step, panel_stride}; }
};

}  // namespace hone::kernels
