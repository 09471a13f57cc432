#include "reward/tasks/countdown.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "common/error.h"
#include "common/philox.h"
#include "reward/options.h"

namespace hone {
namespace {

constexpr int64_t kLargestValue = 9999;  // on the way to a target

// A node of an expression over the numbers; the leaves come first, then the operations in the order
// in which they are done, the whole last.
struct Node {
  int64_t value = 0;
  char op = '\0';  // '\0': a number
  size_t left = 0, right = 0;
};
using Tree = std::vector<Node>;

// The value of a op b, or 0 when it is no integer from 1 to kLargestValue.
int64_t Apply(char op, int64_t a, int64_t b) {
  int64_t value = 0;
  switch (op) {
    case '+':
      value = a + b;
      break;
    case '-':
      value = a - b;
      break;
    case '*':
      value = a * b;
      break;
    default:
      value = a % b == 0 ? a / b : 0;
  }
  return value >= 1 && value <= kLargestValue ? value : 0;
}

// A random expression that uses every number once: two of what is left at a time become one.
Tree DrawTree(const std::vector<int64_t>& nums, PhiloxSequence* draws) {
  Tree tree;
  std::vector<size_t> left_over;
  for (const int64_t number : nums) {
    left_over.push_back(tree.size());
    tree.push_back({.value = number, .op = '\0'});
  }
  const auto take = [&] {
    const size_t at = draws->Below(static_cast<uint32_t>(left_over.size()));
    const size_t node = left_over[at];
    left_over.erase(left_over.begin() + static_cast<ptrdiff_t>(at));
    return node;
  };
  while (left_over.size() > 1) {
    Node node;
    node.left = take();
    node.right = take();
    // Almost always a+b at least will do; where nothing does, the caller draws anew.
    for (int attempt = 0; node.value == 0 && attempt < 100; ++attempt) {
      node.op = "+-*/"[draws->Below(4)];
      node.value = Apply(node.op, tree[node.left].value, tree[node.right].value);
    }
    if (node.value == 0) return {};
    left_over.push_back(tree.size());
    tree.push_back(node);
  }
  return tree;
}

// The text of a node where the first `done` operations are replaced by their values.
std::string Render(const Tree& tree, size_t at, size_t numbers, size_t done) {
  const Node& node = tree[at];
  if (at < numbers + done) return std::to_string(node.value);
  const auto operand = [&](size_t child, bool right) {
    const std::string text = Render(tree, child, numbers, done);
    const char op = child < numbers + done ? '\0' : tree[child].op;
    const bool sum = op == '+' || op == '-', product = op == '*' || op == '/';
    const bool tight = node.op == '*' || node.op == '/';
    const bool wrap =
        (tight && sum) || (right && node.op == '-' && sum) || (right && node.op == '/' && product);
    return wrap ? "(" + text + ")" : text;
  };
  return operand(node.left, false) + node.op + operand(node.right, true);
}

std::string Render(const Tree& tree, size_t numbers) {
  return Render(tree, tree.size() - 1, numbers, 0);
}

// "25+7*3=25+21=46"
std::string WorkOut(const Tree& tree, size_t numbers) {
  std::string text = Render(tree, numbers);
  for (size_t done = 1; done < numbers; ++done) {
    text += "=" + Render(tree, tree.size() - 1, numbers, done);
  }
  return text;
}

class CountdownTask : public Task {
 public:
  explicit CountdownTask(const Json& options) {
    OptionReader reader("countdown", options);
    numbers_ = static_cast<size_t>(reader.Integer("numbers", 3, 2, 6));
    max_number_ = reader.Integer("max_number", 99, 1, 999);
    min_target_ = reader.Integer("min_target", 10, 1, kLargestValue);
    max_target_ = reader.Integer("max_target", 99, 1, kLargestValue);
    tries_ = static_cast<uint32_t>(reader.Integer("tries", 3, 0, 100));
    reader.Finish();
    if (min_target_ > max_target_) {
      throw UsageError(
          fmt::format("countdown: min_target: expected at most max_target ({}), found {}",
                      max_target_, min_target_));
    }
  }

  Problem Make(uint64_t seed, uint64_t ordinal) const override {
    PhiloxSequence draws(seed, {.purpose = Purpose::kGenerateData, .group = ordinal});
    for (int attempt = 0; attempt < 20'000; ++attempt) {
      std::vector<int64_t> nums;
      for (size_t i = 0; i < numbers_; ++i) {
        nums.push_back(1 + draws.Below(static_cast<uint32_t>(max_number_)));
      }
      const Tree tree = DrawTree(nums, &draws);
      if (tree.empty()) continue;
      const int64_t target = tree.back().value;
      if (target < min_target_ || target > max_target_) continue;
      const std::string prompt = fmt::format("nums: {} target: {}\n", fmt::join(nums, " "), target);
      return {.columns = {{"prompt", prompt}, {"nums", nums}, {"target", target}},
              .demonstration = Demonstrate(nums, tree, seed, ordinal)};
    }
    throw UsageError(
        fmt::format("countdown: no problem was found with numbers = {}, max_number = {} "
                    "and a target from {} to {}",
                    numbers_, max_number_, min_target_, max_target_));
  }

  double max_problems() const override {
    return std::pow(static_cast<double>(max_number_), static_cast<double>(numbers_)) *
           static_cast<double>(max_target_ - min_target_ + 1);
  }

 private:
  std::string Demonstrate(const std::vector<int64_t>& nums, const Tree& solution, uint64_t seed,
                          uint64_t ordinal) const {
    PhiloxSequence draws(seed, {.purpose = Purpose::kDemonstration, .group = ordinal});
    const uint32_t misses = draws.Below(tries_ + 1);
    std::vector<std::string> thoughts;
    // Few numbers may have few expressions that miss: then the thought is shorter.
    for (uint32_t attempt = 0; thoughts.size() < misses && attempt < 20 * misses; ++attempt) {
      const Tree tree = DrawTree(nums, &draws);
      if (tree.empty() || tree.back().value == solution.back().value) continue;
      const std::string thought = WorkOut(tree, numbers_);
      if (std::find(thoughts.begin(), thoughts.end(), thought) == thoughts.end()) {
        thoughts.push_back(thought);
      }
    }
    thoughts.push_back(WorkOut(solution, numbers_));
    return fmt::format("<think>{};</think><answer>{}</answer>", fmt::join(thoughts, ";"),
                       Render(solution, numbers_));
  }

  size_t numbers_ = 0;
  int64_t max_number_ = 0, min_target_ = 0, max_target_ = 0;
  uint32_t tries_ = 0;
};

}  // namespace

std::unique_ptr<Task> MakeCountdownTask(const Json& options) {
  return std::make_unique<CountdownTask>(options);
}

}  // namespace hone
