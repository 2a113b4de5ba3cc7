// sof/lib/regions_mm.h on Memory's heaps of slots.

#include <sof/lib/regions_mm.h>

#include <array>
#include <cerrno>

#include "base/bits.hpp"
#include "capi/request.hpp"

using modmem::CSystem;
using modmem::Owner;
using modmem::owner_of;
using modmem::OwnerKind;

namespace {

using modmem::Line;
using modmem::LogLevel;
using modmem::Site;
using modmem::SlotBundle;
using modmem::SlotHeap;

static_assert(MAX_MEMORY_ALLOCATORS_COUNT == SlotHeap::kMaxBundles);

// Virtual bytes of a heap: as many as the production table has.
constexpr std::size_t kRegionBytes = modmem::config::kVmhRegionBytes;

struct Table {
  std::array<SlotBundle, SlotHeap::kMaxBundles> bundles{};
  std::size_t count = 0;
  std::size_t bytes = 0;
};

// What is wrong with the table, nullptr where nothing is: then it is in `table`.
const char* read_table(const vmh_heap_config& config, Table& table) {
  for (const vmh_block_bundle_descriptor& bundle : config.block_bundles_table) {
    if (bundle.block_size == 0 || bundle.number_of_blocks == 0) {
      continue;
    }
    if (!modmem::is_power_of_two(bundle.block_size)) {
      return "a block size is no power of two";
    }
    if (bundle.number_of_blocks > kRegionBytes / bundle.block_size) {
      return "a bundle is larger than the region";
    }
    table.bytes += bundle.block_size * bundle.number_of_blocks;
    if (table.bytes > kRegionBytes) {
      return "the bundles are larger than the region";
    }
    if (table.bytes % modmem::config::kPageBytes != 0) {
      return "a bundle does not end on a page";
    }
    if (bundle.block_size < SlotHeap::kMinSlotBytes) {
      return "a block size is too small";
    }
    table.bundles[table.count++] = {bundle.block_size,
                                    static_cast<std::uint32_t>(bundle.number_of_blocks)};
  }
  return table.count == 0 ? "no bundle has blocks" : nullptr;
}

int misuse(const char* function, modmem_fault_kind kind, const void* pointer, const Owner* owner,
           const Site& site, int error) {
  modmem::report_misuse({.kind = kind,
                         .function = function,
                         .pointer = pointer,
                         .site = site,
                         .fatal = false,
                         .owner = owner});
  return error;
}

}  // namespace

struct vmh_heap* vmh_init_heap(const struct vmh_heap_config* cfg, bool allocating_continuously) {
  Table table;
  table.bytes = kRegionBytes;
  if (cfg != nullptr) {
    table.bytes = 0;
    if (const char* wrong = read_table(*cfg, table)) {
      modmem::report_refusal("vmh_init_heap", wrong, MODMEM_CALLER);
      return nullptr;
    }
  }
  CSystem* system = modmem::booted();
  if (system == nullptr) {
    return nullptr;
  }
  Owner* owner =
      system->memory.create_owner(caller(system->memory), {.kind = OwnerKind::slots, .name = "vmh"},
                                  {.kind = modmem::HeapKind::slots,
                                   .bytes = table.bytes,
                                   .bundles = {table.bundles.data(), table.count},
                                   .contiguous = allocating_continuously});
  return reinterpret_cast<vmh_heap*>(owner);
}

void* vmh_alloc(struct vmh_heap* heap, uint32_t alloc_size) {
  // Slots are aligned to their size; nothing else is asked of them.
  return heap != nullptr
             ? modmem::allocate({"vmh_alloc", MODMEM_CALLER, owner_of(heap), 0, alloc_size, 1})
             : nullptr;
}

int vmh_free(struct vmh_heap* heap, void* ptr) {
  CSystem* system = heap != nullptr ? modmem::booted() : nullptr;
  if (system == nullptr || ptr == nullptr) {
    return misuse("vmh_free", MODMEM_FAULT_FOREIGN, ptr, nullptr, MODMEM_CALLER, -EINVAL);
  }
  if (living(*system, owner_of(heap), OwnerKind::slots, "vmh_free", MODMEM_CALLER, false) ==
      nullptr) {
    return -EINVAL;
  }
  const modmem::PointerStatus status = system->memory.free(ptr, owner_of(heap), MODMEM_CALLER);
  return status == modmem::PointerStatus::live ? 0
                                               : misuse("vmh_free", modmem::fault_kind(status), ptr,
                                                        owner_of(heap), MODMEM_CALLER, -EINVAL);
}

int vmh_free_heap(struct vmh_heap* heap) {
  CSystem* system = heap != nullptr ? modmem::booted() : nullptr;
  if (system == nullptr) {
    return misuse("vmh_free_heap", MODMEM_FAULT_FOREIGN, heap, nullptr, MODMEM_CALLER, -EINVAL);
  }
  Owner* owner =
      living(*system, owner_of(heap), OwnerKind::slots, "vmh_free_heap", MODMEM_CALLER, false);
  if (owner == nullptr) {
    return -EINVAL;
  }
  return system->memory.destroy_empty_owner(*owner)
             ? 0
             : misuse("vmh_free_heap", MODMEM_FAULT_IN_USE, heap, owner, MODMEM_CALLER, -ENOTEMPTY);
}

void vmh_log_stats(struct vmh_heap* heap) {
  CSystem* system = heap != nullptr ? modmem::booted() : nullptr;
  const Owner* owner = system != nullptr ? living(*system, owner_of(heap), OwnerKind::slots,
                                                  "vmh_log_stats", MODMEM_CALLER, true)
                                         : nullptr;
  if (owner == nullptr) {
    return;
  }
  const modmem::HeapReport report = system->memory.heap_report(*owner);
  for (std::uint32_t index = 0; index < report.bundle_count; ++index) {
    const modmem::SlotBundleStats& bundle = report.bundles[index];
    Line line;
    line << "vmh ";
    line.address(heap) << ": slots of " << std::uint64_t{bundle.slot_bytes}
                       << " bytes: " << bundle.slots << ", in use " << bundle.used << ", at most "
                       << bundle.most_used << ", run out " << bundle.run_out << " times";
    log_line(LogLevel::info, line);
  }
}
