// What the C interface says: lines of log, and misuses.
//
// A line goes to the sink that was set, else to the port of the system that is up. A misuse is
// logged and then handed to the fault handler, on the thread that did it and with no lock held.
#pragma once

#include <modmem/modmem.h>

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/line.hpp"
#include "heap/heap.hpp"
#include "memory/failure.hpp"
#include "memory/owner.hpp"
#include "memory/record.hpp"
#include "port/port.hpp"

namespace modmem {

// The code address that a C function returns to: where it was called.
#define MODMEM_CALLER (::modmem::Site{__builtin_return_address(0), 0})

// Whether lines of that level are wanted.
bool is_logged(LogLevel level);

// Logs the line, where lines of that level are wanted. Returns false where there is nobody to take
// it: no sink and no system.
bool log_line(LogLevel level, const Line& line);

// Appends "FILE:LINE", "PROGRAM+0xOFFSET" or the address itself.
Line& operator<<(Line& line, const Site& site);

// Settings of the environment, which what a program sets itself wins over.
void set_default_log_level(modmem_log_level level);
void set_default_fault_mode(modmem_fault_mode mode);

// What a program has set; all zero where it has set nothing.
struct ReportSettings {
  modmem_log_sink sink = nullptr;
  void* sink_context = nullptr;
  modmem_fault_handler handler = nullptr;
  void* handler_context = nullptr;
  modmem_fault_mode mode = MODMEM_FAULT_DEFAULT;
  modmem_log_level level = MODMEM_LOG_DEFAULT;
};
ReportSettings report_settings();
void set_report_settings(const ReportSettings& settings);

// A misuse, as the function finds it that was misused.
struct Misuse {
  modmem_fault_kind kind = MODMEM_FAULT_FOREIGN;
  const char* function = "";
  const void* pointer = nullptr;
  Site site;
  bool fatal = false;            // the function has no error result
  const Owner* owner = nullptr;  // who tried; nullptr: whoever the pointer's heap belongs to
  std::uintptr_t manager = 0;    // MODMEM_FAULT_THREAD
};

modmem_fault_kind fault_kind(PointerStatus status);

// Logs the misuse and calls the fault handler. Returns where that does. No lock may be held.
void report_misuse(const Misuse& misuse);

// Logs "FUNCTION: WHAT, from SITE" as an error: a call that cannot be served, whatever memory there
// is.
void report_refusal(const char* function, const char* what, const Site& site);

// Logs failures and leaks of a Memory that the C interface brings up. Failures of others than
// modules are logged at most kFailuresASecond times a second for each place in the program, and as
// often for all places together that are not among the first kSites of that second; of what is left
// out a line says how much it was. A module's are all logged: they decide whether it starts.
class Reporter final : public MemoryObserver {
 public:
  static constexpr std::uint32_t kFailuresASecond = 10;
  static constexpr std::size_t kSites = 16;

  explicit Reporter(Port& port) : port_(port) {}

  void on_failure(const Failure& failure) override;
  void on_fault(const Fault& fault) override;
  void on_damage(const Fault& damage) override;
  void on_leak(const Leak& leak) override;
  bool on_request(const Request& request) override;

  // Logs how many failures were left out, where some were.
  void flush();

 private:
  static constexpr std::uint64_t kSecond = 1000000;

  // How many failures of a place were logged in this second.
  struct Logged {
    Site site;
    std::uint32_t lines = 0;
  };

  bool is_too_many(const Site& site);

  Port& port_;
  std::uint64_t second_start_ = 0;
  std::array<Logged, kSites + 1> logged_{};  // the last one: of all other places
  std::uint64_t left_out_ = 0;
};

}  // namespace modmem
