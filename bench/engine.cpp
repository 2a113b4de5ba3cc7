#include "bench/engine.hpp"

#include <stdexcept>

#include "modmem/presets.hpp"

namespace modmem::bench {

namespace {

constexpr std::size_t kPlaces = 64;
constexpr std::size_t kArenaBytes = std::size_t{16} << 20U;

}  // namespace

PlatformConfig platform_of(std::size_t sram_bytes, std::size_t heaps, bool has_mmu) {
  PlatformConfig config = config::kDefaultPlatform;
  config.name = "bench";
  config.sram_bytes = sram_bytes;
  config.bank_bytes = std::size_t{128} << 10U;
  config.reserve_bytes = 0;
  config.cores = 1;
  config.has_mmu = has_mmu;
  // A heap's first span is a quarter of what is there at most.
  config.window_bytes = (3 + heaps) * sram_bytes;
  config.span_bytes = sram_bytes;
  // Enough for a descriptor of every page.
  constexpr std::size_t kDescriptors = (MetadataHeap::kChunksPerPage - MetadataHeap::kNoteChunks) *
                                       (MetadataHeap::kChunkBytes / sizeof(PageDescriptor));
  const std::size_t pages = sram_bytes / config::kPageBytes;
  config.metadata_bytes = (pages + kDescriptors - 1) / kDescriptors * config::kPageBytes;
  config.lp_sram_bytes = 0;
  config.l3_bytes = 0;
  return config;
}

Engine::Engine(const PlatformConfig& config, Mapping mapping)
    : config_(config), arena_memory_(kArenaBytes), arena_(arena_memory_), places_(kPlaces) {
  const bool plain = mapping == Mapping::plain;
  if (!(plain ? plain_.open(config) : simulator_.open(config))) {
    throw std::runtime_error(plain ? plain_.failure() : simulator_.failure());
  }
  port_ = std::make_unique<MeteredPort>(plain ? static_cast<Port&>(plain_) : simulator_);
  if (!pool_.boot(config_, *port_, arena_) || !space_.boot(config_, *port_, pool_, arena_) ||
      !metadata_heap_.boot(space_, kMetadataHeap, metadata_, config_.metadata_bytes, arena_)) {
    throw std::runtime_error("the tables of the engine do not fit");
  }
  descriptors_.boot(metadata_heap_);
}

ElasticHeap& Engine::open(std::size_t place, std::uint32_t retained_pages) {
  ElasticHeapOptions options;
  options.span_pages = static_cast<std::uint32_t>(config_.span_bytes / config::kPageBytes);
  options.retained_pages = retained_pages;
  Place& at = places_.at(place);
  at.account = PageAccount{};
  if (!at.heap->open(space_, descriptors_, HeapId{static_cast<std::uint8_t>(place)}, at.account,
                     options)) {
    throw std::runtime_error("no heap can be opened");
  }
  return *at.heap;
}

}  // namespace modmem::bench
