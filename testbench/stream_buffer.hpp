// StreamBuffer: the memory between two modules, an account on the pipeline of the one that fills
// it.
//
// There is one for every edge of the graph, whether it has memory now (is bound) or not, so that a
// module may refer to it for good: binding an edge changes nothing in the modules at its ends. It
// is live while both of its ends run; otherwise nothing goes in and nothing comes out.
//
// A buffer holds one period's frames at a time: its source fills it and its sink reads it within
// the same period.
#pragma once

#include <cstddef>

#include "module/module_memory.hpp"
#include "testbench/stream_graph.hpp"

namespace modmem::testbench {

class StreamBuffer {
 public:
  // `edge` must outlive it. Takes nothing yet.
  explicit StreamBuffer(const StreamEdge& edge) : edge_(edge) {}

  // Opens the account and takes the memory. False exactly when memory ran out; close() is due all
  // the same. Requires that it is closed.
  bool open(Memory& memory, Owner& pipeline);
  // Gives all back. Does nothing where closed.
  void close();
  // Between open() and close().
  bool bound() const { return bound_; }

  // Starts or stops the flow. What was in it is gone where that changes. Live only where bound.
  void set_live(bool live);
  bool live() const { return live_; }

  const StreamFormat& format() const { return edge_.format; }

  // --- the audio path ---

  // Where the source writes, and how many frames at most: 0 where it is not live.
  std::byte* space() const { return data_.data(); }
  std::size_t room() const { return live_ ? edge_.room : 0; }
  // The source wrote `frames`. `own_pace`: their number does not follow from the rate.
  void wrote(std::size_t frames, bool own_pace);

  // What the sink reads: 0 frames where it is not live.
  const std::byte* data() const { return data_.data(); }
  std::size_t frames() const { return frames_; }
  // Whether its frames come at a pace of their own, ever since they first did so.
  bool own_pace() const { return own_pace_; }

 private:
  const StreamEdge& edge_;
  ModuleMemory memory_;
  ModuleArray<std::byte> data_;
  bool bound_ = false;
  bool live_ = false;
  bool own_pace_ = false;
  std::size_t frames_ = 0;
};

}  // namespace modmem::testbench
