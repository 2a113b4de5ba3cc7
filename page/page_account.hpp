// PageAccount: what one owner of frames holds, may hold, and is sure to get.
//
// Invariants: held <= limit; peak >= held; peak <= limit. All in frames.
#pragma once

#include <cstdint>

#include "port/port.hpp"

namespace modmem {

struct PageAccount {
  static constexpr std::uint32_t kNoLimit = UINT32_MAX;

  std::uint32_t guarantee = 0;     // frames that nobody else may take; set through PagePool
  std::uint32_t limit = kNoLimit;  // frames that it may hold at most
  std::uint32_t held = 0;          // frames that it holds now
  std::uint32_t peak = 0;          // most frames that it ever held
  Access access = Access::open;    // to its pages, see AddressSpace::set_access()
  std::uint64_t frame_us = 0;      // frames held times microseconds, up to `since`
  std::uint64_t since = 0;         // see PagePool::frame_us()

  // The part of the guarantee that is not used yet.
  constexpr std::uint32_t unused_guarantee() const {
    return guarantee > held ? guarantee - held : 0;
  }
};

}  // namespace modmem
