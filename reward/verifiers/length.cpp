// The length L of a completion, in tokens (or characters: Unicode code points). Three shapes:
//   overlong  DAPO's soft punishment (Yu et al., arXiv:2503.14476, eq. 13): 0 up to max_length -
//             buffer, then linear down to -1 at max_length, and -1 beyond.
//   target    1 - |L - target| / tolerance, at least 0.
//   cosine    Yeo et al., arXiv:2502.03373, section 3.2: a right completion earns from
//   correct_short
//             (at L = 0) to correct_long (at max_length) and a wrong one from wrong_short to
//             wrong_long, along half a cosine; from max_length on it is `exceeded`. Right is what
//             the verifier `correct` (with `correct_options`) gives at least 1.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "common/deterministic_math.h"
#include "common/error.h"
#include "reward/options.h"
#include "reward/verifiers/verifiers.h"

namespace hone {
namespace {

constexpr double kPi = 3.14159265358979323846;

class LengthVerifier : public Verifier {
 public:
  LengthVerifier(const Json& options, uint64_t seed) {
    OptionReader reader(name(), options);
    shape_ = reader.OneOf("shape", "overlong", {"overlong", "target", "cosine"});
    characters_ = reader.OneOf("unit", "tokens", {"tokens", "characters"}) == "characters";
    max_length_ = static_cast<double>(reader.Integer("max_length", 20480, 1, int64_t{1} << 40));
    buffer_ = static_cast<double>(reader.Integer("buffer", 4096, 1, int64_t{1} << 40));
    target_ = static_cast<double>(reader.Integer("target", 1024, 0, int64_t{1} << 40));
    tolerance_ = static_cast<double>(reader.Integer("tolerance", 1024, 1, int64_t{1} << 40));
    correct_short_ = reader.Number("correct_short", 2, -1e6, 1e6);
    correct_long_ = reader.Number("correct_long", 1, -1e6, 1e6);
    wrong_short_ = reader.Number("wrong_short", -10, -1e6, 1e6);
    wrong_long_ = reader.Number("wrong_long", 0, -1e6, 1e6);
    exceeded_ = reader.Number("exceeded", -10, -1e6, 1e6);
    RewardConfig correct;
    correct.verifier = reader.OneOf("correct", "math", Judges());
    correct.options = reader.Object("correct_options");
    reader.Finish();
    if (shape_ == "cosine") correct_ = MakeVerifier(correct, seed);
    if (shape_ == "overlong" && buffer_ > max_length_) {
      throw UsageError(fmt::format("length: buffer: expected at most max_length ({}), found {}",
                                   max_length_, buffer_));
    }
  }
  std::string name() const override { return "length"; }

  Verdict Score(const Sample& sample) const override {
    if (!characters_ && sample.tokens < 0) {
      return {.reward = 0,
              .error =
                  "expected the number of tokens (\"completion_tokens\" in a file), found none; "
                  "unit = \"characters\" needs none"};
    }
    const double length =
        characters_ ? Characters(sample.completion) : static_cast<double>(sample.tokens);
    Verdict verdict;
    const char* why = "within the length";
    if (shape_ == "overlong") {
      const double over = length - (max_length_ - buffer_);
      verdict.reward = over <= 0 ? 0 : std::max(-1.0, -over / buffer_);
      if (over > 0) why = "overlong";
    } else if (shape_ == "target") {
      verdict.reward = std::max(0.0, 1 - std::abs(length - target_) / tolerance_);
      why = "distance from the target";
    } else {
      verdict = Cosine(sample, length, &why);
    }
    if (sample.explanation) *sample.explanation = {{"length", length}, {"why", why}};
    return verdict;
  }

 private:
  // A verifier cannot be asked about itself: the list leaves this one out.
  static std::vector<std::string> Judges() {
    auto names = VerifierNames();
    std::erase(names, "length");
    return names;
  }

  static double Characters(std::string_view text) {
    const auto begins = [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; };
    return static_cast<double>(std::count_if(text.begin(), text.end(), begins));
  }

  Verdict Cosine(const Sample& sample, double length, const char** why) const {
    if (length >= max_length_) {
      *why = "exceeded";
      return {.reward = exceeded_, .error = {}};
    }
    Sample asked = sample;
    asked.explanation = nullptr;
    const Verdict judged = correct_->Score(asked);
    if (judged.error) return {.reward = 0, .error = judged.error};
    const bool right = judged.reward >= 1;
    *why = right ? "right" : "wrong";
    const double low = right ? correct_long_ : wrong_long_,
                 high = right ? correct_short_ : wrong_short_;
    return {.reward = low + 0.5 * (high - low) * (1 + Cos(kPi * length / max_length_)),
            .error = {}};
  }

  std::string shape_;
  bool characters_;
  double max_length_, buffer_, target_, tolerance_;
  double correct_short_, correct_long_, wrong_short_, wrong_long_, exceeded_;
  std::unique_ptr<Verifier> correct_;
};

}  // namespace

std::unique_ptr<Verifier> MakeLengthVerifier(const Json& options, uint64_t seed) {
  return std::make_unique<LengthVerifier>(options, seed);
}

}  // namespace hone
