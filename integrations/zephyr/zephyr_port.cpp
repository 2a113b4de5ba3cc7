#include "integrations/zephyr/zephyr_port.hpp"

#include <modmem_zephyr.h>
#include <zephyr/cache.h>
#include <zephyr/drivers/mm/system_mm.h>
#include <zephyr/kernel.h>
#include <zephyr/logging/log.h>
#include <zephyr/sys/util.h>

#include <bit>

#include "base/check.hpp"
#include "base/line.hpp"
#include "modmem/config.hpp"

LOG_MODULE_REGISTER(modmem, CONFIG_MODMEM_LOG_LEVEL);

extern "C" {

__weak int modmem_zephyr_bank_power(unsigned int /*bank*/, bool /*on*/) { return 0; }

__weak bool modmem_zephyr_on_audio_path(void) { return false; }

}  // extern "C"

namespace modmem {

namespace {

constexpr bool kMaps = IS_ENABLED(CONFIG_MODMEM_HAS_MMU);
constexpr std::uint32_t kMapFlags = SYS_MM_MEM_PERM_RW | SYS_MM_MEM_CACHE_WB;
// What blocks are padded to where there is no cache: no more than they would be.
constexpr std::size_t kNoLine = config::kGranuleBytes;

#ifdef CONFIG_MODMEM_HAS_MMU
static_assert(CONFIG_MM_DRV_PAGE_SIZE == config::kPageBytes,
              "CONFIG_MODMEM_PAGE_BYTES is not the page of the memory management driver");
static_assert(!IS_ENABLED(CONFIG_MODMEM_DRIVER_SWITCHES_BANKS) || config::kBankHoldUs == 0,
              "the driver switches a bank off with its last page: CONFIG_MODMEM_BANK_HOLD_US");
#endif

[[maybe_unused]] void complain(const std::byte* page, const char* call, int error) {
  Line line;
  (line << "page ").address(page) << ": " << call << " says -" << static_cast<unsigned int>(-error);
  zephyr_log(LogLevel::error, line.text());
}

}  // namespace

PlatformConfig with_options(PlatformConfig config) {
  const std::size_t line = sys_cache_data_line_size_get();
  config.name = CONFIG_BOARD;
  config.cores = arch_num_cpus();
  config.has_mmu = kMaps;
#ifdef CONFIG_MODMEM_HAS_MMU
  config.span_bytes = CONFIG_MODMEM_SPAN_BYTES;
#endif
  config.cache_line_bytes = line > kNoLine ? line : kNoLine;
  config.arena_bytes = CONFIG_MODMEM_ARENA_BYTES;
  config.slots_arena_bytes = CONFIG_MODMEM_SLOTS_ARENA_BYTES;
  config.headroom_divisor = config::kHeadroomDivisor;
  config.policy = config::kPolicy;
  config.retained_pages = config::kRetainedPages;
  config.retained_us = config::kRetainedUs;
  config.bank_hold_us = config::kBankHoldUs;
  config.max_heaps = config::kMaxHeaps;
  config.max_owners = config::kMaxOwners;
  config.max_sites = config::kMaxSites;
  config.metadata_bytes = config::kMetadataBytes;
  return config;
}

void zephyr_log(LogLevel level, const char* line) {
  switch (level) {
    case LogLevel::error:
      LOG_ERR("%s", line);
      return;
    case LogLevel::warning:
      LOG_WRN("%s", line);
      return;
    case LogLevel::info:
      LOG_INF("%s", line);
      return;
    case LogLevel::debug:
      LOG_DBG("%s", line);
      return;
  }
}

// --- what all memories have in common ---

void ZephyrMemory::set_window(std::byte* window, bool aliased) {
  window_ = static_cast<std::byte*>(sys_cache_cached_ptr_get(window));
  if (aliased) {
    const auto past_cache =
        reinterpret_cast<std::uintptr_t>(sys_cache_uncached_ptr_get(static_cast<void*>(window_)));
    alias_offset_ =
        static_cast<std::ptrdiff_t>(past_cache - reinterpret_cast<std::uintptr_t>(window_));
  }
}

// Both say -ENOTSUP where there is no cache, which is as good.
void ZephyrMemory::cache_writeback(std::byte* address, std::size_t bytes) {
  sys_cache_data_flush_range(address, bytes);
}

void ZephyrMemory::cache_invalidate(std::byte* address, std::size_t bytes) {
  sys_cache_data_invd_range(address, bytes);
}

void ZephyrMemory::lock() {
  const k_spinlock_key_t key = k_spin_lock(&lock_);
  key_ = key;
}

void ZephyrMemory::unlock() {
  const k_spinlock_key_t key = key_;
  k_spin_unlock(&lock_, key);
}

// In an interrupt that is the thread which it interrupted.
std::uintptr_t ZephyrMemory::thread_id() const {
  const auto thread = reinterpret_cast<std::uintptr_t>(k_current_get());
  return thread != 0 ? thread : 1;
}

std::uint32_t ZephyrMemory::core_id() const {
  // A thread may go to another core between two instructions, but with interrupts off.
  const unsigned int key = arch_irq_lock();
  const std::uint32_t core = arch_curr_cpu()->id;
  arch_irq_unlock(key);
  return core;
}

bool ZephyrMemory::on_audio_path() const { return k_is_in_isr() || modmem_zephyr_on_audio_path(); }

std::uint64_t ZephyrMemory::time_us() const {
  if constexpr (IS_ENABLED(CONFIG_TIMER_HAS_64BIT_CYCLE_COUNTER)) {
    return k_cyc_to_us_floor64(k_cycle_get_64());
  } else {
    return k_ticks_to_us_floor64(static_cast<std::uint64_t>(k_uptime_ticks()));
  }
}

void ZephyrMemory::log(LogLevel level, const char* line) { zephyr_log(level, line); }

// --- memory beside the SRAM ---

// A line that was left would be written over what a coherent block or DMA puts there next.
void ZephyrSideMemory::unmap(Page page) {
  cache_invalidate(window() + std::size_t{number(page)} * config::kPageBytes, config::kPageBytes);
}

// --- the SRAM ---

const char* ZephyrPort::start(const ZephyrPool& pool) {
  const PlatformConfig& config = pool.config;
  set_window(pool.window, true);
  frames_ = pool.sram + config.reserve_bytes;
  first_bank_ = static_cast<unsigned int>(config.reserve_bytes / config.bank_bytes);
  low_power_.start(pool.low_power, true);
  l3_.start(pool.l3, false);  // through the cache only, as DSPs have it
  const std::size_t bytes =
      config.has_mmu ? config.window_bytes : config.sram_bytes - config.reserve_bytes;
  const std::size_t apart = std::bit_ceil(bytes);
  return static_cast<std::size_t>(alias_offset()) % apart == 0
             ? nullptr
             : "the two addresses of the window lie apart by no multiple of its size";
}

bool ZephyrPort::map(Page page, Frame frame) {
  if constexpr (kMaps) {
    std::byte* const address = window() + std::size_t{number(page)} * config::kPageBytes;
    const int error = sys_mm_drv_map_page(
        address, frames_ + std::size_t{number(frame)} * config::kPageBytes, kMapFlags);
    if (error != 0) {
      complain(address, "sys_mm_drv_map_page()", error);
    }
    return error == 0;
  }
  return true;
}

void ZephyrPort::unmap(Page page) {
  std::byte* const address = window() + std::size_t{number(page)} * config::kPageBytes;
  // A line that was left would be written to whatever lies there next.
  cache_invalidate(address, config::kPageBytes);
  if constexpr (kMaps) {
    const int error = sys_mm_drv_unmap_page(address);
    if (error != 0) {
      complain(address, "sys_mm_drv_unmap_page()", error);
      check_failed("a page that was mapped can be unmapped", __FILE__, __LINE__);
    }
  }
}

bool ZephyrPort::set_bank_power(Bank bank, bool on) {
  return modmem_zephyr_bank_power(first_bank_ + number(bank), on) == 0 || !on;
}

void zephyr_panic() {
  k_panic();
  for (;;) {
    // It does not return, which its declaration does not say.
  }
}

void check_failed(const char* condition, const char* file, int line) {
  Line text;
  text << file << ":" << static_cast<unsigned int>(line) << ": does not hold: " << condition;
  zephyr_log(LogLevel::error, text.text());
  zephyr_panic();
}

}  // namespace modmem
