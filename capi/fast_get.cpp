// sof/lib/fast-get.h on SharedCopies.

#undef MODMEM_SOF_API
#define MODMEM_SOF_API 2026
#include "capi/fast_get.hpp"

#include <sof/lib/fast-get.h>

#include "capi/report.hpp"
#include "capi/system.hpp"

namespace modmem {

Line& describe(Line& line, const CopyResult& failed, const void* source, std::size_t bytes) {
  (line << "no copy of " << std::uint64_t{bytes} << " bytes at ").address(source);
  switch (failed.status) {
    case CopyStatus::other_size:
      return line << ": it is shared as " << std::uint64_t{failed.known_bytes} << " bytes";
    case CopyStatus::no_memory:
      return line << ": no memory";
    case CopyStatus::invalid:
    case CopyStatus::good:
      break;
  }
  return line << ": no such data";
}

namespace {

const void* get(const char* function, const void* source, std::size_t bytes, Site site) {
  CSystem* system = booted();
  if (system == nullptr) {
    return nullptr;
  }
  const CopyResult result = system->copies.get(source, bytes, site);
  // Memory has explained why it has none.
  if (result.copy == nullptr && result.status != CopyStatus::no_memory) {
    Line line;
    describe(line << function << ": ", result, source, bytes) << ", from " << site;
    log_line(LogLevel::error, line);
  }
  return result.copy;
}

void put(const char* function, const void* copy, Site site) {
  CSystem* system = copy != nullptr ? booted() : nullptr;
  if (system == nullptr) {
    return;
  }
  const PointerStatus status = system->copies.put(copy);
  if (status != PointerStatus::live) {
    report_misuse({.kind = fault_kind(status),
                   .function = function,
                   .pointer = copy,
                   .site = site,
                   .fatal = true});
  }
}

}  // namespace

}  // namespace modmem

const void* fast_get(struct mod_alloc_ctx* /*ctx*/, const void* dram_ptr, size_t size) {
  return modmem::get("fast_get", dram_ptr, size, MODMEM_CALLER);
}

void fast_put(struct mod_alloc_ctx* /*ctx*/, struct k_mem_domain* /*domain*/,
              const void* sram_ptr) {
  modmem::put("fast_put", sram_ptr, MODMEM_CALLER);
}

const void* modmem_fast_get(const void* dram_ptr, size_t size) {
  return modmem::get("fast_get", dram_ptr, size, MODMEM_CALLER);
}

void modmem_fast_put(const void* sram_ptr) { modmem::put("fast_put", sram_ptr, MODMEM_CALLER); }
