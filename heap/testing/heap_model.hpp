// HeapModel: drives one heap and holds it to the contract of heap/heap.hpp, against a plain model.
//
// The model is a map of intervals: what is live, how much was asked for, what was written there.
// Each call goes to the heap and to the model, and whatever the contract says about the outcome is
// checked at once; the payload is filled with a pattern of the block's own and looked at when the
// block ends, so that an overlap, or two pages over one frame, is found. A broken contract is
// thrown as ContractBroken.
//
// Cost: O(log blocks) and the bytes of the block (long blocks: 64 bytes at both ends of each page).
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/bits.hpp"
#include "heap/heap.hpp"
#include "modmem/config.hpp"

namespace modmem {

struct ContractBroken : std::runtime_error {
  using std::runtime_error::runtime_error;
};

class HeapModel {
 public:
  struct Block {
    std::byte* pointer = nullptr;
    std::size_t asked = 0;
    std::size_t usable = 0;
    std::size_t alignment = 0;
    std::byte pattern{};
  };

  explicit HeapModel(Heap& heap) : heap_(heap) {}

  std::size_t size() const { return blocks_.size(); }
  const Block& operator[](std::size_t index) const { return blocks_[index]; }
  std::size_t occupied_bytes() const { return occupied_; }

  // Allocates and checks what came. Returns whether there was a block.
  bool allocate(std::size_t bytes, std::size_t alignment) {
    return add(heap_.allocate(bytes, alignment), bytes, alignment);
  }

  // allocate_range(), whose outcome is checked against largest_request() of before.
  bool allocate_range(std::size_t minimum, std::size_t preferred, std::size_t alignment,
                      std::size_t step, std::uint32_t keep) {
    const std::size_t all = heap_.largest_request(alignment);
    const std::size_t kept = heap_.largest_request(alignment, keep);
    require(kept <= all, "a kept frame made the largest request larger");
    const Range range = heap_.allocate_range(minimum, preferred, alignment, step, keep);
    require((range.pointer != nullptr) == (minimum <= all), "allocate_range() and the minimum", all,
            minimum);
    if (range.pointer == nullptr) {
      require(range.bytes == 0, "a failed range has bytes");
      return false;
    }
    const std::size_t most = std::min(kept, preferred);
    const std::size_t wanted = most > minimum ? minimum + (most - minimum) / step * step : minimum;
    require(range.bytes == wanted, "size of the range", range.bytes, wanted);
    return add(range.pointer, range.bytes, alignment);
  }

  // Ends block `index` after a look at its payload.
  void free(std::size_t index) {
    const Block block = blocks_[index];
    verify(block);
    require(heap_.free(block.pointer) == PointerStatus::live, "free() of a live block");
    require(heap_.status(block.pointer) != PointerStatus::live, "status() of a freed block");
    forget(index);
  }

  // Frees what was freed before: nothing may change.
  void free_twice(std::size_t index) {
    std::byte* pointer = blocks_[index].pointer;
    free(index);
    const PointerStatus again = heap_.free(pointer);
    require(again == PointerStatus::not_live || again == PointerStatus::foreign,
            "second free() of a block");
  }

  // Tries every function that takes a pointer on one that is no block's start.
  void misuse(std::size_t index, std::size_t offset) {
    const Block& block = blocks_[index];
    std::byte* inside = block.pointer + 1 + offset % (block.usable - 1);
    require(heap_.status(inside) == PointerStatus::interior, "status() inside of a block");
    require(heap_.free(inside) == PointerStatus::interior, "free() inside of a block");
    require(heap_.usable_size(inside) == 0, "usable_size() inside of a block");
    require(!heap_.resize(inside, 1), "resize() inside of a block");
  }

  // Returns whether the block has the new size.
  bool resize(std::size_t index, std::size_t bytes) {
    Block& block = blocks_[index];
    verify(block);
    const bool done = heap_.resize(block.pointer, bytes);
    const std::size_t usable = heap_.usable_size(block.pointer);
    require(heap_.status(block.pointer) == PointerStatus::live, "status() after resize()");
    require(done || bytes > block.usable, "shrinking failed");
    if (!done) {
      require(usable == block.usable, "a failed resize() changed the size", usable, block.usable);
      verify(block);
      return false;
    }
    require(usable >= bytes, "usable_size() after resize()", usable, bytes);
    verify(block, bytes);
    occupied_ += usable - block.usable;
    block.usable = usable;
    block.asked = bytes;
    check_neighbours(block);
    fill(block);
    return true;
  }

  // Ends everything at once.
  void release_all() {
    for (const Block& block : blocks_) {
      verify(block);
    }
    heap_.release_all();
    blocks_.clear();
    by_address_.clear();
    occupied_ = 0;
  }

  void free_all() {
    while (size() != 0) {
      free(size() - 1);
    }
  }

  void verify_all() const {
    for (const Block& block : blocks_) {
      verify(block);
      require(heap_.status(block.pointer) == PointerStatus::live, "status() of a live block");
      require(heap_.usable_size(block.pointer) == block.usable, "usable_size() of a live block");
    }
  }

  // The cheap invariants.
  void check_cheap() const {
    const HeapStats stats = heap_.stats();
    require(heap_.check(CheckDepth::cheap), "cheap check");
    require(stats.live_blocks == size(), "live blocks", stats.live_blocks, size());
    require(stats.occupied_bytes == occupied_, "occupied bytes", stats.occupied_bytes, occupied_);
  }

  template <typename... Number>
  static void require(bool holds, const char* what, Number... numbers) {
    if (!holds) {
      std::ostringstream text;
      text << what;
      ((text << ' ' << numbers), ...);
      throw ContractBroken(text.str());
    }
  }

 private:
  static constexpr std::size_t kEdge = 64;

  bool add(void* pointer, std::size_t bytes, std::size_t alignment) {
    if (pointer == nullptr) {
      return false;
    }
    Block block{static_cast<std::byte*>(pointer), bytes, heap_.usable_size(pointer), alignment,
                std::byte{static_cast<unsigned char>(++count_ * 37)}};
    require(reinterpret_cast<std::uintptr_t>(pointer) % alignment == 0, "alignment", alignment);
    require(block.usable >= bytes, "usable_size() of a new block", block.usable, bytes);
    require(heap_.status(pointer) == PointerStatus::live, "status() of a new block");
    const bool unused = by_address_.emplace(block.pointer, blocks_.size()).second;
    require(unused, "a block at a live block's address");
    check_neighbours(block);
    blocks_.push_back(block);
    occupied_ += block.usable;
    fill(block);
    return true;
  }

  void forget(std::size_t index) {
    occupied_ -= blocks_[index].usable;
    by_address_.erase(blocks_[index].pointer);
    if (index + 1 != blocks_.size()) {
      blocks_[index] = blocks_.back();
      by_address_[blocks_[index].pointer] = index;
    }
    blocks_.pop_back();
  }

  void check_neighbours(const Block& block) const {
    const auto self = by_address_.find(block.pointer);
    if (self != by_address_.begin()) {
      const Block& before = blocks_[std::prev(self)->second];
      require(before.pointer + before.usable <= block.pointer, "a block overlaps the one before");
    }
    const auto next = std::next(self);
    require(next == by_address_.end() || block.pointer + block.usable <= next->first,
            "a block overlaps the one behind");
  }

  // Calls visit(first, bytes) for the parts of a block that hold the pattern.
  template <typename Visit>
  static void for_parts(std::byte* first, std::size_t bytes, Visit visit) {
    if (bytes <= 2 * config::kPageBytes) {
      visit(first, bytes);
      return;
    }
    for (std::size_t at = 0; at < bytes; at += config::kPageBytes) {
      const std::size_t left = std::min(bytes - at, config::kPageBytes);
      visit(first + at, std::min(left, kEdge));
      visit(first + at + left - std::min(left, kEdge), std::min(left, kEdge));
    }
  }

  // Resized blocks are filled anew: which parts a long block has depends on its length.
  static void fill(const Block& block) {
    const int value = std::to_integer<int>(block.pattern);
    for_parts(block.pointer, block.asked,
              [value](std::byte* first, std::size_t bytes) { std::memset(first, value, bytes); });
  }

  // Looks at what was written, as far as it lies in the block's first `limit` bytes.
  static void verify(const Block& block, std::size_t limit = SIZE_MAX) {
    const auto visit = [&block, limit](const std::byte* first, std::size_t bytes) {
      const auto offset = static_cast<std::size_t>(first - block.pointer);
      if (offset < limit) {
        const std::size_t rest = std::min(bytes, limit - offset) - 1;
        require(*first == block.pattern && std::memcmp(first, first + 1, rest) == 0,
                "the content of a live block changed");
      }
    };
    for_parts(block.pointer, block.asked, visit);
  }

  Heap& heap_;
  std::vector<Block> blocks_;
  std::map<std::byte*, std::size_t> by_address_;
  std::size_t occupied_ = 0;
  std::size_t count_ = 0;
};

}  // namespace modmem
