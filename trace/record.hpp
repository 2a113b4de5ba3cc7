// Record: one row of an allocation trace, as the file has it, and what its operation means.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "memory/intent.hpp"

namespace modmem::trace {

struct Record {
  std::uint64_t time_us = 0;
  std::string op;
  std::uint64_t id = 0;
  std::uint32_t bytes = 0;
  std::uint32_t alignment = 0;  // 0: natural
  Flags flags = 0;              // as written
  std::string caller;           // innermost function first, joined by '<'
  std::string owner;            // "": none
  std::uint64_t line = 0;       // in the file; 0: from none
  bool refused = false;         // that the request failed is known: of recorded traces
};

enum class OpKind : std::uint8_t { allocate, resize, free, release };

// What an operation does to memory.
struct Op {
  OpKind kind = OpKind::allocate;
  bool zeroed = false;
  Flags implied = 0;
};

// What the API function `name` does: `release` ends an owner, what ends in "free" frees, what has
// "realloc" in it resizes where its id lives, and everything else allocates. What has "zalloc" in
// it zeroes; what has "balloc" or "brealloc" implies a large buffer, "mod_" module memory.
Op op_of(std::string_view name);

// The name of the innermost function of a caller.
constexpr std::string_view innermost(std::string_view caller) {
  return caller.substr(0, caller.find('<'));
}

}  // namespace modmem::trace
