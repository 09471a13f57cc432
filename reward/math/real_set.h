// Sets of real numbers as pieces in order: what intervals, unions and inequalities come to.
#pragma once

#include <optional>
#include <vector>

#include "reward/math/scalar.h"

namespace hone::math {

// An end of a piece: minus infinity, a number, or infinity.
struct End {
  int infinite = 0;            // -1, 0, +1
  const Node* node = nullptr;  // when finite
  Complex value{128};
};

// From low to high; a point has both ends closed at one number.
struct Piece {
  End low, high;
  bool low_open = false, high_open = false;
};

using RealSet = std::vector<Piece>;  // in order, without overlap; empty: the empty set

// Of intervals, unions, intersections, differences, sets of numbers, ℝ, and inequalities in one
// name (x > 3, 0 < f(x) ≤ 1, 1 ≤ |z| ≤ 2, x ≠ 3, x ∈ …). Nothing when it is none of these, or its
// ends are no real constants.
std::optional<RealSet> ToRealSet(const Node* node, const Comparison& comparison);

Tri SameRealSet(const RealSet& a, const RealSet& b, const Comparison& comparison);

// x, f(x), |AB|, A/B: what can be the name of an answer. No number is, and no sum.
bool IsNameLike(const Node* node);

}  // namespace hone::math
