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

// Ends a block that the caller may end. In a domain's heaps there is nobody else's block; elsewhere
// there may be what it took for itself.
PointerStatus end_block(CSystem& system, void* pointer, const Site& site) {
  const bool is_own = is_in_callers_heap(system, pointer);
  return system.memory.free(pointer, is_own ? nullptr : &caller(system.memory), site);
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
  if (system->memory.entered_domain() != nullptr) {
    if (request.owner == nullptr) {
      out.owner = &caller(system->memory);
    } else if (system->memory.is_owner(request.owner) &&
               !is_callers(system->memory, *request.owner)) {
      report_strange(*system, request.function, request.owner, request.site, false);
      return false;
    }
  }
  out.bytes = request.bytes;
  out.alignment = request.alignment != 0 ? request.alignment : kNaturalAlignment;
  out.flags = known_flags(request);
  out.site = request.site;
  return true;
}

Owner& caller(Memory& memory) {
  Owner* domain = memory.entered_domain();
  return domain != nullptr ? *domain : memory.system();
}

bool is_callers(Memory& memory, const Owner& owner) {
  const Owner* const who = &caller(memory);
  const Owner* at = &owner;
  while (at != nullptr && at != who) {
    at = at->parent;
  }
  return at != nullptr;
}

bool is_in_callers_heap(const CSystem& system, const void* pointer) {
  if (system.memory.entered_domain() == nullptr) {
    return true;
  }
  const Owner* owner = nullptr;
  {
    const LockGuard guard(system.port());
    owner = system.memory.locate(pointer).owner;
  }
  return owner != nullptr && is_callers(system.memory, *owner);
}

void report_strange(const CSystem& system, const char* function, const void* pointer,
                    const Site& site, bool fatal) {
  report_misuse({.kind = MODMEM_FAULT_FOREIGN,
                 .function = function,
                 .pointer = pointer,
                 .site = site,
                 .fatal = fatal,
                 .owner = &caller(system.memory)});
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
    if (is_callers(system.memory, *owner)) {
      return owner;
    }
    report_strange(system, function, owner, site, fatal);
    return nullptr;
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
  const PointerStatus status = end_block(*system, pointer, site);
  if (status == PointerStatus::foreign && system->memory.entered_domain() != nullptr) {
    report_strange(*system, function, pointer, site, true);
  } else if (status != PointerStatus::live) {
    report_misuse({.kind = fault_kind(status),
                   .function = function,
                   .pointer = pointer,
                   .site = site,
                   .fatal = true});
  }
}

}  // namespace modmem
