// FrameQueue: frames of a stream on their way, first in, first out, in one piece, in a block of
// module memory.
//
// Invariant: held() + room() = capacity; what is held begins at data(), what is free at space().
// Cost: dropping moves what stays, O(bytes), all else O(1). The audio path but for begin(): no
// allocation, no lock, no exception.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <utility>

#include "base/check.hpp"
#include "module/module_memory.hpp"
#include "testbench/audio/convert.hpp"
#include "testbench/stream_format.hpp"

namespace modmem::testbench {

class FrameQueue {
 public:
  // Holds as many frames of `format` as `block` has room for from now on, `silence` silent ones so
  // far.
  void begin(const StreamFormat& format, ModuleArray<std::byte> block, std::size_t silence) {
    format_ = format;
    block_ = std::move(block);
    capacity_ = block_.size() / format.frame_bytes();
    silence_ = std::min(silence, capacity_);
    restart();
  }

  // Whether it has a block.
  explicit operator bool() const { return static_cast<bool>(block_); }

  const std::byte* data() const { return block_.data(); }
  std::size_t held() const { return held_; }
  std::byte* space() const { return block_.data() + held_ * format_.frame_bytes(); }
  std::size_t room() const { return capacity_ - held_; }

  // `frames` frames, at most room(), were written at space().
  void wrote(std::size_t frames) {
    MODMEM_ASSERT(frames <= room());
    held_ += frames;
  }
  // Forgets the oldest `frames` frames, at most held().
  void drop(std::size_t frames) {
    MODMEM_ASSERT(frames <= held_);
    held_ -= frames;
    const std::size_t step = format_.frame_bytes();
    std::memmove(block_.data(), block_.data() + frames * step, held_ * step);
  }
  // Nothing but the silence that it began with.
  void restart() {
    held_ = silence_;
    silence_frames(block_.data(), format_, silence_);
  }

 private:
  StreamFormat format_;
  ModuleArray<std::byte> block_;
  std::size_t capacity_ = 0;  // in frames, as all that follows
  std::size_t silence_ = 0;
  std::size_t held_ = 0;
};

}  // namespace modmem::testbench
