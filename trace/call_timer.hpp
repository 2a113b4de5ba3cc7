// CallTimer: how long calls take, less what reading the clock does.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>

#include "trace/latencies.hpp"

namespace modmem::trace {

class CallTimer {
 public:
  // One that is off makes the calls and nothing else.
  explicit CallTimer(bool on) : on_(on), clock_ns_(on ? clock_cost() : 0) {}

  // Calls `operation`, adds what that took to `latencies`, and returns its result.
  template <typename Operation>
  auto operator()(Latencies& latencies, Operation operation) const {
    if (!on_) {
      return operation();
    }
    const Clock::time_point begin = Clock::now();
    const auto result = operation();
    const std::uint64_t ns = ns_between(begin, Clock::now());
    latencies.add(ns - std::min(ns, clock_ns_));
    return result;
  }

 private:
  using Clock = std::chrono::steady_clock;

  static std::uint64_t ns_between(Clock::time_point begin, Clock::time_point end) {
    return static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::nanoseconds>(end - begin).count());
  }

  // What two readings of the clock, one behind the other, mostly differ by.
  static std::uint64_t clock_cost() {
    std::array<std::uint64_t, 1001> costs{};
    for (std::uint64_t& cost : costs) {
      const Clock::time_point begin = Clock::now();
      cost = ns_between(begin, Clock::now());
    }
    std::nth_element(costs.begin(), costs.begin() + costs.size() / 2, costs.end());
    return costs[costs.size() / 2];
  }

  bool on_;
  std::uint64_t clock_ns_;
};

}  // namespace modmem::trace
