#include "timing.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <thread>

namespace hone::bench {
namespace {

constexpr auto kRest = std::chrono::milliseconds(10);

double SecondsOf(const std::function<void()>& call, int calls) {
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < calls; ++i) call();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

// How many calls fill a block; they warm up caches and buffers too.
int CallsOfBlock(const Side& side, double block_seconds) {
  SecondsOf(side.call, 1);
  const double seconds = std::max(ShortestSeconds(side.call), 1e-7);
  return static_cast<int>(std::clamp(std::ceil(block_seconds / seconds), 1.0, 1e6));
}

}  // namespace

std::vector<std::vector<double>> MeasureRounds(const std::vector<Side>& sides,
                                               const RoundPlan& plan) {
  std::vector<int> calls;
  for (const Side& side : sides) {
    std::this_thread::sleep_for(kRest);
    calls.push_back(CallsOfBlock(side, plan.block_seconds));
  }
  std::vector<std::vector<double>> seconds(sides.size());
  for (int round = 0; round < plan.rounds; ++round) {
    for (size_t s = 0; s < sides.size(); ++s) {
      std::this_thread::sleep_for(kRest);
      SecondsOf(sides[s].call, 1);  // wakes the threads
      seconds[s].push_back(SecondsOf(sides[s].call, calls[s]) / calls[s]);
    }
  }
  return seconds;
}

double ShortestSeconds(const std::function<void()>& call) {
  double shortest = SecondsOf(call, 1);
  for (int i = 0; i < 2; ++i) shortest = std::min(shortest, SecondsOf(call, 1));
  return shortest;
}

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

double MedianRatio(const std::vector<double>& above, const std::vector<double>& below) {
  std::vector<double> ratios;
  for (size_t i = 0; i < above.size(); ++i) ratios.push_back(above[i] / below[i]);
  return Median(std::move(ratios));
}

}  // namespace hone::bench
