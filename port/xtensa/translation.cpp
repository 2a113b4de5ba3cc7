#include "port/xtensa/translation.hpp"

#include "base/check.hpp"

namespace modmem::xtensa {

namespace {

// Of a TLB entry: "Xtensa Instruction Set Architecture Reference Manual", 4.6.5. Data that is not
// to be executed, for ring 0.
constexpr std::uint32_t kCached = 0b0100;    // read, write back
constexpr std::uint32_t kUncached = 0b0000;  // read, past the cache
constexpr std::uint32_t kWays = 4;           // those of pages of 4 KiB that are refilled
constexpr std::uint32_t kHit = 0x10;         // of a probe
constexpr std::uint32_t kNotMapped = 0;
constexpr std::uint32_t kOpen = 1;   // the lowest bit of a frame's entry
constexpr std::uint32_t kWrite = 2;  // the next one, and that of an entry of the TLB

std::uintptr_t cached_start = 0;
std::uintptr_t uncached_start = 0;
std::uint32_t window_pages = 0;
std::uint32_t next_way = 0;
// Physical address of each page's frame, with kOpen where it may be accessed and kWrite where it
// may be written to; kNotMapped where there is none.
std::uint32_t frames[Translation::kMostPages];

void forget(std::uintptr_t address) {
  std::uint32_t found = 0;
  asm volatile("pdtlb %0, %1" : "=r"(found) : "r"(address));
  if ((found & kHit) != 0) {
    asm volatile("idtlb %0\n dsync" ::"r"(found & ~kHit) : "memory");
  }
}

}  // namespace

void Translation::start(std::uintptr_t cached, std::uintptr_t uncached, std::uint32_t pages) {
  MODMEM_ASSERT(pages <= kMostPages);
  cached_start = cached;
  uncached_start = uncached;
  window_pages = pages;
}

void Translation::map(std::uint32_t page, std::uintptr_t physical) {
  MODMEM_ASSERT(page < window_pages);
  frames[page] = static_cast<std::uint32_t>(physical) | kOpen | kWrite;
}

void Translation::set_access(std::uint32_t page, Access access) {
  frames[page] = (frames[page] & ~(kOpen | kWrite)) | (access != Access::closed ? kOpen : 0) |
                 (access == Access::open ? kWrite : 0);
  // An entry that lets too little through would fault for ever.
  forget(cached_start + page * kPageBytes);
  forget(uncached_start + page * kPageBytes);
}

void Translation::unmap(std::uint32_t page) {
  frames[page] = kNotMapped;
  forget(cached_start + page * kPageBytes);
  forget(uncached_start + page * kPageBytes);
}

bool Translation::refill(std::uintptr_t address) {
  const bool is_cached = address - cached_start < window_pages * kPageBytes;
  const std::uintptr_t offset = address - (is_cached ? cached_start : uncached_start);
  if (offset >= window_pages * kPageBytes || (frames[offset / kPageBytes] & kOpen) == 0) {
    return false;
  }
  const std::uint32_t frame = frames[offset / kPageBytes] & ~kOpen;
  const std::uint32_t entry = frame | (is_cached ? kCached : kUncached);  // kWrite comes with it
  const std::uint32_t place = (address & ~(kPageBytes - 1)) | next_way;
  next_way = (next_way + 1) % kWays;
  asm volatile("wdtlb %0, %1\n dsync" ::"r"(entry), "r"(place) : "memory");
  return true;
}

}  // namespace modmem::xtensa
