#include "kernels/exec.h"

#include <cstdlib>

#include "common/buffer.h"
#include "common/error.h"
#include "kernels/parallel.h"

namespace hone::kernels {

bool IsaAvailable(Isa isa) {
#ifdef HONE_KERNELS_X86
  switch (isa) {
    case Isa::kScalar:
      return true;
    case Isa::kAvx2:
      return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    case Isa::kAvx512:
      return IsaAvailable(Isa::kAvx2) && __builtin_cpu_supports("avx512f") &&
             __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
             __builtin_cpu_supports("avx512bw");
  }
  return false;
#else
  return isa == Isa::kScalar;
#endif
}

std::string IsaName(Isa isa) {
  switch (isa) {
    case Isa::kScalar:
      return "scalar";
    case Isa::kAvx2:
      return "avx2";
    case Isa::kAvx512:
      return "avx512";
  }
  return "unknown";
}

Isa DetectIsa() {
  Isa best = Isa::kScalar;
  for (Isa isa : {Isa::kAvx2, Isa::kAvx512}) {
    if (IsaAvailable(isa)) best = isa;
  }
  const char* wanted = std::getenv("HONE_ISA");
  if (wanted == nullptr || *wanted == 0) return best;
  for (Isa isa : {Isa::kScalar, Isa::kAvx2, Isa::kAvx512}) {
    if (IsaName(isa) != wanted) continue;
    if (IsaAvailable(isa)) return isa;
    throw UsageError("HONE_ISA=" + IsaName(isa) + ": this machine lacks it; its best is " +
                     IsaName(best));
  }
  throw UsageError(std::string("HONE_ISA: expected scalar, avx2 or avx512, found \"") + wanted +
                   "\"");
}

float* Scratch(int64_t size) {
  thread_local Buffer<float> buffer;
  if (static_cast<int64_t>(buffer.size()) < size) buffer.Reserve(size);
  return buffer.data();
}

}  // namespace hone::kernels
