// The pool as an array of CONFIG_MODMEM_POOL_BYTES, for boards whose devicetree has none.

#include <zephyr/kernel.h>

#include <bit>

#include "integrations/zephyr/pool.hpp"
#include "modmem/config.hpp"

namespace modmem {

namespace {

static_assert(CONFIG_MODMEM_POOL_BYTES % config::kPageBytes == 0,
              "CONFIG_MODMEM_POOL_BYTES is not a multiple of CONFIG_MODMEM_PAGE_BYTES");

// Not cleared at start: nobody reads it before he has written it.
alignas(config::kPageBytes) __noinit std::byte array[CONFIG_MODMEM_POOL_BYTES];

}  // namespace

ZephyrPool zephyr_pool() {
  PlatformConfig config{};
  config.sram_bytes = sizeof(array);
  config.bank_bytes = std::bit_ceil(sizeof(array));
  config.dma_alignment = CONFIG_MODMEM_POOL_DMA_ALIGNMENT;
  return {.config = with_options(config), .window = array};
}

}  // namespace modmem
