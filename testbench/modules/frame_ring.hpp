// FrameRing: the latest frames of a stream, first in, first out, in a block of module memory.
//
// Invariants: held() <= capacity(); frame i of what is held lies at (at + i) mod capacity. A run of
// frames is at most two pieces in memory: to the end of the block, and on from its start. Audio is
// kept as it came, byte for byte.
// Cost: no memory but the block; writing and reading O(bytes), all else O(1). The audio path but
// for begin() and end(): no allocation, no lock, no exception.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <span>
#include <utility>

#include "base/check.hpp"
#include "module/module_memory.hpp"
#include "testbench/modules/module.hpp"

namespace modmem::testbench {

class FrameRing {
 public:
  // Holds frames of `format` in `block` from now on, none so far; what does not make a whole frame
  // at the end of the block stays unused.
  void begin(const StreamFormat& format, ModuleArray<std::byte> block) {
    format_ = format;
    block_ = std::move(block);
    capacity_ = block_.size() / format.frame_bytes();
    at_ = 0;
    held_ = 0;
  }
  // Gives the block back.
  void end() {
    block_.reset();
    capacity_ = 0;
    held_ = 0;
  }

  // Whether it has a block.
  explicit operator bool() const { return static_cast<bool>(block_); }
  std::span<const std::byte> block() const { return {block_.data(), block_.size()}; }
  // In frames.
  std::size_t capacity() const { return capacity_; }
  std::size_t held() const { return held_; }
  std::size_t room() const { return capacity_ - held_; }

  // Takes `frames` frames at `data` behind those that it holds. Requires frames <= room().
  void write(const std::byte* data, std::size_t frames) {
    MODMEM_ASSERT(frames <= room());
    const std::size_t step = format_.frame_bytes();
    for_each_piece(held_, frames, [&](std::byte* place, std::size_t first, std::size_t count) {
      std::memcpy(place, data + first * step, count * step);
    });
    held_ += frames;
  }

  // Calls visit(piece, first) for the pieces of the oldest `frames` frames; `first` is the number
  // of a piece's first frame among them. Requires frames <= held().
  template <typename Visit>
  void read(std::size_t frames, Visit&& visit) const {
    MODMEM_ASSERT(frames <= held_);
    for_each_piece(0, frames, [&](const std::byte* place, std::size_t first, std::size_t count) {
      visit(InputView{format_, place, count}, first);
    });
  }

  // Forgets the oldest `frames` frames. Requires frames <= held().
  void drop(std::size_t frames) {
    MODMEM_ASSERT(frames <= held_);
    held_ -= frames;
    at_ += frames;
    at_ -= at_ >= capacity_ ? capacity_ : 0;
  }

 private:
  // Calls visit(place, first, count) for the pieces of `frames` frames, `skipped` frames behind the
  // oldest. Requires skipped + frames <= capacity.
  template <typename Visit>
  void for_each_piece(std::size_t skipped, std::size_t frames, Visit&& visit) const {
    for (std::size_t done = 0; done < frames;) {
      const std::size_t place = (at_ + skipped + done) % capacity_;
      const std::size_t count = std::min(frames - done, capacity_ - place);
      visit(block_.data() + place * format_.frame_bytes(), done, count);
      done += count;
    }
  }

  StreamFormat format_;
  ModuleArray<std::byte> block_;
  std::size_t capacity_ = 0;
  std::size_t at_ = 0;  // where the oldest frame lies
  std::size_t held_ = 0;
};

}  // namespace modmem::testbench
