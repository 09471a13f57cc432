// How long a line of the cache takes from one core to another and back: what two threads that wait
// for each other lose at least. A hypervisor may move virtual cores between caches at any time, so
// this is measured beside what depends on it. For two cores and more.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <iostream>
#include <thread>
#include <vector>

#include "common/json.h"

namespace hone::bench {
namespace {

constexpr int kTrips = 20'000, kRuns = 9;

struct alignas(64) Line {
  std::atomic<int> trip{0};
};

double RoundTripNs() {
  Line there, back;
  std::thread other([&] {
    for (int trip = 1; trip <= kTrips; ++trip) {
      while (there.trip.load(std::memory_order_acquire) != trip) {
      }
      back.trip.store(trip, std::memory_order_release);
    }
  });
  const auto begin = std::chrono::steady_clock::now();
  for (int trip = 1; trip <= kTrips; ++trip) {
    there.trip.store(trip, std::memory_order_release);
    while (back.trip.load(std::memory_order_acquire) != trip) {
    }
  }
  const std::chrono::duration<double, std::nano> time = std::chrono::steady_clock::now() - begin;
  other.join();
  return time.count() / kTrips;
}

}  // namespace
}  // namespace hone::bench

int main() {
  std::vector<double> runs(hone::bench::kRuns);
  std::generate(runs.begin(), runs.end(), hone::bench::RoundTripNs);
  std::nth_element(runs.begin(), runs.begin() + runs.size() / 2, runs.end());
  std::cout << hone::OrderedJson({{"line_round_trip_ns", runs[runs.size() / 2]}}).dump() << '\n';
}
