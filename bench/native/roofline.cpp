#include "roofline.h"

#include <algorithm>

#include "timing.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace hone::bench {
namespace {

using kernels::Isa;

constexpr int64_t kFmaRounds = 200'000;             // of a call: about a millisecond
constexpr int64_t kReadFloats = int64_t{32} << 20;  // of a thread: 128 MiB
constexpr int kRuns = 7;

volatile float sink;  // keeps results from being left out

#if defined(__x86_64__)
// Two units with a latency of four or five cycles want ten chains; the registers hold more.
constexpr int kChains256 = 12, kChains512 = 24;

__attribute__((target("avx2,fma"))) void Fma256() {
  const __m256 factor = _mm256_set1_ps(0.9999f), term = _mm256_set1_ps(1e-5f);
  __m256 chain[kChains256];
  for (int i = 0; i < kChains256; ++i) chain[i] = _mm256_set1_ps(static_cast<float>(i));
  for (int64_t round = 0; round < kFmaRounds; ++round) {
#pragma GCC unroll 12
    for (int i = 0; i < kChains256; ++i) chain[i] = _mm256_fmadd_ps(chain[i], factor, term);
  }
  for (int i = 1; i < kChains256; ++i) chain[0] = _mm256_add_ps(chain[0], chain[i]);
  sink = _mm256_cvtss_f32(chain[0]);
}

__attribute__((target("avx512f"))) void Fma512() {
  const __m512 factor = _mm512_set1_ps(0.9999f), term = _mm512_set1_ps(1e-5f);
  __m512 chain[kChains512];
  for (int i = 0; i < kChains512; ++i) chain[i] = _mm512_set1_ps(static_cast<float>(i));
  for (int64_t round = 0; round < kFmaRounds; ++round) {
#pragma GCC unroll 24
    for (int i = 0; i < kChains512; ++i) chain[i] = _mm512_fmadd_ps(chain[i], factor, term);
  }
  for (int i = 1; i < kChains512; ++i) chain[0] = _mm512_add_ps(chain[0], chain[i]);
  sink = _mm512_cvtss_f32(chain[0]);
}

// Loads of 32 bytes saturate memory on every machine that has wider ones too.
__attribute__((target("avx2"))) float Sum(const float* data, int64_t size) {
  __m256 sum[8] = {};
  for (int64_t i = 0; i < size; i += 64) {
#pragma GCC unroll 8
    for (int j = 0; j < 8; ++j) sum[j] = _mm256_add_ps(sum[j], _mm256_load_ps(data + i + 8 * j));
  }
  for (int j = 1; j < 8; ++j) sum[0] = _mm256_add_ps(sum[0], sum[j]);
  return _mm256_cvtss_f32(sum[0]);
}
#else
float Sum(const float* data, int64_t size) {
  float sum[64] = {};
  for (int64_t i = 0; i < size; i += 64) {
    for (int j = 0; j < 64; ++j) sum[j] += data[i + j];
  }
  return *std::max_element(sum, sum + 64);
}
#endif

double BestRead(const kernels::Exec& exec) {
  MemoryRead read(exec);
  const auto seconds = MeasureRounds({{"read", [&] { read.Run(); }}}, {kRuns, 0.02});
  return read.bytes() / *std::min_element(seconds[0].begin(), seconds[0].end()) / 1e9;
}

OrderedJson BestFma(const kernels::Exec& exec) {
  const auto flops = FmaFlopsOfCall(exec);
  if (!flops || !kernels::IsaAvailable(exec.isa)) return nullptr;
  const auto seconds = MeasureRounds({{"fma", [&] { RunFma(exec); }}}, {kRuns, 0.02});
  return *flops / *std::min_element(seconds[0].begin(), seconds[0].end()) / 1e9;
}

}  // namespace

std::optional<double> FmaFlopsOfCall(const kernels::Exec& exec) {
#if defined(__x86_64__)
  const double rounds = static_cast<double>(kFmaRounds * exec.pool->threads());
  if (exec.isa == Isa::kAvx512) return rounds * kChains512 * 16 * 2;
  if (exec.isa == Isa::kAvx2) return rounds * kChains256 * 8 * 2;
#endif
  return std::nullopt;
}

void RunFma(const kernels::Exec& exec) {
#if defined(__x86_64__)
  exec.pool->For(exec.pool->threads(), 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) exec.isa == Isa::kAvx512 ? Fma512() : Fma256();
  });
#endif
}

MemoryRead::MemoryRead(const kernels::Exec& exec)
    : exec_(exec), data_(static_cast<size_t>(kReadFloats * exec.pool->threads())) {}

void MemoryRead::Run() {
  exec_.pool->For(exec_.pool->threads(), 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) sink = Sum(data_.data() + i * kReadFloats, kReadFloats);
  });
}

OrderedJson MeasureRoofline(const kernels::Exec& exec) {
  ThreadPool one(1);
  return {{"fma_gflops", BestFma(exec)},
          {"fma_avx2_gflops", BestFma({exec.pool, Isa::kAvx2})},
          {"fma_avx512_gflops", BestFma({exec.pool, Isa::kAvx512})},
          {"read_gb_s", BestRead(exec)},
          {"read_one_thread_gb_s", BestRead({&one, exec.isa})}};
}

}  // namespace hone::bench
