#include "port/host/fault_report.hpp"

#include <ucontext.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstring>

namespace modmem {

namespace {

FaultReporter* active = nullptr;

// Puts the handler from before in place of `handler`; one that was set since stays.
void restore(int signal, void (*handler)(int, siginfo_t*, void*), const struct sigaction& before) {
  struct sigaction now {};
  if (sigaction(signal, nullptr, &now) == 0 && now.sa_sigaction == handler) {
    sigaction(signal, &before, nullptr);
  }
}

StrayAccess access_of(const siginfo_t& info, const void* context) {
  StrayAccess access{.address = info.si_addr};
#ifdef __x86_64__
  constexpr greg_t kWrite = 2;  // of the error code of a page fault
  const auto& registers = static_cast<const ucontext_t*>(context)->uc_mcontext.gregs;
  access.pc = reinterpret_cast<const void*>(registers[REG_RIP]);
  access.is_write = (registers[REG_ERR] & kWrite) != 0;
#else
  static_cast<void>(context);
#endif
  return access;
}

}  // namespace

FaultReporter::FaultReporter(const Port& port, std::size_t window_bytes, Describe describe,
                             const void* context)
    : port_(port), window_bytes_(window_bytes), describe_(describe), context_(context) {
  active = this;
  struct sigaction action {};
  action.sa_sigaction = &FaultReporter::handle;
  action.sa_flags = SA_SIGINFO;
  sigaction(SIGSEGV, &action, &previous_segv_);
  sigaction(SIGBUS, &action, &previous_bus_);
}

FaultReporter::~FaultReporter() {
  restore(SIGSEGV, &FaultReporter::handle, previous_segv_);
  restore(SIGBUS, &FaultReporter::handle, previous_bus_);
  active = nullptr;
}

void FaultReporter::handle(int signal, siginfo_t* info, void* context) {
  const FaultReporter& self = *active;
  if (self.escape_ != nullptr) {
    sigset_t blocked;
    sigset_t before;
    sigemptyset(&blocked);
    sigaddset(&blocked, signal);
    pthread_sigmask(SIG_UNBLOCK, &blocked, &before);
    self.escape_(self.escape_context_, access_of(*info, context));
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }
  const auto address = reinterpret_cast<std::uintptr_t>(info->si_addr);
  const auto window = reinterpret_cast<std::uintptr_t>(self.port_.window());
  const auto alias = window + static_cast<std::uintptr_t>(self.port_.alias_offset());
  const std::size_t bytes = self.window_bytes_;
  const auto watched = reinterpret_cast<std::uintptr_t>(self.watched_.data());
  if (address - window < bytes || address - alias < bytes ||
      address - watched < self.watched_.size()) {
    char what[160] = "";
    self.describe_(self.context_, info->si_addr, what, sizeof what);
    char line[256];
    const int length =
        std::snprintf(line, sizeof line, "modmem: stray access to %p: %s\n", info->si_addr, what);
    if (length > 0) {
      const ssize_t written = write(STDERR_FILENO, line, static_cast<std::size_t>(length));
      static_cast<void>(written);  // nothing else to say it with
    }
  }
  // The access is tried again when this returns, and meets the handler that was there before.
  sigaction(SIGSEGV, &self.previous_segv_, nullptr);
  sigaction(SIGBUS, &self.previous_bus_, nullptr);
}

}  // namespace modmem
