// A penalty for repeating oneself: (1 - distinct n-grams / n-grams) * max_penalty, from 0 down to
// max_penalty. Words are what white space parts, in lower case (ASCII). A completion with fewer
// words than an n-gram has gets 0. From Yeo et al., "Demystifying Long Chain-of-Thought",
// arXiv:2502.03373, section 3.3, in the form that open-r1 uses.
#include <string>
#include <unordered_set>
#include <vector>

#include "reward/options.h"
#include "reward/verifiers/verifiers.h"

namespace hone {
namespace {

class RepetitionVerifier : public Verifier {
 public:
  explicit RepetitionVerifier(const Json& options) {
    OptionReader reader(name(), options);
    n_ = static_cast<size_t>(reader.Integer("ngram", 3, 1, 1000));
    max_penalty_ = reader.Number("max_penalty", -1, -1000, 0);
    reader.Finish();
  }
  std::string name() const override { return "repetition"; }
  Verdict Score(const Sample& sample) const override {
    std::string text;  // the words, each with one space behind
    std::vector<size_t> begins;
    bool inside = false;
    for (const char c : sample.completion) {
      const bool space = c == ' ' || (c >= '\t' && c <= '\r');
      if (space && inside) text += ' ';
      if (!space && !inside) begins.push_back(text.size());
      if (!space) text += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
      inside = !space;
    }
    if (inside) text += ' ';
    const size_t total = begins.size() >= n_ ? begins.size() - n_ + 1 : 0;
    begins.push_back(text.size());
    // Long n-grams of a long text would be hashed again and again: their total is bounded.
    if (total > kMaxBytes / (text.size() / begins.size() + 1) / n_) {
      return {.reward = 0,
              .error = "cannot decide: the completion is longer than n-grams are counted in"};
    }
    std::unordered_set<std::string_view> distinct;
    for (size_t i = 0; i < total; ++i) {
      distinct.insert(std::string_view(text).substr(begins[i], begins[i + n_] - begins[i]));
    }
    const double share =
        total == 0 ? 0 : 1 - static_cast<double>(distinct.size()) / static_cast<double>(total);
    if (sample.explanation) {
      *sample.explanation = {
          {"ngrams", total}, {"distinct", distinct.size()}, {"why", "share of repeated n-grams"}};
    }
    return {.reward = share == 0 ? 0 : share * max_penalty_, .error = {}};
  }

 private:
  static constexpr size_t kMaxBytes = size_t{1} << 28;

  size_t n_;
  double max_penalty_;
};

}  // namespace

std::unique_ptr<Verifier> MakeRepetitionVerifier(const Json& options) {
  return std::make_unique<RepetitionVerifier>(options);
}

}  // namespace hone
