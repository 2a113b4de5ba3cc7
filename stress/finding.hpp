// What a stress run stops for.
#pragma once

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

namespace modmem::stress {

// Says what does not hold, where in the run it was, and how to have the run again; then aborts, so
// that a debugger or a core file shows all threads as they are. Any thread.
class Place {
 public:
  // Of the calling thread, from now on.
  static void enter(const char* policy, std::uint64_t seed, std::uint32_t thread) {
    here() = {policy, seed, thread, 0};
  }
  static void step() { ++here().steps_; }

  [[noreturn]] static void found(const char* what) {
    // The first one speaks; others may follow from it.
    static std::atomic<int> speakers = 0;
    if (speakers.fetch_add(1) == 0) {
      const Place& place = here();
      std::fprintf(stderr,
                   "modmem-stress: %s\n  thread %u, step %llu\n"
                   "  again: modmem-stress --policy %s --seed %llu\n",
                   what, place.thread_, static_cast<unsigned long long>(place.steps_),
                   place.policy_, static_cast<unsigned long long>(place.seed_));
    }
    std::abort();
  }

 private:
  Place(const char* policy, std::uint64_t seed, std::uint32_t thread, std::uint64_t steps)
      : policy_(policy), seed_(seed), thread_(thread), steps_(steps) {}

  static Place& here() {
    thread_local Place place{"", 0, 0, 0};
    return place;
  }

  const char* policy_;
  std::uint64_t seed_;
  std::uint32_t thread_;
  std::uint64_t steps_;
};

// found() where the condition does not hold.
inline void expect(bool condition, const char* what) {
  if (!condition) {
    Place::found(what);
  }
}

}  // namespace modmem::stress
