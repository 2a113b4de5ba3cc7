// Interrupted and InterruptGuard: being told to stop (^C, a request to end, a closed terminal) as
// an exception, so that files that were begun go away with the objects that own them.
#pragma once

#include <array>
#include <csignal>

namespace modmem::tools {

// Not derived from std::exception: nobody takes it for an error.
struct Interrupted {
  int signal = 0;
};

class InterruptGuard {
 public:
  // While it lives the first such signal is noted, and a second one of a kind ends the program at
  // once. A signal that is ignored stays ignored. One guard at a time.
  InterruptGuard();
  ~InterruptGuard();
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;

  // Throws Interrupted where a signal was noted.
  static void check();

 private:
  static constexpr std::array kSignals{SIGINT, SIGTERM, SIGHUP};

  std::array<struct sigaction, kSignals.size()> previous_{};
};

// Ends the program as the signal would have ended it.
[[noreturn]] void die_of(const Interrupted& interrupted);

}  // namespace modmem::tools
