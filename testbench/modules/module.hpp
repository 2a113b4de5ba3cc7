// Module: one processing component of a pipeline, as the pipeline runs it.
//
// Life: the factory makes it in its own ModuleMemory; then init() once; then prepare(), process()
// every period, reset(), any number of times; then it is destroyed, and with it all that it took.
// init() and prepare() may allocate, only from the ModuleMemory given to them; process() may not
// allocate at all. A module handles no errors of memory beyond returning false.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "module/module_memory.hpp"
#include "testbench/stream_format.hpp"
#include "testbench/topology/topology.hpp"

namespace modmem::testbench {

// A run of frames to read: `data` holds `frames` frames of `format`. Data may be empty where an
// input has nothing to give (frames == 0).
struct InputView {
  StreamFormat format;
  const std::byte* data = nullptr;
  std::size_t frames = 0;
};

// A run of frames to write: room for `frames` frames of `format`; the module writes all of them.
struct OutputView {
  StreamFormat format;
  std::byte* data = nullptr;
  std::size_t frames = 0;
};

class Module {
 public:
  virtual ~Module() = default;

  // Reads its configuration from the widget and takes what it needs for its whole life. False
  // exactly when memory ran out. Throws InputError where the widget's configuration makes no sense.
  virtual bool init(const Widget& widget, ModuleMemory& memory) = 0;

  // Takes what it needs for these formats. False exactly when memory ran out.
  virtual bool prepare(std::span<const StreamFormat> inputs, std::span<const StreamFormat> outputs,
                       ModuleMemory& memory) = 0;

  // One period: every output gets its frames. The audio path: no allocation, no lock, no exception.
  virtual void process(std::span<const InputView> inputs, std::span<const OutputView> outputs) = 0;

  // Back to where it was before prepare(), giving back what prepare() took.
  virtual void reset(ModuleMemory& memory) = 0;
};

}  // namespace modmem::testbench
