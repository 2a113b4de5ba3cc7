// StreamBuffer: the memory between two modules, an account on the pipeline of the one that fills
// it.
//
// There is one for every edge of the graph, whether it has memory now (is bound) or not, so that a
// module may refer to it for good: binding an edge changes nothing in the modules at its ends. It
// is live while both of its ends run; otherwise nothing goes in and nothing comes out.
//
// A plain buffer holds one period's frames at a time: its source fills it and its sink reads it
// within the same period. A decoupled one is a queue, in memory that both of its ends reach where
// they run on different cores; what its ends did in a period takes effect when both are done with
// it, at settle():
//
//   frames after settle() = frames before + written - taken
//
// Until then the source has the space behind them and the sink the frames themselves, so that the
// two never touch the same bytes. Cost: settle() O(frames that stay).
#pragma once

#include <cstddef>

#include "module/module_memory.hpp"
#include "testbench/fence.hpp"
#include "testbench/stream_graph.hpp"

namespace modmem::testbench {

class StreamBuffer {
 public:
  // `edge` must outlive it. Takes nothing yet.
  explicit StreamBuffer(const StreamEdge& edge) : edge_(edge) {}

  // Opens the account and takes the memory. False exactly when memory ran out; close() is due all
  // the same. Requires that it is closed.
  // `fence`, where there is one, must outlive it: then the memory is in a domain of its own.
  bool open(Memory& memory, Owner& pipeline, Fence* fence = nullptr);
  // That domain; nullptr where there is none.
  Owner* domain() const { return domain_; }
  // What open() asks for its memory.
  Flags flags() const;
  // Gives all back. Does nothing where closed.
  void close();
  // Between open() and close().
  bool bound() const { return bound_; }

  // Starts or stops the flow. What was in it is gone where that changes. Live only where bound.
  void set_live(bool live);
  bool live() const { return live_; }

  const StreamEdge& edge() const { return edge_; }
  const StreamFormat& format() const { return edge_.format; }

  // --- the audio path, for the core of the source ---

  // Where the source writes, and how many frames at most: 0 where it is not live.
  std::byte* space() const;
  std::size_t room() const;
  // The source wrote `frames`, at most room(). `own_pace`: their number does not follow from the
  // rate.
  void wrote(std::size_t frames, bool own_pace);

  // --- the audio path, for the core of the sink ---

  // What the sink reads: 0 frames where it is not live.
  const std::byte* data() const { return data_.data(); }
  std::size_t frames() const { return frames_; }
  // Whether its frames come at a pace of their own, ever since they first did so.
  bool own_pace() const { return own_pace_; }
  // The sink has read the first `frames` of them, once a period.
  void took(std::size_t frames) { taken_ = frames; }

  // --- between periods ---

  // Makes what was done in the period take effect. For decoupled buffers; after both ends.
  void settle();

 private:
  std::size_t frame_bytes() const { return edge_.format.frame_bytes(); }
  // Does what reaches its memory.
  template <typename Step>
  void within(const Step& step) const {
    if (domain_ == nullptr) {
      step();
    } else {
      fence_->run(*domain_, step);
    }
  }

  const StreamEdge& edge_;
  Fence* fence_ = nullptr;
  Owner* domain_ = nullptr;
  ModuleMemory memory_;
  ModuleArray<std::byte> data_;
  bool bound_ = false;
  bool live_ = false;
  bool own_pace_ = false;
  std::size_t frames_ = 0;
  // Of this period, and where decoupled: each is touched by one end only.
  std::size_t taken_ = 0;
  std::size_t written_ = 0;
  bool wrote_own_pace_ = false;
};

}  // namespace modmem::testbench
