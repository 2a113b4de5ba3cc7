// Reports of stray accesses to simulated memory.
//
// While a FaultReporter lives, an access to a page of its window that is not mapped prints one line
// on stderr - address, and what `describe` says of it - and then ends the program as the signal
// would have ended it. Other faults go to whoever handled them before. An escape may go on
// elsewhere instead, in all of these cases. One reporter at a time.
#pragma once

#include <csignal>
#include <cstddef>
#include <span>

#include "port/host/host_port.hpp"

namespace modmem {

// An access that failed.
struct StrayAccess {
  const void* address = nullptr;
  const void* pc = nullptr;  // of the instruction; nullptr where the host does not say
  bool is_write = false;     // false as well where the host does not say
};

class FaultReporter {
 public:
  // Writes what is known about `address` into `text` (`size` bytes, ending included). Runs in a
  // signal handler: no allocation, no lock.
  using Describe = void (*)(const void* context, const void* address, char* text, std::size_t size);

  // Leaves the handler with siglongjmp() to go on elsewhere, or returns where it can't. Runs in the
  // signal handler of the thread whose access it was, with the signal no longer blocked.
  using Escape = void (*)(void* context, const StrayAccess& access);
  void set_escape(Escape escape, void* context) {
    escape_ = escape;
    escape_context_ = context;
  }

  FaultReporter(const HostPort& port, Describe describe, const void* context)
      : FaultReporter(port, port.window_bytes(), describe, context) {}
  // Of any port that faults, whose window has so many bytes.
  FaultReporter(const Port& port, std::size_t window_bytes, Describe describe, const void* context);
  ~FaultReporter();
  FaultReporter(const FaultReporter&) = delete;
  FaultReporter& operator=(const FaultReporter&) = delete;

  // Accesses to [start, start + bytes) are reported as well, one such range.
  void watch(std::span<const std::byte> range) { watched_ = range; }

 private:
  static void handle(int signal, siginfo_t* info, void* context);

  const Port& port_;
  std::size_t window_bytes_;
  std::span<const std::byte> watched_;
  Describe describe_;
  const void* context_;
  Escape escape_ = nullptr;
  void* escape_context_ = nullptr;
  struct sigaction previous_segv_ {};
  struct sigaction previous_bus_ {};
};

}  // namespace modmem
