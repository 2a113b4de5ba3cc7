// The memories beside the SRAM: low-power SRAM and L3.
//
// Both are platforms of their own to the page layer (side_platform()), and have one elastic heap.
// L3 is large and external, so its tables lie at its own end, not in SRAM:
//
//   pool ... | tables | header of what save_l3() wrote down (the last page)

#include "memory/memory.hpp"

namespace modmem {

namespace {

constexpr Page as_page(std::size_t page) { return Page{static_cast<std::uint16_t>(page)}; }
constexpr Frame as_frame(std::size_t page) { return Frame{static_cast<std::uint16_t>(page)}; }

// The pages [first, end) of a memory that has no AddressSpace yet; false where one is not mapped.
bool map_pages(Port& port, std::size_t first, std::size_t end) {
  for (std::size_t page = first; page < end; ++page) {
    if (!port.map(as_page(page), as_frame(page))) {
      while (page-- > first) {
        port.unmap(as_page(page));
      }
      return false;
    }
  }
  return true;
}

void unmap_pages(Port& port, std::size_t first, std::size_t end) {
  for (std::size_t page = first; page < end; ++page) {
    port.unmap(as_page(page));
  }
}

}  // namespace

bool Memory::set_up_low_power(MetadataArena& arena) {
  if (!has_side_memories() || config_.lp_sram_bytes == 0 || port_->low_power() == nullptr) {
    return true;
  }
  low_power_.port = port_->low_power();
  const PlatformConfig side = side_platform(config_, config_.lp_sram_bytes);
  // Without a short circuit: an arena that only measures must see both.
  const bool pool = low_power_.pool.boot(side, *low_power_.port, arena);
  return low_power_.space.boot(side, *low_power_.port, low_power_.pool, arena) && pool;
}

bool Memory::open_side_heap(SideMemory& side, const char* name) {
  if (has_side_memories() && side.port != nullptr) {
    side.slot = open_heap(heap_of_role(HeapKind::elastic), *system_, name, side.space);
  }
  return side.port == nullptr || side.slot != nullptr;
}

bool Memory::set_up_l3() {
  const std::size_t pages = config_.l3_bytes / config::kPageBytes;
  if (!has_side_memories() || pages == 0 || port_->l3() == nullptr) {
    return true;
  }
  const auto boot = [&](std::size_t pool_pages, MetadataArena& arena) {
    const PlatformConfig side = side_platform(config_, pool_pages * config::kPageBytes);
    const bool pool = l3_.pool.boot(side, *port_->l3(), arena);
    return l3_.space.boot(side, *port_->l3(), l3_.pool, arena) && pool;
  };
  MetadataArena measure;
  boot(pages, measure);
  const std::size_t tables = divide_up(measure.used(), config::kPageBytes);
  if (pages <= tables + 1) {
    return true;  // too small to be of use
  }
  const std::size_t pool_pages = pages - tables - 1;
  Port& port = *port_->l3();
  if (!map_pages(port, pool_pages, pages)) {
    return false;
  }
  l3_.port = &port;
  MetadataArena arena(
      {port.window() + pool_pages * config::kPageBytes, tables * config::kPageBytes});
  if (!boot(pool_pages, arena)) {
    return false;
  }
  watch(l3_.space, pool_pages, true);
  return open_side_heap(l3_, "l3");
}

// After its heap is closed.
void Memory::close_l3() {
  if (has_side_memories() && l3_.port != nullptr) {
    drop_saved_list();
    watch(l3_.space, l3_.pool.frames(), false);
    unmap_pages(*l3_.port, l3_.pool.frames(), config_.l3_bytes / config::kPageBytes);
  }
}

}  // namespace modmem
