// Paired timing inside one process: in every round each side runs for a block of time, one after
// the other, so that what the machine does besides falls on all of them alike.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace hone::bench {

struct Side {
  std::string name;
  std::function<void()> call;
};

struct RoundPlan {
  int rounds = 9;
  double block_seconds = 0.04;  // a side's calls in a round take about this long together
};

// Seconds of one call, [side][round]. Between blocks all threads rest: pools spin for a while after
// their last loop, and would take a core from the next side.
std::vector<std::vector<double>> MeasureRounds(const std::vector<Side>& sides,
                                               const RoundPlan& plan);

// Of one call, the shortest of three.
double ShortestSeconds(const std::function<void()>& call);

double Median(std::vector<double> values);
// Median over the rounds of above / below.
double MedianRatio(const std::vector<double>& above, const std::vector<double>& below);

}  // namespace hone::bench
