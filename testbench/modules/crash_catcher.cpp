#include "testbench/modules/crash_catcher.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <cstring>

#include "testbench/modules/call_site.hpp"

namespace modmem::testbench {

namespace {

constexpr std::array kSignals = {SIGSEGV, SIGBUS, SIGFPE, SIGILL};

struct RawNote {
  ModulePlace place;
  int signal = 0;
  const void* address = nullptr;
  const void* site = nullptr;
  char what[160] = "";
};

// More crashes than this are not noted: a module crashes once.
constexpr std::size_t kMostNotes = 64;

std::array<RawNote, kMostNotes> raw_notes;
std::atomic<std::size_t> note_count{0};
bool catching = false;
CrashCatcher::Describe describe_address = nullptr;
const void* describe_context = nullptr;
std::array<struct sigaction, kSignals.size()> previous{};

thread_local sigjmp_buf* way_back = nullptr;

}  // namespace

CrashCatcher::CrashCatcher(Describe describe, const void* context) {
  describe_address = describe;
  describe_context = context;
  note_count = 0;
  struct sigaction action {};
  action.sa_sigaction = &CrashCatcher::handle;
  action.sa_flags = SA_SIGINFO | SA_NODEFER;
  for (std::size_t i = 0; i < kSignals.size(); ++i) {
    sigaction(kSignals[i], &action, &previous[i]);
  }
  catching = true;
}

CrashCatcher::~CrashCatcher() {
  catching = false;
  for (std::size_t i = 0; i < kSignals.size(); ++i) {
    struct sigaction now {};
    if (sigaction(kSignals[i], nullptr, &now) == 0 && now.sa_sigaction == &CrashCatcher::handle) {
      sigaction(kSignals[i], &previous[i], nullptr);
    }
  }
}

bool CrashCatcher::survives(const std::function<void()>& call) {
  if (!catching) {
    call();
    return true;
  }
  sigjmp_buf here;
  sigjmp_buf* const volatile before = way_back;
  if (sigsetjmp(here, 0) != 0) {
    way_back = before;
    return false;
  }
  way_back = &here;
  call();
  way_back = before;
  return true;
}

std::vector<CrashNote> CrashCatcher::notes() {
  std::vector<CrashNote> notes;
  for (std::size_t i = 0; i < std::min(note_count.load(), kMostNotes); ++i) {
    const RawNote& raw = raw_notes[i];
    notes.push_back({raw.place, raw.signal, raw.address, raw.site, raw.what});
  }
  return notes;
}

void CrashCatcher::handle(int signal, siginfo_t* info, void* /*context*/) {
  const CallSite at_work = way_back != nullptr ? module_call_site() : CallSite{};
  if (at_work.site == nullptr || is_program_code(at_work.function)) {
    const ModulePlace& place = ModuleCall::current();
    if (place.in_module) {
      char line[128];
      const int length = std::snprintf(
          line, sizeof line, "modmem: the program crashed while module 0x%08x was in its %s\n",
          place.id, to_string(place.phase));
      const ssize_t written = write(STDERR_FILENO, line, static_cast<std::size_t>(length));
      static_cast<void>(written);  // nothing else to say it with
    }
    // The access is tried again when this returns, and meets the handler that was there before.
    for (std::size_t i = 0; i < kSignals.size(); ++i) {
      sigaction(kSignals[i], &previous[i], nullptr);
    }
    return;
  }
  const std::size_t at = note_count.fetch_add(1);
  if (at < kMostNotes) {
    RawNote& note = raw_notes[at];
    note.place = ModuleCall::current();
    note.signal = signal;
    note.address = info->si_addr;
    note.site = at_work.site;
    note.what[0] = '\0';
    describe_address(describe_context, info->si_addr, note.what, sizeof note.what);
  }
  siglongjmp(*way_back, 1);
}

}  // namespace modmem::testbench
