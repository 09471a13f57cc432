#include "reward/countdown_search.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <numeric>

namespace hone {
namespace {

constexpr size_t kMaxNums = 6;
constexpr int64_t kMaxNumber = 1'000'000;
constexpr int64_t kMaxPart = 1'000'000'000;  // of a fraction: products of two fit into 64 bits

// A value on the way, and how it came about.
struct Term {
  int64_t over = 0, under = 1;  // in lowest terms, under > 0
  char op = '\0';               // '\0': a number
  size_t left = 0, right = 0;   // terms
};

class Search {
 public:
  Search(const std::vector<int64_t>& nums, int64_t target, bool use_all)
      : target_(target), use_all_(use_all) {
    for (const int64_t number : nums) {
      open_[open_count_++] = terms_.size();
      terms_.push_back({.over = number});
    }
  }

  std::optional<std::string> Run() {
    for (size_t i = 0; i < open_count_; ++i) {
      if (Solves(open_[i])) return Text(open_[i]);
    }
    if (Step()) return Text(terms_.size() - 1);
    return std::nullopt;
  }

 private:
  // Whether this term, one of those that are open, is a solution.
  bool Solves(size_t term) const {
    return terms_[term].under == 1 && terms_[term].over == target_ &&
           (!use_all_ || open_count_ == 1);
  }

  // Joins two open terms in every way, and goes on from each. True: the last term solves it.
  bool Step() {
    for (size_t i = 0; i < open_count_; ++i) {
      for (size_t j = i + 1; j < open_count_; ++j) {
        for (const char op : {'+', '*', '-', '/'}) {
          const bool ordered = op == '-' || op == '/';
          if (TryJoin(i, j, op, false) || (ordered && TryJoin(i, j, op, true))) return true;
        }
      }
    }
    return false;
  }

  bool TryJoin(size_t i, size_t j, char op, bool swapped) {
    if (++steps_ > kMaxCountdownSteps) return false;
    Term joined{.op = op, .left = open_[swapped ? j : i], .right = open_[swapped ? i : j]};
    if (!Compute(terms_[joined.left], terms_[joined.right], &joined)) return false;
    const std::array<size_t, kMaxNums> before = open_;
    open_[i] = terms_.size();
    open_[j] = open_[--open_count_];
    terms_.push_back(joined);
    if (Solves(terms_.size() - 1) || Step()) return true;
    terms_.pop_back();
    open_ = before;
    ++open_count_;
    return false;
  }

  // False for a division by zero and for parts that are too large.
  static bool Compute(const Term& a, const Term& b, Term* result) {
    switch (result->op) {
      case '+':
        result->over = a.over * b.under + b.over * a.under;
        result->under = a.under * b.under;
        break;
      case '-':
        result->over = a.over * b.under - b.over * a.under;
        result->under = a.under * b.under;
        break;
      case '*':
        result->over = a.over * b.over;
        result->under = a.under * b.under;
        break;
      default:
        if (b.over == 0) return false;
        result->over = (b.over < 0 ? -1 : 1) * a.over * b.under;
        result->under = a.under * std::abs(b.over);
    }
    if (result->under != 1) {
      const int64_t divisor = std::gcd(result->over, result->under);
      result->over /= divisor;
      result->under /= divisor;
    }
    return std::abs(result->over) <= kMaxPart && result->under <= kMaxPart;
  }

  std::string Text(size_t at) const {
    const Term& term = terms_[at];
    if (term.op == '\0') return std::to_string(term.over);
    return fmt::format("({} {} {})", Text(term.left), term.op, Text(term.right));
  }

  const int64_t target_;
  const bool use_all_;
  std::vector<Term> terms_;  // the numbers, then the joins of the branch at hand
  std::array<size_t, kMaxNums> open_{};
  size_t open_count_ = 0;
  int64_t steps_ = 0;
};

}  // namespace

std::optional<std::string> SolveCountdown(const std::vector<int64_t>& nums, int64_t target,
                                          bool use_all) {
  const bool small = std::all_of(
      nums.begin(), nums.end(), [](int64_t number) { return number >= 0 && number <= kMaxNumber; });
  if (nums.empty() || nums.size() > kMaxNums || !small) return std::nullopt;
  return Search(nums, target, use_all).Run();
}

}  // namespace hone
