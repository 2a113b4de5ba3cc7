// The pool of the devicetree: its node that is compatible with modmem,pool
// (dts/bindings/modmem,pool.yaml).

#include <zephyr/devicetree.h>
#include <zephyr/sys/util.h>

#include "integrations/zephyr/pool.hpp"

#define MODMEM_POOL DT_INST(0, modmem_pool)
// The one reg of the node that a property points to; 0 where the node has no such property.
#define MODMEM_ADDRESS_BEHIND(property)                \
  COND_CODE_1(DT_NODE_HAS_PROP(MODMEM_POOL, property), \
              (DT_REG_ADDR(DT_PHANDLE(MODMEM_POOL, property))), (0))
#define MODMEM_BYTES_BEHIND(property)                  \
  COND_CODE_1(DT_NODE_HAS_PROP(MODMEM_POOL, property), \
              (DT_REG_SIZE(DT_PHANDLE(MODMEM_POOL, property))), (0))
#define MODMEM_HAS_WINDOW DT_NODE_HAS_PROP(MODMEM_POOL, reg)
#define MODMEM_WINDOW_ADDRESS COND_CODE_1(MODMEM_HAS_WINDOW, (DT_REG_ADDR(MODMEM_POOL)), (0))
#define MODMEM_WINDOW_BYTES COND_CODE_1(MODMEM_HAS_WINDOW, (DT_REG_SIZE(MODMEM_POOL)), (0))

namespace modmem {

namespace {

std::byte* as_pointer(std::uintptr_t address) { return reinterpret_cast<std::byte*>(address); }

}  // namespace

ZephyrPool zephyr_pool() {
  constexpr bool kMaps = IS_ENABLED(CONFIG_MODMEM_HAS_MMU);
  static_assert(MODMEM_HAS_WINDOW == (kMaps ? 1 : 0),
                "the node has a reg if, and only if, CONFIG_MODMEM_HAS_MMU maps pages there");
  const std::uintptr_t sram = MODMEM_ADDRESS_BEHIND(sram);
  const std::size_t reserve_bytes = DT_PROP(MODMEM_POOL, reserved_size);
  PlatformConfig config{};
  config.sram_bytes = MODMEM_BYTES_BEHIND(sram);
  config.bank_bytes = DT_PROP(MODMEM_POOL, bank_size);
  config.reserve_bytes = reserve_bytes;
  config.window_bytes = MODMEM_WINDOW_BYTES;
  config.dma_alignment = DT_PROP(MODMEM_POOL, dma_alignment);
  config.lp_sram_bytes = MODMEM_BYTES_BEHIND(low_power_memory);
  config.l3_bytes = MODMEM_BYTES_BEHIND(l3_memory);
  return {.config = with_options(config),
          .window = kMaps ? as_pointer(MODMEM_WINDOW_ADDRESS) : as_pointer(sram + reserve_bytes),
          .sram = sram,
          .low_power = as_pointer(MODMEM_ADDRESS_BEHIND(low_power_memory)),
          .l3 = as_pointer(MODMEM_ADDRESS_BEHIND(l3_memory))};
}

}  // namespace modmem
