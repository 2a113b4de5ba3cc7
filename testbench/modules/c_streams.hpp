// CStreams: the streams of a loaded module, as its process() sees them.
//
// Without blocks, process() gets the buffers of the pipeline themselves. Where a stream has a
// block, there is a queue for each in the component's memory, room for a block and a period more
// than what an output's begins with: a block of silence. Where input and output have one rate and
// block,
//
//   frames out = block of silence + frames consumed, and frames consumed > frames in - block
//
// so that there is always something to give. An input that brings no frames in a period is not
// connected: what is queued of it is forgotten. The queue of an output that gets none begins anew.
//
// Cost: without blocks none but the call; with them each frame is copied twice, and moved once a
// call.
#pragma once

#include <modmem/module_interface.h>

#include <span>

#include "module/module_memory.hpp"
#include "testbench/modules/frame_queue.hpp"
#include "testbench/modules/module.hpp"

namespace modmem::testbench {

class CStreams {
 public:
  // Describes streams of these formats. False exactly when memory ran out.
  bool begin(std::span<const StreamFormat> inputs, std::span<const StreamFormat> outputs,
             ModuleMemory& memory);
  // Takes queues where there are blocks. False exactly when memory ran out. Requires begin().
  bool take_queues(ModuleMemory& memory);
  // Gives everything back.
  void end();

  std::span<modmem_source> sources() const { return {sources_.data(), sources_.size()}; }
  std::span<modmem_sink> sinks() const { return {sinks_.data(), sinks_.size()}; }

  // A period: has `module` process what `inputs` bring, and fills `outputs`, with silence where it
  // produced too little. Errors are added to `errors`; that a module says that it used more than
  // there was is one. Returns false where an output that is fed was not filled, or an input not
  // taken. The audio path: no allocation, no lock, no exception.
  bool process(const modmem_module_interface& module, processing_module* instance,
               std::span<const InputView> inputs, std::span<const OutputView> outputs,
               ProcessErrors& errors);

 private:
  // A stream's queue, and the frames of this period that went through its outer end.
  struct Queue {
    FrameQueue frames;
    std::size_t passed = 0;
  };

  bool process_directly(const modmem_module_interface& module, processing_module* instance,
                        std::span<const InputView> inputs, std::span<const OutputView> outputs,
                        ProcessErrors& errors);
  bool call(const modmem_module_interface& module, processing_module* instance,
            ProcessErrors& errors);
  void start_period(std::span<const InputView> inputs, std::span<const OutputView> outputs);
  bool fill(std::span<const InputView> inputs);
  bool ready(std::span<const InputView> inputs) const;
  void offer(std::span<const InputView> inputs);
  bool note_used(std::span<const OutputView> outputs);
  bool drain(std::span<const OutputView> outputs);
  bool finish_period(std::span<const InputView> inputs, std::span<const OutputView> outputs);

  ModuleArray<modmem_source> sources_;
  ModuleArray<modmem_sink> sinks_;
  ModuleArray<Queue> source_queues_;
  ModuleArray<Queue> sink_queues_;
  bool queued_ = false;
};

}  // namespace modmem::testbench
