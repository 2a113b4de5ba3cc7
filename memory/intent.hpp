// Intent: what a caller says its memory is for, as flags.
//
// The values are those of the C interface (SOF_MEM_FLAG_...); bits 0 and 1 belong to others. Which
// heap serves which flag is policy: memory/policy.hpp has a row for each.
#pragma once

#include <cstdint>

namespace modmem {

using Flags = std::uint32_t;

namespace flag {
inline constexpr Flags kDma = 1U << 2;           // starts at the platform's DMA alignment
inline constexpr Flags kNoCopy = 1U << 3;        // reallocate() need not keep the content
inline constexpr Flags kCoherent = 1U << 4;      // reached through the uncached alias
inline constexpr Flags kL3 = 1U << 5;            // from L3 memory
inline constexpr Flags kLowPower = 1U << 6;      // low-power SRAM where there is some
inline constexpr Flags kKernel = 1U << 7;        // never where a module can write
inline constexpr Flags kUser = 1U << 8;          // module memory
inline constexpr Flags kShared = 1U << 9;        // between kernel and user space
inline constexpr Flags kLargeBuffer = 1U << 10;  // what rballoc() implies

inline constexpr Flags kAll = 0x7fcU;  // every flag that a policy has a row for

// The caller probes: where the request fails, that is counted but not explained to the observer.
inline constexpr Flags kSilent = 1U << 31;
// Only a free() that names the block's owner ends it, and nothing resizes it: for what the library
// holds on behalf of others, who know its address.
inline constexpr Flags kKept = 1U << 30;
}  // namespace flag

}  // namespace modmem
