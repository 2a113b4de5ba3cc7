#include "bench/goals.hpp"

#include "bench/instruction_meter.hpp"
#include "testbench/input_error.hpp"

namespace modmem::bench {

GoalReport measure(int goal, const GoalOptions& options) {
  GoalReport report;
  switch (goal) {
    case 1:
      report = goal_arena(options);
      break;
    case 2:
      report = goal_means(options);
      break;
    case 3:
      report = goal_density(options);
      break;
    case 4:
      report = goal_speed(options);
      break;
    case 5:
      report = goal_bounds(options);
      break;
    case 6:
      report = goal_drift(options);
      break;
    case 7:
      report = goal_release(options);
      break;
    default:
      throw testbench::InputError("--goal " + std::to_string(goal) + ": there is no such goal");
  }
  report.goal = goal;
  return report;
}

void run_counted(const std::string& scenario, const GoalOptions& options) {
  count_empty_operation();
  if (scenario == "speed") {
    count_speed(options);
  } else if (scenario == "bounds") {
    count_bounds(options);
  } else if (scenario == "release") {
    count_release();
  } else if (scenario == "ranges") {
    count_ranges();
  } else {
    throw testbench::InputError("--counted " + scenario + ": there is no such scenario");
  }
}

}  // namespace modmem::bench
