#include "capi/request.hpp"

#include "base/bits.hpp"
#include "base/check.hpp"
#include "capi/audio_path.hpp"

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

namespace {

void report_dead(const Owner* owner, const char* function, const Site& site, bool fatal) {
  report_misuse({.kind = MODMEM_FAULT_NOT_LIVE,
                 .function = function,
                 .pointer = owner,
                 .site = site,
                 .fatal = fatal});
}

void* take(const CRequest& request, void* (Memory::*function)(const Request& request)) {
  CSystem* system = booted();
  Request wanted;
  if (!translate(system, request, wanted)) {
    return nullptr;
  }
  void* block = (system->memory.*function)(wanted);
  if (block == nullptr) {
    explain_owner(*system, request);
  }
  return block;
}

}  // namespace

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

void* allocate(const CRequest& request) { return take(request, &Memory::allocate); }

void* allocate_zeroed(const CRequest& request) { return take(request, &Memory::allocate_zeroed); }

void explain_owner(const CSystem& system, const CRequest& request) {
  if (request.owner != nullptr && !system.memory.is_owner(request.owner)) {
    report_dead(request.owner, request.function, request.site, false);
  }
}

Owner* living(const CSystem& system, Owner* owner, OwnerKind kind, const char* function,
              const Site& site, bool fatal) {
  if (system.memory.is_owner(owner) && owner->spec.kind == kind) {
    return owner;
  }
  report_dead(owner, function, site, fatal);
  return nullptr;
}

void free_block(const char* function, void* pointer, const Site& site) {
  CSystem* system = pointer != nullptr ? booted() : nullptr;
  if (system == nullptr) {
    return;
  }
  note_audio_path_free(*system, function, site);
  const PointerStatus status = system->memory.free(pointer, nullptr, site);
  if (status != PointerStatus::live) {
    report_misuse({.kind = fault_kind(status),
                   .function = function,
                   .pointer = pointer,
                   .site = site,
                   .fatal = true});
  }
}

}  // namespace modmem
