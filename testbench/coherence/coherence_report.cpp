#include "testbench/coherence/coherence_report.hpp"

namespace modmem::testbench {

const char* to_string(CoherenceKind kind) {
  switch (kind) {
    case CoherenceKind::missing_write_back:
      return "missing write-back";
    case CoherenceKind::stale_read:
      return "stale read";
    case CoherenceKind::shared_line:
      return "shared line";
    case CoherenceKind::allocator_state:
      return "allocator state";
  }
  return "";
}

const char* advice(CoherenceKind kind) {
  switch (kind) {
    case CoherenceKind::missing_write_back:
      return "the core that wrote it calls dcache_writeback_region() before others read it, free "
             "it "
             "or end its heap, or the block is taken with SOF_MEM_FLAG_COHERENT";
    case CoherenceKind::stale_read:
      return "the core that reads it calls dcache_invalidate_region() after others wrote it, or "
             "the "
             "block is taken with SOF_MEM_FLAG_COHERENT";
    case CoherenceKind::shared_line:
      return "give each its own lines: ask for a multiple of the cache line, aligned to it, or "
             "with "
             "SOF_MEM_FLAG_COHERENT, and let one core write to a block";
    case CoherenceKind::allocator_state:
      return "no module has an address there: look for an overrun or a pointer that was calculated";
  }
  return "";
}

}  // namespace modmem::testbench
