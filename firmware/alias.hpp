// The uncached alias: what is written through one alias is there through the other.
#pragma once

#include "firmware/report.hpp"
#include "memory/memory.hpp"

namespace modmem::firmware {

// On boards whose port has such an alias.
void test_alias(Report& report, Memory& memory);

}  // namespace modmem::firmware
