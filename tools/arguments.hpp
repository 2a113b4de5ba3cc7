// What a command line's values mean. Everything here is decimal and whole words: no other bases, no
// spaces around, nothing behind.
//
// Whatever is no such value throws InputError: "OPTION VALUE: REASON".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "testbench/stream_format.hpp"

namespace modmem::tools {

// A whole number from `least` to `most`.
std::uint64_t parse_count(std::string_view option, const std::string& value, std::uint64_t least,
                          std::uint64_t most);

// A length of time in seconds, from a microsecond to a day; more is a slip of the keyboard.
double parse_seconds(std::string_view option, const std::string& value);

// A stream's format, such as 48000:2:s32.
testbench::StreamFormat parse_format(std::string_view option, const std::string& value);

// Pipeline ids between commas; empty for "all".
std::vector<std::uint32_t> parse_pipelines(std::string_view option, const std::string& value);

// A file's name, which is anything but empty.
const std::string& parse_path(std::string_view option, const std::string& value);

}  // namespace modmem::tools
