// Philox4x32-10, the counter-based generator of all randomness in a run.
// Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3" (SC 2011).
//
// Randomness is addressed, not streamed: a draw is a function of (seed, purpose, group, sample,
// position), so that no draw depends on the order in which work happens to be done.
#pragma once

#include <array>
#include <cstdint>

namespace hone {

// What a draw is for. The values are part of a run's definition: never renumber.
enum class Purpose : uint8_t {
  kSampleToken = 1,    // group, sample, position: the token drawn at this position
  kInitWeights = 2,    // group: tensor ordinal; position: element / 4
  kShuffleData = 3,    // group: epoch; position: index
  kGenerateData = 4,   // group: problem ordinal; position: draw within it
  kRandomReward = 5,   // group, sample: the `random` verifier
  kDemonstration = 6,  // group: problem ordinal; position: draw within it
  kBootstrap = 7,      // group: resample; position: draw within it
  kSelfTest = 8,       // position: draw of the rows that verifiers are tested on
};

struct Address {
  Purpose purpose;
  uint64_t group = 0;  // below 2^56
  uint32_t sample = 0;
  uint32_t position = 0;
};

// Four independent uniform 32-bit words at an address.
inline std::array<uint32_t, 4> Philox(uint64_t seed, const Address& address) {
  uint32_t c0 = address.position, c1 = address.sample, c2 = static_cast<uint32_t>(address.group);
  uint32_t c3 = static_cast<uint32_t>(address.purpose) << 24 |
                static_cast<uint32_t>(address.group >> 32 & 0xffffff);
  uint32_t k0 = static_cast<uint32_t>(seed), k1 = static_cast<uint32_t>(seed >> 32);
  for (int round = 0; round < 10; ++round) {
    const uint64_t p0 = uint64_t{0xD2511F53} * c0, p1 = uint64_t{0xCD9E8D57} * c2;
    const uint32_t n0 = static_cast<uint32_t>(p1 >> 32) ^ c1 ^ k0;
    const uint32_t n2 = static_cast<uint32_t>(p0 >> 32) ^ c3 ^ k1;
    c1 = static_cast<uint32_t>(p1);
    c3 = static_cast<uint32_t>(p0);
    c0 = n0;
    c2 = n2;
    k0 += 0x9E3779B9;
    k1 += 0xBB67AE85;
  }
  return {c0, c1, c2, c3};
}

// Uniform in [0, 1) with 24 bits: exact in float.
inline float UniformFloat(uint32_t word) { return static_cast<float>(word >> 8) * 0x1p-24f; }

// Uniform in [0, 1) with 53 bits, from two words.
inline double UniformDouble(uint32_t high, uint32_t low) {
  return static_cast<double>((uint64_t{high} << 32 | low) >> 11) * 0x1p-53;
}

// Uniform integer in [0, bound), by multiply-shift (bias below bound / 2^32).
inline uint32_t UniformBelow(uint32_t word, uint32_t bound) {
  return static_cast<uint32_t>(uint64_t{word} * bound >> 32);
}

// A run of draws at consecutive positions of one address: for generators that take a varying number
// of draws for one object (a problem, a demonstration). Not for anything shared between objects.
class PhiloxSequence {
 public:
  PhiloxSequence(uint64_t seed, Address address) : seed_(seed), address_(address) {}
  uint32_t Next() {
    if (used_ == 4) {
      words_ = Philox(seed_, address_);
      ++address_.position;
      used_ = 0;
    }
    return words_[used_++];
  }
  uint32_t Below(uint32_t bound) { return UniformBelow(Next(), bound); }
  double Uniform() {
    const uint32_t high = Next();
    return UniformDouble(high, Next());
  }

 private:
  uint64_t seed_;
  Address address_;
  std::array<uint32_t, 4> words_{};
  int used_ = 4;
};

}  // namespace hone
