// The C interface on a Memory of the image's, and what C code does with it.
#pragma once

#include "firmware/report.hpp"
#include "memory/memory.hpp"

namespace modmem::firmware {

// A client in C uses the functions of both generations.
void test_c_client(Report& report, Memory& memory);

}  // namespace modmem::firmware
