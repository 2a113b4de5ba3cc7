// Finding: what a module did that it must not, in words for its author.
//
// Everything that a run sees of modules - leaks, wrong frees, crashes, calls on the audio path -
// ends as one of these: which module, where in it, what happened, and what to do. One for each
// place, not for each time.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "testbench/audio_path_guard.hpp"
#include "testbench/fence.hpp"
#include "testbench/modules/crash_catcher.hpp"
#include "testbench/session.hpp"
#include "testbench/system.hpp"

namespace modmem::testbench {

enum class FindingKind : std::uint8_t {
  leak,
  double_free,
  foreign_free,   // of what is somebody else's, or nobody's
  interior_free,  // of an address inside of a block
  damaged_block,  // of L3
  overrun,
  use_after_free,
  stray_access,  // to a page that is not there or not open: an overrun, or a use after free
  crash,         // any other
  audio_allocation,
  audio_free,
  audio_lock,
};
inline constexpr std::size_t kFindingKinds = 12;

// "leak", "double free", ...
const char* to_string(FindingKind kind);
// What its author does about it.
const char* advice(FindingKind kind);

struct Finding {
  FindingKind kind = FindingKind::leak;
  std::string module;    // its name; "" where it is none's
  std::uint32_t id = 0;  // of its component
  std::string phase;     // "process()": in which of its functions; "" where that is not known
  std::string function;  // that it called: "mod_free"; "" where that is not known, or none
  std::string site;      // of what it did: "libx.so+0x1234", "x.cpp:12"; "" where not known
  std::string allocation_site;  // of the block that it is about, likewise
  std::string text;             // what happened
  std::uint64_t bytes = 0;      // of the block, or asked for in all
  std::uint64_t count = 1;      // times
};

// `modules`: all that there were.
std::vector<Finding> findings_of(std::span<const LeakNote> leaks, std::span<const FaultNote> faults,
                                 std::span<const CrashNote> crashes,
                                 std::span<const StrayNote> strays,
                                 std::span<const AudioPathNote> audio,
                                 std::span<const ModuleReport> modules);

}  // namespace modmem::testbench
