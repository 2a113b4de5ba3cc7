// PlatformConfig: the facts of one platform, given at boot.
//
// Only the page and granule size are compile-time facts of the library (modmem/config.hpp);
// whatever else differs between two chips of one family is here, so that one build serves all of
// them. Kconfig gives the defaults: every configs/*_defconfig becomes one entry of
// modmem/presets.hpp.
//
// Invariants (checked by Memory::config_error()): sram_bytes, bank_bytes, reserve_bytes,
// window_bytes and span_bytes are multiples of the page; bank_bytes and cache_line_bytes are powers
// of two; reserve_bytes < sram_bytes; the pool (sram_bytes - reserve_bytes) and the window have
// fewer than 65,535 pages; metadata_bytes is a multiple of the granule, and within the whole pages
// that 65,535 units of 16 bytes reach (255 of 4 KiB).
#pragma once

#include <cstddef>
#include <cstdint>

namespace modmem {

struct PlatformConfig {
  const char* name;                // preset name, as in --platform
  std::size_t sram_bytes;          // all HP-SRAM
  std::size_t bank_bytes;          // one power bank
  std::size_t reserve_bytes;       // firmware, libraries, stacks: the first bytes of SRAM
  std::uint32_t cores;             // DSP cores
  bool has_mmu;                    // pages can be mapped anywhere; otherwise page = frame
  std::size_t window_bytes;        // virtual range for all spans; ignored without an MMU
  std::size_t span_bytes;          // virtual range a heap starts with; ignored without an MMU
  std::size_t cache_line_bytes;    // data cache line
  std::size_t dma_alignment;       // start of DMA-able memory
  std::size_t lp_sram_bytes;       // low-power SRAM, 0 where there is none
  std::size_t l3_bytes;            // L3 (IMR), 0 where there is none
  std::size_t arena_bytes;         // fixed arena of the policies that have one; 0: all of the pool
                                   // that metadata can spare
  std::size_t slots_arena_bytes;   // the same of the policies that have a heap of slots beside it
  std::uint32_t headroom_divisor;  // a range request leaves 1/headroom_divisor of the pool; 0: none
  const char* policy;              // name of the policy table
  std::uint32_t retained_pages;    // empty pages a heap keeps mapped (hysteresis)
  std::uint32_t retained_us;       // how long it keeps each, at most; 0: as long as it likes
  std::uint32_t bank_hold_us;      // how long an empty bank stays powered; 0: not at all
  std::uint32_t max_heaps;         // heaps that can exist at a time, at most 254
  std::uint32_t max_owners;        // owners that can exist at a time, at most 65,534
  std::uint32_t max_sites;         // call sites that reports can name, at most 65,534
  std::size_t metadata_bytes;      // of the boot arena, which metadata fills before it takes pages
                                   // of the pool
};

// What a memory of `bytes` beside the SRAM is to the page layer: a small platform of its own, in
// one bank, without a reserve and without an MMU.
constexpr PlatformConfig side_platform(const PlatformConfig& config, std::size_t bytes) {
  PlatformConfig side = config;
  side.sram_bytes = bytes;
  side.bank_bytes = bytes;
  side.reserve_bytes = 0;
  side.has_mmu = false;
  return side;
}

}  // namespace modmem
