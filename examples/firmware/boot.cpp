// How firmware has its C code run on modmem: a port, a boot, and the functions that the C interface
// wants of whoever brings it up. The chip is one core without an MMU, without banks that switch,
// and with coherent caches; what it would ask of an RTOS is asked of the C library here.

#include "examples/firmware/boot.h"

#include <cstdio>
#include <cstdlib>

#include "base/check.hpp"
#include "capi/hooks.hpp"
#include "capi/system.hpp"
#include "modmem/config.hpp"

namespace {

constexpr std::size_t kPoolBytes = std::size_t{512} * 1024;
constexpr std::size_t kArenaBytes = 4096;  // Memory::arena_bytes() says how many suffice

constexpr modmem::PlatformConfig kChip = {
    .name = "chip",
    .sram_bytes = kPoolBytes,
    .bank_bytes = kPoolBytes,
    .reserve_bytes = 0,
    .cores = 1,
    .has_mmu = false,
    .window_bytes = 0,
    .span_bytes = 0,
    .cache_line_bytes = 32,
    .dma_alignment = 32,
    .lp_sram_bytes = 0,
    .l3_bytes = 0,
    .arena_bytes = 0,
    .slots_arena_bytes = 0,
    .headroom_divisor = 8,
    .policy = "elastic",
    .retained_pages = 0,
    .retained_us = 0,
    .bank_hold_us = 0,
    .max_heaps = 16,
    .max_owners = 64,
    .max_sites = 64,
    .metadata_bytes = 0,
};

alignas(modmem::config::kPageBytes) std::byte pool[kPoolBytes];
alignas(16) std::byte arena[kArenaBytes];

class ChipPort final : public modmem::Port {
 public:
  std::byte* window() const override { return pool; }
  std::ptrdiff_t alias_offset() const override { return 0; }
  bool map(modmem::Page, modmem::Frame) override { return true; }
  void unmap(modmem::Page) override {}
  bool set_bank_power(modmem::Bank, bool) override { return true; }
  void cache_writeback(std::byte*, std::size_t) override {}
  void cache_invalidate(std::byte*, std::size_t) override {}
  void lock() override {}  // nothing interrupts this program
  void unlock() override {}
  std::uintptr_t thread_id() const override { return 1; }
  std::uint32_t core_id() const override { return 0; }
  bool on_audio_path() const override { return false; }
  std::uint64_t time_us() const override { return 0; }
  void log(modmem::LogLevel, const char* line) override { std::puts(line); }
};

ChipPort port;
modmem::Memory memory;
modmem::SharedCopies copies(memory);
modmem::CSystem c_system(memory, copies, "chip");

}  // namespace

int firmware_boot(void) {
  if (!memory.boot(kChip, modmem::kElasticPolicy, port, nullptr, arena)) {
    return -1;
  }
  modmem::adopt(c_system);
  return 0;
}

// Nothing boots by itself, a fault that nothing can go on after stops the chip, and code addresses
// are for the linker's map file.
modmem::CSystem* modmem::boot_default() { return nullptr; }
void modmem::panic() { std::abort(); }
bool modmem::name_code(const void*, char*, std::size_t) { return false; }

void modmem::check_failed(const char*, const char*, int) { std::abort(); }
