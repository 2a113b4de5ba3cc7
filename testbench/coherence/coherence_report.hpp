// What a run with simulated caches has to say.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace modmem::testbench {

enum class CoherenceKind : std::uint8_t {
  missing_write_back,  // what a core wrote is in its cache only, and others need it, or it can
                       // still be written over what is there now
  stale_read,          // a core read what its cache had, and memory has something newer
  shared_line,         // two write to one line: the later write-back takes the other's bytes
  allocator_state,     // a line with modmem's own notes was reached through a cache
};
inline constexpr std::array kCoherenceKinds{CoherenceKind::missing_write_back,
                                            CoherenceKind::stale_read, CoherenceKind::shared_line,
                                            CoherenceKind::allocator_state};

// "missing write-back", ...
const char* to_string(CoherenceKind kind);
// What to do about it, in a sentence.
const char* advice(CoherenceKind kind);

struct CoherenceFinding {
  CoherenceKind kind = CoherenceKind::missing_write_back;
  std::string what;        // what happened, in plain words
  std::uint64_t line = 0;  // offset of the first such line in the window
  std::uint32_t core = 0;  // whose cache or access it is
  std::optional<std::uint32_t> other_core;
  std::string owner;  // of the block in that line, or that was there last; empty: none
  std::uint32_t owner_id = 0;
  std::string site;         // where the block was taken
  std::string other_owner;  // of a second block, where there is one
  std::string other_site;
  std::uint64_t count = 0;  // how often, of this kind, block and cores
};

struct CoherenceReport {
  std::uint64_t seed = 0;
  std::uint64_t turns = 0;         // of cores
  std::uint64_t written_back = 0;  // lines, by calls
  std::uint64_t evicted = 0;       // dirty lines, at random
  std::uint64_t watched = 0;       // accesses that were looked at one by one
  std::vector<CoherenceFinding> findings;
  bool more = false;  // there were others of which no note was kept
};

}  // namespace modmem::testbench
