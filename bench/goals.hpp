// The goals, each measured by one function; docs/benchmarks.md shows their figures.
//
// Every function throws InputError where something that it needs is not there (traces, valgrind),
// and std::runtime_error where what it measures does not work at all.
#pragma once

#include <string>

#include "bench/goal.hpp"

namespace modmem::bench {

struct GoalOptions {
  bool quick = false;  // fewer events and seeds, the same limits
  std::string traces;  // folder of recorded traces
};

// `goal` from 1 to kGoals.
inline constexpr int kGoals = 7;
GoalReport measure(int goal, const GoalOptions& options);

GoalReport goal_arena(const GoalOptions& options);    // 1
GoalReport goal_means(const GoalOptions& options);    // 2
GoalReport goal_density(const GoalOptions& options);  // 3
GoalReport goal_speed(const GoalOptions& options);    // 4
GoalReport goal_bounds(const GoalOptions& options);   // 5
GoalReport goal_drift(const GoalOptions& options);    // 6
GoalReport goal_release(const GoalOptions& options);  // 7

// Deep buffers: a range request against trying smaller and smaller ones. No goal has a limit for
// it.
GoalReport measure_ranges();

// What is counted under valgrind, by name: operations in the order in which the goal reads them.
// Throws InputError where there is no scenario of that name.
void run_counted(const std::string& scenario, const GoalOptions& options);
void count_speed(const GoalOptions& options);
void count_bounds(const GoalOptions& options);
void count_release();
void count_ranges();

}  // namespace modmem::bench
