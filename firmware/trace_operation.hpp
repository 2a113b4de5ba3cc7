// TraceOperation: one step of the recording that images play.
#pragma once

#include <cstddef>
#include <cstdint>

namespace modmem::firmware {

struct TraceOperation {
  std::uint16_t place;      // where the block is remembered
  std::uint16_t alignment;  // bytes
  std::uint32_t bytes;      // 0: free
};

}  // namespace modmem::firmware
