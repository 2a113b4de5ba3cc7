#include "port/riscv/page_table.hpp"

#include "base/check.hpp"

namespace modmem::riscv {

namespace {

// Bits of an entry: "The RISC-V Instruction Set Manual, Volume II", 10.3 and 10.4.
constexpr std::uint64_t kValid = 1U << 0;
constexpr std::uint64_t kRead = 1U << 1;
constexpr std::uint64_t kWrite = 1U << 2;
constexpr std::uint64_t kExecute = 1U << 3;
constexpr std::uint64_t kAccessed = 1U << 6;
constexpr std::uint64_t kDirty = 1U << 7;
constexpr std::uint64_t kData = kValid | kRead | kWrite | kAccessed | kDirty;
constexpr std::uint64_t kSv39 = std::uint64_t{8} << 60;
constexpr std::uint32_t kGibibyte = 30;

std::uint64_t active = 0;  // what satp is

constexpr std::uint64_t entry(std::uintptr_t physical, std::uint64_t bits) {
  return physical / PageTable::kPageBytes << 10 | bits;
}
std::uint64_t pointer_to(const void* table) {
  return entry(reinterpret_cast<std::uintptr_t>(table), kValid);
}

void forget(std::uintptr_t address) { asm volatile("sfence.vma %0" ::"r"(address) : "memory"); }

}  // namespace

void PageTable::add_identity(std::uintptr_t address, std::size_t bytes, bool executable) {
  MODMEM_ASSERT(address % kLargeBytes == 0 && bytes % kLargeBytes == 0 &&
                address + bytes <= kGibibytes << kGibibyte);
  for (std::uintptr_t at = address; at != address + bytes; at += kLargeBytes) {
    const std::size_t gibibyte = at >> kGibibyte;
    root_[gibibyte] = pointer_to(middle_[gibibyte]);
    middle_[gibibyte][at / kLargeBytes % kEntries] = entry(at, kData | (executable ? kExecute : 0));
  }
}

void PageTable::set_window(std::uintptr_t address) {
  MODMEM_ASSERT(address % kLargeBytes == 0);
  window_address_ = address;
  for (std::size_t i = 0; i < kWindowTables; ++i) {
    const std::uintptr_t at = address + i * kLargeBytes;
    const std::size_t gibibyte = at >> kGibibyte;
    root_[gibibyte] = pointer_to(middle_[gibibyte]);
    middle_[gibibyte][at / kLargeBytes % kEntries] = pointer_to(window_[i]);
  }
}

void PageTable::activate() {
  active = kSv39 | reinterpret_cast<std::uintptr_t>(root_) / kPageBytes;
  use_active();
}

void PageTable::use_active() {
  asm volatile("sfence.vma\n csrw satp, %0\n sfence.vma" ::"r"(active) : "memory");
}

void PageTable::map(std::uint32_t page, std::uintptr_t physical) {
  window_[page / kEntries][page % kEntries] = entry(physical, kData);
  forget(window_address_ + page * kPageBytes);
}

void PageTable::set_access(std::uint32_t page, Access access) {
  // An entry that is not valid keeps its other bits to itself.
  Entry& own = window_[page / kEntries][page % kEntries];
  own = (own & ~(kValid | kWrite)) | (access != Access::closed ? kValid : 0) |
        (access == Access::open ? kWrite : 0);
  forget(window_address_ + page * kPageBytes);
}

void PageTable::unmap(std::uint32_t page) {
  window_[page / kEntries][page % kEntries] = 0;
  forget(window_address_ + page * kPageBytes);
}

}  // namespace modmem::riscv
