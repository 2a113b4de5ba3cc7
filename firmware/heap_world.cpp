#include "firmware/heap_world.hpp"

namespace modmem::firmware {

bool HeapWorld::boot(const PlatformConfig& config, Port& port, std::span<std::byte> arena) {
  MetadataArena place(arena);
  if (!pool_.boot(config, port, place) || !space_.boot(config, port, pool_, place) ||
      !metadata_.boot(space_, kMetadataHeap, metadata_account_, config.metadata_bytes, place)) {
    return false;
  }
  descriptors_.boot(metadata_);
  return true;
}

bool HeapWorld::check() const {
  return pool_.check() && space_.check() && metadata_.check() && descriptors_.check();
}

}  // namespace modmem::firmware
