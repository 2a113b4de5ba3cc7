// A Memory where the board wants it, with its arena behind it.
#pragma once

#include "firmware/report.hpp"
#include "memory/memory.hpp"

namespace modmem::firmware {

// Bytes that an object takes at the start of metadata_place(), with what aligns the arena.
template <typename Object>
constexpr std::size_t kRoomOf = (sizeof(Object) + MetadataArena::kAlignment - 1) /
                                MetadataArena::kAlignment* MetadataArena::kAlignment;

// Boots a Memory of the elastic policy in metadata_place(), as a check of the test that runs.
// nullptr where it does not come up. One at a time; it is never destroyed.
Memory* boot_memory(Report& report, const PlatformConfig& config, Port& port);

}  // namespace modmem::firmware
