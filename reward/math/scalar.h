// Equality of expressions without structure (no sets, tuples, relations).
#pragma once

#include <optional>

#include "reward/math/evaluate.h"

namespace hone::math {

enum class Tri : uint8_t { kNo, kYes, kUnknown };

struct Comparison {
  Arena* arena;
  Budget* budget;
  // A decimal of at least so many digits behind its point equals an exact value that rounds to it.
  int decimals = 6;
};

bool SameTree(const Node* a, const Node* b);

// Exact where both are rational at the points; else of 192 bits, and again of 1024 where the
// difference drowns in cancellation.
Tri SameScalar(const Node* a, const Node* b, const Comparison& comparison);

// Whether a = c·b with one constant c over all points; its sign. Nothing: no, or unknown.
std::optional<int> Proportional(const Node* a, const Node* b, const Comparison& comparison);

// The value of a constant real expression; false when it has none.
bool RealValue(const Node* node, const Comparison& comparison, Complex* value);

}  // namespace hone::math
