#include "firmware/booted_memory.hpp"

#include <new>

#include "firmware/board.hpp"

namespace modmem::firmware {

Memory* boot_memory(Report& report, const PlatformConfig& config, Port& port) {
  const std::span<std::byte> place = metadata_place();
  auto* memory = new (place.data()) Memory;
  const bool booted = MODMEM_CHECK(
      report, memory->boot(config, kElasticPolicy, port, nullptr, place.subspan(kRoomOf<Memory>)));
  return booted ? memory : nullptr;
}

}  // namespace modmem::firmware
