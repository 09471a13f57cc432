// Loops over the threads of an Exec, and scratch memory of a thread.
#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/exec.h"

namespace hone::kernels {

inline int Threads(const Exec& exec) { return exec.pool == nullptr ? 1 : exec.pool->threads(); }

// body(begin, end) over [0, count), one contiguous part a thread, multiples of `grain`.
inline void ParallelFor(const Exec& exec, int64_t count, int64_t grain,
                        FunctionRef<void(int64_t, int64_t)> body) {
  if (count <= 0) return;
  if (exec.pool == nullptr) return body(0, count);
  if (exec.member >= 0) return exec.pool->ForMember(exec.member, count, grain, body);
  exec.pool->For(count, grain, body);
}

// body(first, stride) on each thread, whose share of [0, count) is first, first + stride, …: for
// work that grows with the index.
inline void ParallelStrides(const Exec& exec, int64_t count,
                            FunctionRef<void(int64_t, int64_t)> body) {
  const int64_t threads = std::min<int64_t>(Threads(exec), count);
  ParallelFor(exec, threads, 1, [&](int64_t begin, int64_t end) {
    for (int64_t thread = begin; thread < end; ++thread) body(thread, threads);
  });
}

// At least `size` floats, 64-byte aligned, of the calling thread; unspecified contents. Valid until
// the thread's next call.
float* Scratch(int64_t size);

}  // namespace hone::kernels
