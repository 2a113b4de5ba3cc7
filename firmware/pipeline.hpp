// A pipeline of two modules that plays audio it generates.
#pragma once

#include "firmware/report.hpp"
#include "memory/memory.hpp"

namespace modmem::firmware {

// Sets up a tone generator and a gain, each with memory of its own, plays 1,000 periods of 1 ms and
// looks at what comes out; then ends both.
void test_pipeline(Report& report, Memory& memory);

}  // namespace modmem::firmware
