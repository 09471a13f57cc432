// The tree of a mathematical answer. Trees live in an Arena and are never changed once made.
#pragma once

#include <gmpxx.h>

#include <cstdint>
#include <deque>
#include <string>
#include <utility>
#include <vector>

namespace hone::math {

enum class Op : uint8_t {
  kNumber,    // number; decimals >= 0 when it was written with a decimal point
  kVariable,  // name, with its subscript
  kPi,
  kEuler,
  kImaginary,
  kInfinity,
  kAdd,       // args
  kMultiply,  // args
  kNegate,    // args[0]
  kDivide,    // args[0] / args[1]
  kPower,     // args[0] ^ args[1]
  kRoot,      // the args[0]-th root of args[1], real for an odd root of a negative number
  kFunction,  // name(args[0]); "log" has its base as args[1], or none when it was not written
  kCall,      // name(args...): a function that nobody defined, as f(x)
  kFactorial,
  kBinomial,
  kAbsolute,
  kPlusMinus,  // args[0] ± args[1]; ± args[0]
  kPercent,
  kDegree,
  kRatio,    // a : b : …
  kBase,     // name: digits; number: the base
  kText,     // name
  kList,     // bare commas, "and", "or": unordered
  kSet,      // {…}: unordered
  kBracket,  // (…), […], (…] and […): tuples and intervals, ordered
  kUnion,
  kIntersect,
  kWithout,   // set difference
  kMatrix,    // rows × columns, row by row
  kRelation,  // args[0] relations[0] args[1] relations[1] …
  kReals,
  kEmpty,
};

enum class Relation : uint8_t {
  kEqual,
  kLess,
  kLessEqual,
  kGreater,
  kGreaterEqual,
  kNotEqual,
  kApprox,
  kIn
};

struct Node {
  Op op;
  std::string name;
  mpq_class number;
  int decimals = -1;
  std::vector<const Node*> args;
  std::vector<Relation> relations;
  uint32_t rows = 0, columns = 0;
  bool left_open = false, right_open = false;  // of kBracket
  bool ordered = false;                        // of kList: groups that a semicolon parted
};

class Arena {
 public:
  Node* New(Op op, std::vector<const Node*> args = {}) {
    nodes_.push_back(
        Node{.op = op, .name = {}, .number = {}, .args = std::move(args), .relations = {}});
    return &nodes_.back();
  }
  Node* Name(Op op, std::string name, std::vector<const Node*> args = {}) {
    Node* node = New(op, std::move(args));
    node->name = std::move(name);
    return node;
  }
  Node* Number(mpq_class value) {
    Node* node = New(Op::kNumber);
    node->number = std::move(value);
    return node;
  }
  size_t size() const { return nodes_.size(); }

 private:
  std::deque<Node> nodes_;  // a deque: its nodes stay where they are
};

// What deciding an answer may cost. Counted, so that a verdict is the same on every machine.
struct Budget {
  int64_t steps = 20'000;  // nodes made or evaluated
  bool spent = false;      // something went over a limit: what was computed since is no verdict
  bool Take(int64_t n = 1) {
    steps -= n;
    if (steps < 0) spent = true;
    return !spent;
  }
};

inline constexpr size_t kMaxAnswerLength = 4000;  // bytes
inline constexpr int kMaxDepth = 60;              // of brackets, powers and signs
inline constexpr size_t kMaxBits = 65'536;        // of an exact number
inline constexpr size_t kMaxElements = 200;       // of a list, set, tuple or matrix

}  // namespace hone::math
