// The machine's limits: fused multiply-adds that wait for nothing, and memory read in one stream.
// Written with intrinsics of their own, so that no kernel of hone measures itself.
#pragma once

#include <cstdint>
#include <optional>

#include "common/buffer.h"
#include "common/json.h"
#include "kernels/exec.h"

namespace hone::bench {

// One call of RunFma: so many FMA chains in registers that each unit always has one that is ready.
// Unset where the ISA has no vector FMA (scalar): no share of its peak is given.
std::optional<double> FmaFlopsOfCall(const kernels::Exec& exec);
void RunFma(const kernels::Exec& exec);

// Sums a part of its own in each thread; larger than any cache together.
class MemoryRead {
 public:
  explicit MemoryRead(const kernels::Exec& exec);
  double bytes() const { return static_cast<double>(data_.size() * sizeof(float)); }
  void Run();

 private:
  const kernels::Exec exec_;
  Buffer<float> data_;
};

// {"fma_gflops": of the ISA in use, "fma_avx2_gflops", "fma_avx512_gflops", "read_gb_s",
// "read_one_thread_gb_s"}: the best of some runs, as limits are; null where the machine lacks the
// ISA.
OrderedJson MeasureRoofline(const kernels::Exec& exec);

}  // namespace hone::bench
