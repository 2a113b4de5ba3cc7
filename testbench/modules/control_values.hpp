// Control values: what a driver may set a widget's controls to, and what volumes mean.
//
// Everything is O(values) and allocates nothing.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "testbench/topology/control.hpp"

namespace modmem::testbench {

// Whether `values` can be set: one within range for each channel of a volume or switch, or a single
// one for all of them; the number of an item of an enumeration. Never of a blob.
bool fits(const Control& control, std::span<const std::int64_t> values);

// Whether a volume or switch is a switch: drivers tell that by its range of 0 to 1.
bool is_switch(const Control& control);

// The gain, in Q1.31, that `value` of a volume stands for by its dB scale; unity for all that would
// amplify. Nothing where it has no scale.
std::optional<std::uint32_t> volume_gain(const Control& control, std::int64_t value);

}  // namespace modmem::testbench
