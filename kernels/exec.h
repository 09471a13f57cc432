// Where and how a kernel runs: the instruction set and the threads. Neither changes a bit of any
// result.
#pragma once

#include <string>

#include "common/thread_pool.h"

namespace hone::kernels {

enum class Isa { kScalar, kAvx2, kAvx512 };

// The best this machine has, or what HONE_ISA=scalar|avx2|avx512 says. Throws UsageError when
// HONE_ISA is none of them or more than the machine has.
Isa DetectIsa();
std::string IsaName(Isa isa);
// Every ISA this machine can run, kScalar first: what tests go over.
bool IsaAvailable(Isa isa);

struct Exec {
  ThreadPool* pool = nullptr;  // null: the calling thread alone
  Isa isa = Isa::kScalar;
  // Which member of ThreadPool::Together the calling thread is, where all of them call the kernel,
  // each with its own Exec; -1: one thread calls it.
  int member = -1;
};

}  // namespace hone::kernels
