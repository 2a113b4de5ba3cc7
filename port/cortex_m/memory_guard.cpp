#include "port/cortex_m/memory_guard.hpp"

#include <bit>
#include <initializer_list>

#include "base/check.hpp"

namespace modmem::cortex_m {

namespace {

// The MPU's registers, and its attributes: "ARMv7-M Architecture Reference Manual", B3.5.
struct Mpu {
  std::uint32_t type;
  std::uint32_t control;
  std::uint32_t number;
  std::uint32_t base;
  std::uint32_t attributes;
};
volatile Mpu& mpu() { return *reinterpret_cast<volatile Mpu*>(0xE000ED90); }
volatile std::uint32_t& system_handlers() {
  return *reinterpret_cast<volatile std::uint32_t*>(0xE000ED24);
}

constexpr std::uint32_t kOn = 1U;          // of the MPU, of a region
constexpr std::uint32_t kBackground = 4U;  // what no region shows is open
constexpr std::uint32_t kMemoryFaults = 1U << 16;
constexpr std::uint32_t kNeverExecute = 1U << 28;
constexpr std::uint32_t kReadWrite = 0b001U << 24;  // privileged only
constexpr std::uint32_t kReadOnly = 0b101U << 24;
constexpr std::uint32_t kNormal = 0b1011U << 16;  // memory with write-back caches, shareable or not

enum Region : std::uint32_t { code_region, data_region, metadata_region };

constexpr std::uint32_t size_of(std::size_t bytes) {
  return static_cast<std::uint32_t>(std::countr_zero(bytes) - 1) << 1;
}

void write_region(std::uint32_t region, std::uintptr_t base, std::uint32_t attributes) {
  // A lower-numbered half-written region must not come to be seen.
  mpu().number = region;
  mpu().attributes = 0;
  mpu().base = static_cast<std::uint32_t>(base);
  mpu().attributes = attributes;
}

void take_effect() { asm volatile("dsb\n isb" ::: "memory"); }

}  // namespace

void MemoryGuard::start(const Layout& layout) {
  MODMEM_ASSERT(layout.pool % kWindowBytes == 0 &&
                layout.pool_bytes <= kMostWindows * kWindowBytes);
  layout_ = layout;
  write_region(code_region, layout.code, kReadOnly | kNormal | size_of(layout.code_bytes) | kOn);
  write_region(data_region, layout.data,
               kReadWrite | kNeverExecute | kNormal | size_of(layout.data_bytes) | kOn);
  for (std::uint32_t region = kFirstCached; region < kRegions; ++region) {
    shown_[region] = kNone;
    write_region(region, 0, 0);
  }
  open_metadata();
  system_handlers() = system_handlers() | kMemoryFaults;
  mpu().control = kOn;
  take_effect();
}

void MemoryGuard::set_access(std::uint32_t page, Access access) {
  const std::uint32_t bit = 1U << page % kPagesPerWindow;
  for (const bool read_only : {false, true}) {
    const std::uint8_t what = shown(page / kPagesPerWindow, read_only);
    const bool is_in = access == (read_only ? Access::read_only : Access::open);
    const std::uint32_t before = pages_[what];
    pages_[what] = static_cast<std::uint8_t>(is_in ? before | bit : before & ~bit);
    if (const std::uint32_t region = region_of(what); region != kRegions) {
      show(region);
    }
  }
}

// The region of the cache that shows it, kRegions where none does.
std::uint32_t MemoryGuard::region_of(std::uint8_t what) const {
  std::uint32_t region = kFirstCached;
  while (region < kRegions && shown_[region] != what) {
    ++region;
  }
  return region;
}

void MemoryGuard::show(std::uint32_t region) const {
  const std::uint32_t what = shown_[region];
  const std::uint32_t hidden = static_cast<std::uint8_t>(~pages_[what]);
  write_region(region, layout_.pool + what / 2 * kWindowBytes,
               (what % 2 != 0 ? kReadOnly : kReadWrite) | kNeverExecute | kNormal | hidden << 8 |
                   size_of(kWindowBytes) | kOn);
  take_effect();
}

bool MemoryGuard::admit(std::uintptr_t address) {
  const std::uintptr_t offset = address - layout_.pool;
  if (offset >= layout_.pool_bytes) {
    return false;
  }
  const auto window = static_cast<std::uint32_t>(offset / kWindowBytes);
  const std::uint32_t bit = 1U << offset / kPageBytes % kPagesPerWindow;
  const bool is_open = (pages_[shown(window, false)] & bit) != 0;
  const std::uint8_t what = shown(window, !is_open);
  // Where a region shows the page, it has let through what may pass.
  if ((pages_[what] & bit) == 0 || region_of(what) != kRegions) {
    return false;
  }
  // Whoever was interrupted may be about to write a region of its own.
  const std::uint32_t selected = mpu().number;
  shown_[next_] = what;
  show(next_);
  mpu().number = selected;
  const std::uint32_t next = next_ + 1U;
  next_ = static_cast<std::uint8_t>(next < kRegions ? next : kFirstCached);
  return true;
}

void MemoryGuard::open_all() {
  mpu().control = kOn | kBackground;
  take_effect();
}

void MemoryGuard::open_metadata() {
  write_region(metadata_region, layout_.metadata,
               kReadWrite | kNeverExecute | kNormal | size_of(layout_.metadata_bytes) | kOn);
  take_effect();
}

void MemoryGuard::close_metadata() {
  write_region(metadata_region, layout_.metadata,
               kReadOnly | kNeverExecute | kNormal | size_of(layout_.metadata_bytes) | kOn);
  take_effect();
}

}  // namespace modmem::cortex_m
