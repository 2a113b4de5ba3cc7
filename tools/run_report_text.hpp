// The report of a run for people, in 100 columns.
#pragma once

#include <string>

#include "testbench/run.hpp"

namespace modmem::tools {

std::string to_text(const testbench::RunReport& report);

}  // namespace modmem::tools
