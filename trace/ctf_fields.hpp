// Where the fields of events stand in CtfEvent::fields: their order in the metadata
// (ctf_metadata.cpp).
#pragma once

#include <cstddef>
#include <cstdint>

#include "record/event.hpp"

namespace modmem::trace::field {

// allocate, resize, range. What is behind: of resize the block before, of range the sizes.
inline constexpr std::size_t kAlignment = 0;
inline constexpr std::size_t kOwner = 1;
inline constexpr std::size_t kSite = 2;
inline constexpr std::size_t kPlace = 3;
inline constexpr std::size_t kBytes = 4;
inline constexpr std::size_t kIntent = 5;
inline constexpr std::size_t kMemory = 6;
inline constexpr std::size_t kOldPlace = 7;
inline constexpr std::size_t kOldMemory = 10;
inline constexpr std::size_t kLeast = 7;
inline constexpr std::size_t kPreferred = 8;
inline constexpr std::size_t kStep = 9;

// free
inline constexpr std::size_t kFreePlace = 1;
inline constexpr std::size_t kFreeMemory = 4;

// owner_begin, plan_entry
inline constexpr std::size_t kKind = 0;
inline constexpr std::size_t kHandle = 1;
inline constexpr std::size_t kParent = 2;
inline constexpr std::size_t kId = 3;
inline constexpr std::size_t kCore = 4;
inline constexpr std::size_t kHeapKind = 5;
inline constexpr std::size_t kGrows = 6;
inline constexpr std::size_t kContiguous = 7;
inline constexpr std::size_t kCreated = 8;
inline constexpr std::size_t kLimit = 9;
inline constexpr std::size_t kGuarantee = 10;
inline constexpr std::size_t kHeapBytes = 11;
inline constexpr std::size_t kFrameLimit = 12;
inline constexpr std::size_t kRetainedPages = 13;
inline constexpr std::size_t kRetainedUs = 14;
inline constexpr std::size_t kAccounts = 15;
inline constexpr std::size_t kHeaps = 16;

// owner_limit
inline constexpr std::size_t kInFrames = 0;
inline constexpr std::size_t kLimited = 1;
inline constexpr std::size_t kNewLimit = 2;

// owner_end
inline constexpr std::size_t kHow = 0;
inline constexpr std::size_t kEnded = 1;

// upkeep
inline constexpr std::size_t kWhat = 0;
inline constexpr std::size_t kUpkeepOwner = 1;
inline constexpr std::size_t kFlag = 2;
inline constexpr std::size_t kFirst = 3;
inline constexpr std::size_t kSecond = 4;

// pipeline
inline constexpr std::size_t kPipeline = 0;
inline constexpr std::size_t kState = 1;

// owner_name, site_name; anchor
inline constexpr std::size_t kNumber = 0;
inline constexpr std::size_t kLine = 1;

// plan_need
inline constexpr std::size_t kNeedAlignment = 0;
inline constexpr std::size_t kApart = 1;
inline constexpr std::size_t kNeedBytes = 2;
inline constexpr std::size_t kNeedLargest = 3;
inline constexpr std::size_t kNeedBlocks = 4;
inline constexpr std::size_t kNeedFlags = 5;

// plan_end
inline constexpr std::size_t kAdmitted = 0;

// bundle
inline constexpr std::size_t kSlots = 0;
inline constexpr std::size_t kSlotBytes = 1;

// What names a block: its memory and its place.
constexpr std::uint64_t key_of(std::uint64_t memory, std::uint64_t place) {
  return memory << event::kPlaceBits | place;
}

}  // namespace modmem::trace::field
