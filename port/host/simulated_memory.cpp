#include "port/host/simulated_memory.hpp"

#include <algorithm>
#include <cerrno>

#include "base/bits.hpp"
#include "base/check.hpp"
#include "modmem/config.hpp"

namespace modmem {

SimulatedMemory::~SimulatedMemory() { close_memory(); }

const char* SimulatedMemory::open_memory(const PlatformConfig& config, Kind kind,
                                         AsanBlocks& blocks) {
  kind_ = kind;
  blocks_ = &blocks;
  pool_bytes_ = config.sram_bytes - config.reserve_bytes;
  bank_bytes_ = config.bank_bytes;
  first_bank_offset_ = config.reserve_bytes % config.bank_bytes;
  banks_ = divide_up(pool_bytes_ + first_bank_offset_, bank_bytes_);
  const char* failure =
      memory_.open(pool_bytes_, config.has_mmu ? config.window_bytes : pool_bytes_, config.has_mmu);
  if (failure != nullptr) {
    return failure;
  }
  if (!broken_banks_.open(banks_)) {
    const int error = errno;
    close_memory();
    errno = error;
    return "making a list of the banks";
  }
  blocks.add_memory(window(), window_bytes(), alias_offset(), true);
  return nullptr;
}

void SimulatedMemory::close_memory() {
  broken_banks_.close();
  memory_.close();
}

bool SimulatedMemory::map(Page page, Frame frame) {
  if (maps_until_failure_ == 0) {
    return false;
  }
  maps_until_failure_ -= maps_until_failure_ == kNever ? 0 : 1;
  const std::size_t at = std::size_t{number(page)} * config::kPageBytes;
  const std::size_t offset = std::size_t{number(frame)} * config::kPageBytes;
  if (!memory_.map(at, offset, config::kPageBytes)) {
    return false;
  }
  blocks_->map_page(window() + at, config::kPageBytes);
  return true;
}

void SimulatedMemory::unmap(Page page) {
  const std::size_t at = std::size_t{number(page)} * config::kPageBytes;
  blocks_->unmap_page(window() + at, config::kPageBytes);
  memory_.unmap(at, config::kPageBytes);
}

bool SimulatedMemory::remap(Page page, Frame /*from*/, Frame to) {
  if (maps_until_failure_ == 0) {
    return false;
  }
  maps_until_failure_ -= maps_until_failure_ == kNever ? 0 : 1;
  // Poison is about addresses and what lies there, both of which stay.
  return memory_.remap(std::size_t{number(page)} * config::kPageBytes,
                       std::size_t{number(to)} * config::kPageBytes, config::kPageBytes);
}

bool SimulatedMemory::set_bank_power(Bank bank, bool on) {
  MODMEM_ASSERT(number(bank) < banks_);
  if (on && broken_banks_[number(bank)]) {
    return false;
  }
  if (!on || kind_ == Kind::l3) {
    return true;
  }
  const std::size_t bank_start = std::size_t{number(bank)} * bank_bytes_;
  const std::size_t begin = bank_start - std::min(bank_start, first_bank_offset_);
  const std::size_t end = std::min(bank_start + bank_bytes_ - first_bank_offset_, pool_bytes_);
  return memory_.fill(begin, end - begin, kLostContent);
}

void SimulatedMemory::break_bank(Bank bank, bool broken) {
  MODMEM_ASSERT(number(bank) < banks_);
  broken_banks_[number(bank)] = broken;
}

void SimulatedMemory::cache_writeback(std::byte* /*address*/, std::size_t /*bytes*/) {
  // The host's caches are coherent.
}

void SimulatedMemory::cache_invalidate(std::byte* /*address*/, std::size_t bytes) {
  invalidated_bytes_.fetch_add(bytes, std::memory_order_relaxed);
}

}  // namespace modmem
