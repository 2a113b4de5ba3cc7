// What the anchors share. An *anchor* is a program that refers to all functions of one feature and
// to nothing else: what the linker keeps of the library then is what the feature costs. It is
// linked, measured by scripts/size_report.py, and never run.
//
// Of an anchor's own object file, code and constants in modmem::sizes are not counted, static
// variables are: they are the objects that whoever uses the feature has to have.
#pragma once

namespace modmem::sizes {

// Refers to each of `kFunctions`, as a program would that calls them.
template <auto... kFunctions>
void keep() {
  const auto refer_to = [](auto function) { asm volatile("" : : "m"(function)); };
  (refer_to(kFunctions), ...);
}

// Each anchor defines it; sizes.ld has the linker start there.
void anchor();

}  // namespace modmem::sizes
