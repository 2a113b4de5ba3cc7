// Reached figures: what a goal that is missed came to before, so that it gets no worse meanwhile.
#pragma once

#include <string>
#include <vector>

#include "bench/goal.hpp"

namespace modmem::bench {

// The figures of `report` that miss their limit and are worse than in the file, by more than the
// 0.05 % that a few bytes in some table come to. The file is what `--json` wrote of the same goal.
// As lines of text: name, figure, and what it was. A figure that the file does not have is worse.
// Throws std::runtime_error, which names the file, where it can't be read or is of another goal.
std::vector<std::string> worse_than_reached(const GoalReport& report, const std::string& path);

}  // namespace modmem::bench
