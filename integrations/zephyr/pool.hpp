// The memory that modmem manages, as devicetree or Kconfig says.
#pragma once

#include <cstddef>
#include <cstdint>

#include "port/platform_config.hpp"

namespace modmem {

struct ZephyrPool {
  PlatformConfig config{};
  std::byte* window = nullptr;  // page 0 of the pool: by either alias
  std::uintptr_t sram = 0;      // physical, the reserve included; ignored without an MMU
  std::byte* low_power = nullptr;
  std::byte* l3 = nullptr;
};

// The pool of this build: defined once, by pool_devicetree.cpp or pool_array.cpp. O(1).
ZephyrPool zephyr_pool();

// `config` with all in it that the two have in common: what Kconfig says, Zephyr's cores and cache.
PlatformConfig with_options(PlatformConfig config);

}  // namespace modmem
