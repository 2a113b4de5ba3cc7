#include "port/posix/plain_port.hpp"

#include <cerrno>
#include <cstdint>
#include <initializer_list>

#include "base/check.hpp"
#include "modmem/config.hpp"

namespace modmem {

PlainMemory::~PlainMemory() { close_memory(); }

const char* PlainMemory::open_memory(std::size_t window_bytes, bool has_alias, BlockView* blocks) {
  const char* failure = memory_.open(window_bytes, window_bytes, has_alias);
  if (failure != nullptr) {
    return failure;
  }
  const std::size_t pages = window_bytes / config::kPageBytes;
  if (!words_.open(BitmapView::words_for(pages)) || !memory_.map(0, 0, window_bytes)) {
    const int error = errno;
    close_memory();
    errno = error;
    return "opening the window";
  }
  mapped_ = BitmapView(words_.data(), static_cast<std::uint32_t>(pages));
  blocks_ = blocks;
  return nullptr;
}

void PlainMemory::close_memory() {
  mapped_ = BitmapView();
  words_.close();
  memory_.close();
}

bool PlainMemory::map(Page page, Frame /*frame*/) {
  MODMEM_ASSERT(!is_mapped(page));
  mapped_.set(number(page));
  return true;
}

void PlainMemory::unmap(Page page) {
  MODMEM_ASSERT(is_mapped(page));
  mapped_.clear(number(page));
}

bool PlainMemory::set_bank_power(Bank /*bank*/, bool /*on*/) { return true; }

void PlainMemory::cache_writeback(std::byte* /*address*/, std::size_t /*bytes*/) {
  // The host's caches are coherent.
}

void PlainMemory::cache_invalidate(std::byte* /*address*/, std::size_t /*bytes*/) {}

bool PlainPort::open(const PlatformConfig& config, Blocks blocks) {
  const std::size_t bytes =
      config.has_mmu ? config.window_bytes : config.sram_bytes - config.reserve_bytes;
  const bool stand_ins = blocks == Blocks::stand_ins;
  BlockView* view = kAddressSanitizer ? &asan_blocks_ : nullptr;
  if (stand_ins) {
    view = &libc_blocks_;
  }
  const char* failure = open_memory(bytes, config.has_mmu && !stand_ins, view);
  if (failure == nullptr && config.lp_sram_bytes != 0) {
    failure = low_power_.open_memory(config.lp_sram_bytes, false, view);
  }
  if (failure == nullptr && config.l3_bytes != 0) {
    failure = l3_.open_memory(config.l3_bytes, false, view);
  }
  if (failure != nullptr) {
    const int error = errno;
    close();
    errno = error;
    failure_ = failure;
    return false;
  }
  asan_blocks_.add_memory(window(), window_bytes(), alias_offset(), false);
  for (const PlainMemory* side : {&low_power_, &l3_}) {
    if (side->is_open()) {
      asan_blocks_.add_memory(side->window(), side->window_bytes(), 0, false);
    }
  }
  failure_ = "";
  return true;
}

void PlainPort::close() {
  asan_blocks_.forget();
  libc_blocks_.drop_all();
  low_power_.close_memory();
  l3_.close_memory();
  close_memory();
}

Port* PlainPort::low_power() { return low_power_.is_open() ? &low_power_ : nullptr; }

Port* PlainPort::l3() { return l3_.is_open() ? &l3_ : nullptr; }

bool PlainPort::power_cycle() {
  asan_blocks_.stop_all();
  forget_pages();
  low_power_.forget_pages();
  l3_.forget_pages();
  libc_blocks_.drop(window(), window_bytes());
  libc_blocks_.drop(low_power_.window(), low_power_.window_bytes());
  return fill(kLostContent) && low_power_.fill(kLostContent);
}

void PlainPort::before_fork() {
  lock();
  PlainMemory::before_fork();
  low_power_.before_fork();
  l3_.before_fork();
}

void PlainPort::after_fork(bool is_child) {
  PlainMemory::after_fork(is_child);
  low_power_.after_fork(is_child);
  l3_.after_fork(is_child);
  unlock();
}

}  // namespace modmem
