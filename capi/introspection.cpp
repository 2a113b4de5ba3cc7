// Looking at the system: modmem/modmem.h and heap_trace_all().

#include <modmem/modmem.h>
#include <rtos/alloc.h>

#include <cerrno>

#include "base/text.hpp"
#include "capi/request.hpp"

using modmem::CSystem;
using modmem::HeapReport;
using modmem::Owner;

namespace {

void fill(struct modmem_heap_info& info, const HeapReport& report) {
  info.name = report.name;
  info.live_bytes = report.live_bytes;
  info.peak_live_bytes = report.peak_live_bytes;
  info.mapped_bytes = report.mapped_bytes;
  info.peak_mapped_bytes = report.peak_mapped_bytes;
  info.limit = report.owner != nullptr ? report.owner->spec.limit : SIZE_MAX;
  info.allocations = report.allocations;
  info.frees = report.frees;
  info.failures = report.failures;
  info.queued_bytes = report.queued_bytes;
}

// Figures of the owner's heap; where another one's serves it, of its account, which has no pages.
int describe(const Owner* owner, struct modmem_heap_info* info) {
  CSystem* system = info != nullptr ? modmem::booted() : nullptr;
  if (system == nullptr) {
    return -EINVAL;
  }
  const Owner& about = owner != nullptr ? *owner : system->memory.system();
  if (!system->memory.is_owner(&about)) {
    return -EINVAL;
  }
  const HeapReport report = system->memory.heap_report(about);
  const Owner now = system->memory.snapshot(about);
  if (report.name != nullptr) {
    fill(*info, report);
  } else {
    *info = {};
    info->name = now.spec.name;
    info->live_bytes = now.tree;
    info->peak_live_bytes = now.tree_peak;
    info->allocations = now.allocations;
    info->frees = now.frees;
    info->failures = now.failures;
  }
  info->limit = now.spec.limit;
  return 0;
}

std::uint32_t count_owners(const Owner& owner) {
  std::uint32_t count = 1;
  for (const Owner* child = owner.first_child; child != nullptr; child = child->next_sibling) {
    count += count_owners(*child);
  }
  return count;
}

}  // namespace

int modmem_heap_info(const struct k_heap* heap, struct modmem_heap_info* info) {
  return describe(reinterpret_cast<const Owner*>(heap), info);
}

int modmem_vregion_heap_info(const struct vregion* vr, struct modmem_heap_info* info) {
  return vr != nullptr ? describe(reinterpret_cast<const Owner*>(vr), info) : -EINVAL;
}

int modmem_vmh_heap_info(const struct vmh_heap* heap, struct modmem_heap_info* info) {
  return heap != nullptr ? describe(reinterpret_cast<const Owner*>(heap), info) : -EINVAL;
}

int modmem_named_heap_info(const char* name, struct modmem_heap_info* info) {
  CSystem* system = name != nullptr && info != nullptr ? modmem::booted() : nullptr;
  if (system == nullptr) {
    return -EINVAL;
  }
  // The caller's pointers may be wrong, and heaps are visited under the lock.
  const volatile char* end = name;
  while (*end != '\0') {
    ++end;
  }
  struct modmem_heap_info first {};
  bool found = false;
  system->memory.for_each_heap([&](const HeapReport& report) {
    if (!found && modmem::same_text(report.name, name)) {
      found = true;
      fill(first, report);
    }
  });
  if (!found) {
    return -ENOENT;
  }
  *info = first;
  return 0;
}

size_t modmem_drain(uint32_t most) {
  CSystem* system = modmem::booted();
  return system != nullptr ? system->memory.drain(most) : 0;
}

int modmem_info(struct modmem_info* info) {
  CSystem* system = info != nullptr ? modmem::booted() : nullptr;
  if (system == nullptr) {
    return -EINVAL;
  }
  modmem::Memory& memory = system->memory;
  *info = {};
  info->platform = memory.config().name;
  info->policy = memory.policy().name;
  info->host = system->host;
  info->live_bytes = memory.snapshot(memory.system()).tree;
  info->metadata_bytes = memory.metadata_bytes();
  info->page_bytes = modmem::config::kPageBytes;
  info->cache_line_bytes = memory.config().cache_line_bytes;
  info->dma_alignment = memory.config().dma_alignment;
  const modmem::LockGuard guard(system->port());
  info->faults = system->faults;
  const modmem::PagePool& pool = memory.pool();
  info->pool_bytes = std::size_t{pool.frames()} * modmem::config::kPageBytes;
  info->mapped_bytes = std::size_t{pool.taken()} * modmem::config::kPageBytes;
  info->banks = pool.banks();
  info->banks_on = pool.banks_on();
  info->owners = count_owners(memory.system());
  return 0;
}

size_t modmem_usable_size(const void* ptr) {
  const CSystem* system = ptr != nullptr ? modmem::current_system() : nullptr;
  return system != nullptr ? system->memory.usable_size(ptr) : 0;
}

int modmem_l3_check(const void* ptr) {
  const CSystem* system = ptr != nullptr ? modmem::current_system() : nullptr;
  if (system == nullptr) {
    return -EINVAL;
  }
  switch (system->memory.status(ptr)) {
    case modmem::PointerStatus::live:
      return 0;
    case modmem::PointerStatus::damaged:
      return -EIO;
    default:
      return -EINVAL;
  }
}

size_t modmem_largest_request(struct k_heap* heap, uint32_t flags, size_t alignment) {
  CSystem* system = modmem::booted();
  modmem::Request wanted;
  return translate(
             system,
             {"modmem_largest_request", MODMEM_CALLER, modmem::owner_of(heap), flags, 1, alignment},
             wanted)
             ? system->memory.largest_request(wanted)
             : 0;
}

bool modmem_check(bool deep) {
  const CSystem* system = modmem::current_system();
  return system == nullptr ||
         (system->memory.check(deep ? modmem::CheckDepth::deep : modmem::CheckDepth::cheap) &&
          system->copies.check());
}

size_t modmem_check_blocks(void) {
  CSystem* system = modmem::current_system();
  return system != nullptr ? system->memory.check_blocks() : 0;
}

bool modmem_is_mapped(const void* ptr) {
  const CSystem* system = modmem::current_system();
  return system != nullptr && system->memory.is_mapped(ptr);
}

void heap_trace_all(int /*force*/) {
  CSystem* system = modmem::booted();
  if (system == nullptr) {
    return;
  }
  system->memory.for_each_heap([](const HeapReport& report) {
    modmem::Line line;
    line << "heap " << report.name << ": " << report.kind << " in " << report.memory << ", live "
         << std::uint64_t{report.live_bytes} << " bytes, at most "
         << std::uint64_t{report.peak_live_bytes} << " bytes, mapped "
         << std::uint64_t{report.mapped_bytes} << " bytes, at most "
         << std::uint64_t{report.peak_mapped_bytes} << " bytes, allocations " << report.allocations
         << ", frees " << report.frees << ", failures " << report.failures;
    if (report.queued_bytes != 0) {
      line << ", queued " << std::uint64_t{report.queued_bytes} << " bytes";
    }
    log_line(modmem::LogLevel::info, line);
  });
}
