#include "capi/request.hpp"

#include "base/bits.hpp"
#include "base/check.hpp"

namespace modmem {

Flags known_flags(const CRequest& request) {
  constexpr Flags kForOthers = 3;  // bits 0 and 1
  constexpr Flags kKnown = flag::kAll | flag::kSilent;
  const Flags unknown = request.flags & ~(kKnown | kForOthers);
  if (kChecks && unknown != 0) {
    Line line;
    line << request.function << ": flags ";
    line.hex(unknown) << " are not known and have no effect, from " << request.site;
    log_line(LogLevel::warning, line);
  }
  return request.flags & kKnown;
}

bool translate(const CSystem* system, const CRequest& request, Request& out) {
  if (system == nullptr || request.bytes == 0) {
    return false;
  }
  if (request.alignment != 0 && !is_power_of_two(request.alignment)) {
    Line line;
    line << request.function << ": alignment " << std::uint64_t{request.alignment}
         << " bytes is no power of two, from " << request.site;
    log_line(LogLevel::error, line);
    return false;
  }
  out.owner = request.owner;
  out.bytes = request.bytes;
  out.alignment = request.alignment != 0 ? request.alignment : kNaturalAlignment;
  out.flags = known_flags(request);
  out.site = request.site;
  return true;
}

void* allocate(const CRequest& request) {
  CSystem* system = booted();
  Request wanted;
  return translate(system, request, wanted) ? system->memory.allocate(wanted) : nullptr;
}

void* allocate_zeroed(const CRequest& request) {
  CSystem* system = booted();
  Request wanted;
  return translate(system, request, wanted) ? system->memory.allocate_zeroed(wanted) : nullptr;
}

void free_block(const char* function, void* pointer, const Site& site) {
  CSystem* system = pointer != nullptr ? booted() : nullptr;
  if (system == nullptr) {
    return;
  }
  const PointerStatus status = system->memory.free(pointer);
  if (status != PointerStatus::live) {
    report_misuse({.kind = fault_kind(status),
                   .function = function,
                   .pointer = pointer,
                   .site = site,
                   .fatal = true});
  }
}

}  // namespace modmem
