// Plays the recording that the image carries, through Memory.
#pragma once

#include "firmware/report.hpp"
#include "memory/memory.hpp"

namespace modmem::firmware {

// Plays it several times, each in a pipeline of its own that ends, with the content of every block
// checked; figures: instructions of allocate and free.
void test_replay(Report& report, Memory& memory);

}  // namespace modmem::firmware
