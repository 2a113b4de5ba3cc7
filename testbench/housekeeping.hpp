// Housekeeping: what a platform does beside audio, once a period: time passes, and memory is
// compacted a few frames at a time.
//
// The time that the port tells is that of the audio, so that what is counted over time is the same
// in every run. Called by core 0 between periods, when no other core is at work: nothing accesses
// what moves.
#pragma once

#include <cstdint>

#include "testbench/system.hpp"

namespace modmem::testbench {

class Housekeeping {
 public:
  // Moves at most `frames` frames a period; 0: none, but what is kept for a time is given back.
  // Both must outlive it.
  Housekeeping(System& system, std::uint32_t frames) : system_(system), frames_(frames) {}

  // A period has passed.
  void pass_period() {
    system_.pass_time(kPeriodUs);
    frames_ != 0 ? count(system_.memory().compact(frames_)) : system_.memory().trim();
  }

  // Moves what can be moved, in steps of as many frames.
  void settle() {
    for (bool more = frames_ != 0; more;) {
      const Compaction step = system_.memory().compact(frames_);
      count(step);
      more = step.more;
    }
  }

  // So many periods have passed in which nothing was done.
  void pass_idle(std::uint64_t periods) {
    settle();
    system_.pass_time(periods * kPeriodUs);
    system_.memory().trim();
  }

  std::uint64_t frames_moved() const { return moved_; }

 private:
  static constexpr std::uint64_t kPeriodUs = 1000;

  void count(const Compaction& step) { moved_ += step.moved; }

  System& system_;
  std::uint32_t frames_;
  std::uint64_t moved_ = 0;
};

// Frames that a run under the policy moves a period where nothing else is said: a firmware with
// slots or a fixed arena moves none.
constexpr std::uint32_t default_compaction(const Policy& policy) {
  return policy.pipeline == HeapKind::elastic ? 8 : 0;
}

}  // namespace modmem::testbench
