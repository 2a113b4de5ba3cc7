// The freestanding part of the conformance suite: what heap/heap.hpp says of every heap, tried on
// the board's own pages. The hosted suite (heap/heap_conformance_test.cpp) has the rest.
#pragma once

#include "firmware/heap_world.hpp"
#include "firmware/report.hpp"
#include "heap/heap.hpp"

namespace modmem::firmware {

// Puts all heaps through the suite, in `world`, one after another.
void test_heaps(Report& report, HeapWorld& world);

}  // namespace modmem::firmware
