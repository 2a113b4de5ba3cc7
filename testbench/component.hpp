// Component: one module instance at work, and StreamBuffer: the memory between two of them.
//
// Both are accounts on their pipeline's heap: the module's objects and its tables of views lie in
// the component's ModuleMemory, the samples in the buffer's. A buffer holds one period's frames at
// a time: its source fills it and its sinks read it within the same period.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "module/module_memory.hpp"
#include "testbench/modules/module.hpp"
#include "testbench/stream_graph.hpp"

namespace modmem::testbench {

class StreamBuffer {
 public:
  // Opens the account and takes the memory. False exactly when memory ran out.
  bool open(Memory& memory, Owner& pipeline, const StreamEdge& edge);
  void close();

  std::byte* data() const { return data_.data(); }
  // Frames that lie in it now.
  std::size_t frames() const { return frames_; }
  void set_frames(std::size_t frames) { frames_ = frames; }
  const StreamFormat& format() const { return edge_->format; }

 private:
  const StreamEdge* edge_ = nullptr;
  ModuleMemory memory_;
  ModuleArray<std::byte> data_;
  std::size_t frames_ = 0;
};

// Where an endpoint's samples come from or go to: host memory, filled and drained off the audio
// path.
struct FilePort {
  StreamFormat format;
  std::byte* data = nullptr;  // a period at most
  std::size_t frames = 0;     // of this period
};

class Component {
 public:
  // Opens the account, makes the module and lets it initialise. False exactly when memory ran out;
  // what was taken stays until close(). Throws InputError where the widget makes no sense.
  bool open(Memory& memory, Owner& pipeline, const StreamNode& node);
  // Destroys the module and ends the account; what is left then is a leak.
  void close();

  // Takes the tables for these inputs and outputs (the file's port is one of them where the node is
  // an endpoint) and prepares the module. False exactly when memory ran out.
  bool prepare(const std::vector<StreamBuffer*>& inputs, const std::vector<StreamBuffer*>& outputs,
               FilePort* file);
  void reset();

  // One period. The audio path. Returns false where an input had fewer frames than the period has.
  bool process(std::uint64_t period);

  const StreamNode& node() const { return *node_; }
  const Owner* account() const { return memory_.owner(); }

 private:
  const StreamNode* node_ = nullptr;
  ModuleMemory memory_;
  ModuleHandle<Module> module_;
  ModuleArray<StreamBuffer*> inputs_;
  ModuleArray<StreamBuffer*> outputs_;
  ModuleArray<InputView> input_views_;
  ModuleArray<OutputView> output_views_;
  FilePort* file_ = nullptr;
  bool prepared_ = false;
};

}  // namespace modmem::testbench
