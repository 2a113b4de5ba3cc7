// The numbers of a PlatformConfig by name, so that a trace can carry them.
#pragma once

#include <cstdint>
#include <string_view>
#include <type_traits>

#include "port/platform_config.hpp"

namespace modmem::trace {

struct PlatformNumber {
  std::string_view name;
  std::uint64_t (*get)(const PlatformConfig& config);
  void (*set)(PlatformConfig& config, std::uint64_t value);
};

template <auto Member>
constexpr PlatformNumber platform_number(std::string_view name) {
  return {name,
          [](const PlatformConfig& config) { return static_cast<std::uint64_t>(config.*Member); },
          [](PlatformConfig& config, std::uint64_t value) {
            using Type = std::remove_reference_t<decltype(config.*Member)>;
            config.*Member = static_cast<Type>(value);
          }};
}

inline constexpr PlatformNumber kPlatformNumbers[] = {
    platform_number<&PlatformConfig::sram_bytes>("sram_bytes"),
    platform_number<&PlatformConfig::bank_bytes>("bank_bytes"),
    platform_number<&PlatformConfig::reserve_bytes>("reserve_bytes"),
    platform_number<&PlatformConfig::cores>("cores"),
    platform_number<&PlatformConfig::has_mmu>("has_mmu"),
    platform_number<&PlatformConfig::window_bytes>("window_bytes"),
    platform_number<&PlatformConfig::span_bytes>("span_bytes"),
    platform_number<&PlatformConfig::cache_line_bytes>("cache_line_bytes"),
    platform_number<&PlatformConfig::dma_alignment>("dma_alignment"),
    platform_number<&PlatformConfig::lp_sram_bytes>("lp_sram_bytes"),
    platform_number<&PlatformConfig::l3_bytes>("l3_bytes"),
    platform_number<&PlatformConfig::arena_bytes>("arena_bytes"),
    platform_number<&PlatformConfig::slots_arena_bytes>("slots_arena_bytes"),
    platform_number<&PlatformConfig::headroom_divisor>("headroom_divisor"),
    platform_number<&PlatformConfig::retained_pages>("retained_pages"),
    platform_number<&PlatformConfig::retained_us>("retained_us"),
    platform_number<&PlatformConfig::bank_hold_us>("bank_hold_us"),
    platform_number<&PlatformConfig::max_heaps>("max_heaps"),
    platform_number<&PlatformConfig::max_owners>("max_owners"),
    platform_number<&PlatformConfig::max_sites>("max_sites"),
    platform_number<&PlatformConfig::metadata_bytes>("metadata_bytes"),
};

}  // namespace modmem::trace
