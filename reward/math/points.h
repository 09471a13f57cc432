// Where variables stand when two expressions are compared.
#pragma once

#include <gmpxx.h>

#include <string_view>

namespace hone::math {

// A rational of denominator 1009, a pure function of its arguments; positive at trial 0.
mpq_class PointOf(std::string_view name, int trial);

}  // namespace hone::math
