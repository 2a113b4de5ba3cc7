#include "capi/audio_path.hpp"

#include <modmem/modmem.h>

#include "capi/report.hpp"

namespace modmem {

namespace {

struct Entry {
  const char* function = nullptr;  // nullptr: of a request; all zero, so that it takes no flash
  Site site;
  std::uint64_t count = 0;
  std::size_t bytes = 0;
};

// Places beyond these share the last one, which has no site.
constexpr std::size_t kMostSites = 32;

// Under the port's lock.
constinit Entry entries[kMostSites + 1];
constinit std::size_t used = 0;

// Notes a call. Returns the entry where it is the first of its place, else nullptr.
const Entry* count(const char* function, const Site& site, std::size_t bytes) {
  std::size_t at = 0;
  while (at < used && (entries[at].site != site || entries[at].function != function)) {
    ++at;
  }
  const bool is_new = at == used;
  if (is_new && used < kMostSites) {
    entries[used++] = {function, site, 0, 0};
  } else if (is_new) {
    at = kMostSites;
  }
  Entry& entry = entries[at];
  ++entry.count;
  entry.bytes += bytes;
  return entry.count == 1 ? &entry : nullptr;
}

Line& describe(Line& line, const Entry& entry) {
  line << "audio path: " << (entry.function != nullptr ? entry.function : "memory was asked for");
  if (entry.bytes != 0) {
    line << ", " << std::uint64_t{entry.bytes} << " bytes";
  }
  return line << ", from " << entry.site;
}

}  // namespace

void note_audio_path_free(CSystem& system, const char* function, const Site& site) {
  if (!system.notes_audio_path || !system.port().on_audio_path()) {
    return;
  }
  Line line;
  bool first = false;
  {
    const LockGuard guard(system.port());
    if (const Entry* entry = count(function, site, 0)) {
      describe(line, *entry);
      first = true;
    }
  }
  if (first) {
    log_line(LogLevel::error, line);
  }
}

void note_audio_path_request(Port& port, const Request& request) {
  if (!port.on_audio_path()) {
    return;
  }
  if (const Entry* entry = count(nullptr, request.site, request.bytes)) {
    Line line;
    log_line(LogLevel::error, describe(line, *entry));
  }
}

void forget_audio_path() {
  used = 0;
  entries[kMostSites] = {};
}

void flush_audio_path() {
  for (std::size_t i = 0; i <= kMostSites; ++i) {
    const Entry& entry = entries[i];
    if ((i < used || i == kMostSites) && entry.count > 1) {
      Line line;
      log_line(LogLevel::error, describe(line, entry) << ": " << entry.count << " calls");
    }
  }
}

}  // namespace modmem

size_t modmem_audio_path_calls(struct modmem_audio_path_call* calls, size_t most) {
  modmem::CSystem* system = modmem::current_system();
  if (system == nullptr) {
    return 0;
  }
  for (std::size_t i = 0;; ++i) {
    modmem::Entry entry;
    {
      const modmem::LockGuard guard(system->port());
      const bool more = modmem::entries[modmem::kMostSites].count != 0;
      const std::size_t places = modmem::used + (more ? 1 : 0);
      if (i >= places || i >= most || calls == nullptr) {
        return places;
      }
      entry = modmem::entries[i];
    }
    // Without the lock, as the caller's pointer may be wrong.
    calls[i].function = entry.function != nullptr ? entry.function : "";
    calls[i].site = entry.site.where;
    calls[i].count = entry.count;
    calls[i].bytes = entry.bytes;
  }
}
