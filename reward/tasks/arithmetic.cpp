#include "reward/tasks/arithmetic.h"

#include <cmath>

#include "common/philox.h"
#include "reward/options.h"

namespace hone {
namespace {

class ArithmeticTask : public Task {
 public:
  explicit ArithmeticTask(const Json& options) {
    OptionReader reader("arithmetic", options);
    // Nine digits fit the 32 bits of a draw; nine terms keep a step's sum, carry included, below
    // 100.
    digits_ = static_cast<int>(reader.Integer("digits", 3, 1, 9));
    terms_ = static_cast<int>(reader.Integer("terms", 2, 2, 9));
    carry_error_ = reader.Number("carry_error", 0.6, 0, 1);
    reader.Finish();
    for (int i = 1; i < digits_; ++i) smallest_ *= 10;
  }

  Problem Make(uint64_t seed, uint64_t ordinal) const override {
    PhiloxSequence draws(seed, {.purpose = Purpose::kGenerateData, .group = ordinal});
    std::vector<uint64_t> operands;
    std::string prompt;
    uint64_t sum = 0;
    for (int i = 0; i < terms_; ++i) {
      operands.push_back(smallest_ + draws.Below(9 * smallest_));
      sum += operands.back();
      prompt += (i > 0 ? "+" : "") + std::to_string(operands.back());
    }
    return {.columns = {{"prompt", prompt + "="}, {"answer", std::to_string(sum)}},
            .demonstration = Demonstrate(operands, seed, ordinal)};
  }

  double max_problems() const override { return std::pow(9.0 * smallest_, terms_); }

 private:
  std::string Demonstrate(std::vector<uint64_t> operands, uint64_t seed, uint64_t ordinal) const {
    PhiloxSequence draws(seed, {.purpose = Purpose::kDemonstration, .group = ordinal});
    std::string thought;
    uint64_t answer = 0, power = 1, carry = 0;
    for (int i = 0; i < digits_; ++i, power *= 10) {
      if (carry > 0 && draws.Uniform() < carry_error_) carry = 0;
      uint64_t sum = carry;
      for (auto& operand : operands) {
        sum += operand % 10;
        thought += std::to_string(operand % 10) + "+";
        operand /= 10;
      }
      thought +=
          std::to_string(carry) + "=" + std::to_string(sum / 10) + std::to_string(sum % 10) + ";";
      answer += sum % 10 * power;
      carry = sum / 10;
    }
    answer += carry * power;
    return "<think>" + thought + "</think><answer>" + std::to_string(answer) + "</answer>";
  }

  int digits_ = 0, terms_ = 0;
  double carry_error_ = 0;
  uint32_t smallest_ = 1;  // number of so many digits
};

}  // namespace

std::unique_ptr<Task> MakeArithmeticTask(const Json& options) {
  return std::make_unique<ArithmeticTask>(options);
}

}  // namespace hone
