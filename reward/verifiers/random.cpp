#include "common/philox.h"
#include "reward/options.h"
#include "reward/verifiers/verifiers.h"

namespace hone {
namespace {

class RandomVerifier : public Verifier {
 public:
  RandomVerifier(const Json& options, uint64_t seed) : seed_(seed) {
    OptionReader(name(), options).Finish();
  }
  std::string name() const override { return "random"; }
  Verdict Score(const Sample& sample) const override {
    const auto words = Philox(
        seed_, {.purpose = Purpose::kRandomReward, .group = sample.group, .sample = sample.index});
    // 24 bits: a double of 53 could become 1 when rewards are rounded to float.
    return {.reward = UniformFloat(words[0]), .error = {}};
  }

 private:
  uint64_t seed_;
};

}  // namespace

std::unique_ptr<Verifier> MakeRandomVerifier(const Json& options, uint64_t seed) {
  return std::make_unique<RandomVerifier>(options, seed);
}

}  // namespace hone
