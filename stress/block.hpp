// Blocks of a stress run, and what lies in them.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>

#include "memory/owner.hpp"

namespace modmem::stress {

// An owner that one thread created and will end, and how many of its blocks other threads have.
struct Tenant {
  Owner* owner = nullptr;
  std::atomic<std::uint32_t> abroad = 0;
};

// A live block. Its content is its stamp, over and over: no two blocks of a run have the same.
struct Block {
  unsigned char* start = nullptr;
  std::size_t bytes = 0;
  std::uint64_t stamp = 0;
  Tenant* tenant = nullptr;
  bool is_guest = false;  // with another thread than the tenant's
  bool is_l3 = false;     // which is the primary core's

  void fill(std::size_t from = 0) const {
    for (std::size_t at = from; at < bytes; ++at) {
      start[at] = byte_of(at);
    }
  }
  bool holds(std::size_t up_to) const {
    std::size_t at = 0;
    for (; at + sizeof(stamp) <= up_to; at += sizeof(stamp)) {
      if (std::memcmp(start + at, &stamp, sizeof(stamp)) != 0) {
        return false;
      }
    }
    for (; at < up_to; ++at) {
      if (start[at] != byte_of(at)) {
        return false;
      }
    }
    return true;
  }
  bool is_intact() const { return holds(bytes); }

 private:
  unsigned char byte_of(std::size_t at) const {
    unsigned char bytes_of_stamp[sizeof(stamp)];
    std::memcpy(bytes_of_stamp, &stamp, sizeof(stamp));
    return bytes_of_stamp[at % sizeof(stamp)];
  }
};

// Blocks on their way to one thread.
class Mailbox {
 public:
  void put(const Block& block) {
    const std::lock_guard guard(mutex_);
    blocks_.push_back(block);
  }
  std::optional<Block> take() {
    const std::lock_guard guard(mutex_);
    if (blocks_.empty()) {
      return std::nullopt;
    }
    const Block block = blocks_.front();
    blocks_.pop_front();
    return block;
  }
  // While no other thread runs.
  template <typename Visit>
  void for_each(Visit visit) const {
    for (const Block& block : blocks_) {
      visit(block);
    }
  }

 private:
  std::mutex mutex_;
  std::deque<Block> blocks_;
};

}  // namespace modmem::stress
