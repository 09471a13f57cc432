// An expression that solves a Countdown puzzle: data lines of it have none.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace hone {

// An expression over `nums` by + - * / and parentheses that is worth `target`, each number used
// once, or with `use_all` false at most once. Tries all of them, fractions on the way included, in
// at most kMaxCountdownSteps operations. Nothing: there is none, it is further away, or there are
// more than 6 numbers, negative ones, or some above 10^6.
inline constexpr int64_t kMaxCountdownSteps = 300'000;
std::optional<std::string> SolveCountdown(const std::vector<int64_t>& nums, int64_t target,
                                          bool use_all);

}  // namespace hone
