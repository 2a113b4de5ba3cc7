// fail_each(): plays a run over and over, each time with another one of the things it asks for
// failing, and says what was wrong after each.
//
// The first play counts: a requests for blocks, m mappings, p power-ups of banks. Then a + m + p
// plays follow, in the k-th of which exactly the k-th of these fails. Each starts on a system of
// its own, and must end as a run without memory may end: the module or modmem copes, or the run
// stops with OutOfMemory; and with nothing left behind (testbench/injector.hpp).
//
// Plays follow each other in one child process. One that kills it is a problem of that play; the
// next one starts in another child.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "testbench/injector.hpp"
#include "testbench/run_report.hpp"

namespace modmem::testbench {

// One play, and what became of it.
struct FailedPlay {
  FailKind kind = FailKind::allocation;
  std::uint64_t number =
      0;  // of the thing that failed among those of its kind, from 1; 0: none did
  Injection injection;
  std::string ended;  // "coped", "out of memory: creating gain.1.1", "crash", ...
  std::vector<Problem> problems;
};

struct SweepReport {
  FailedPlay undisturbed;  // the play in which nothing failed; where it has problems there are no
                           // others
  std::array<std::uint64_t, kFailKinds.size()> counts{};  // by kind
  std::vector<FailedPlay> plays;                          // in order

  bool failed() const;
};

// Plays once, with the injector as RunOptions::injector, and the same every time.
using InjectedPlay = std::function<RunReport(Injector&)>;

// Told of plays done and to do, ten times a second while one goes on. Whatever it throws is thrown
// on, and the child process is ended.
using SweepProgress = std::function<void(std::uint64_t done, std::uint64_t total)>;

// Throws InputError where `play` does so without any failure, and std::system_error where the
// machine gives no process.
SweepReport fail_each(const InjectedPlay& play, const SweepProgress& progress);

}  // namespace modmem::testbench
