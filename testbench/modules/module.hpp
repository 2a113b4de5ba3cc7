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

// Calls of process() that failed, of a module that can say so.
struct ProcessErrors {
  std::uint64_t count = 0;
  int first = 0;  // a negative errno value
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

  // One period: every output gets its frames. Where an output is not connected now, it has none
  // (frames == 0), and an input that is not connected gives none. The audio path: no allocation, no
  // lock, no exception.
  virtual void process(std::span<const InputView> inputs, std::span<const OutputView> outputs) = 0;

  // Back to where it was before prepare(), giving back what prepare() took.
  virtual void reset(ModuleMemory& memory) = 0;

  // Before the end of a module that must not work any more: gives back what others know of it.
  virtual void abandon() {}

  // --- what a driver tells it; between periods, off the audio path ---

  // Takes new values of one of its widget's controls: one for each channel of a volume or switch,
  // or one for all; one item number of an enumeration. False where it has no such control, or not
  // these values; nothing changed then. May allocate from `memory`.
  virtual bool set_control(const Control& control, std::span<const std::int64_t> values,
                           ModuleMemory& memory);
  // Takes a new blob of configuration, without the header that a topology has before it. False
  // exactly when memory ran out, with the old one still in force. Throws InputError where the blob
  // makes no sense or it takes none.
  virtual bool set_blob(std::span<const std::byte> blob, ModuleMemory& memory);
  // The same, for who can tell the widget's controls apart.
  virtual bool set_control_blob(const Control& control, std::span<const std::byte> blob,
                                ModuleMemory& memory);
  // Starts what waits for a trigger: a key-phrase buffer drains. False where nothing does.
  virtual bool trigger();

  // --- what became of the last process() ---

  // Whether it took what came in and filled what was to go out, where anything came in.
  virtual bool kept_up() const { return true; }
  // Of all calls.
  virtual ProcessErrors errors() const { return {}; }

  // --- the pace of a stream that is not a period's worth every period; valid once prepared ---

  // Frames that output number `output` gets this period, asked before process(): `due` is what its
  // rate gives, `room` what the buffer behind it takes at most. At most `room`.
  virtual std::size_t output_frames(std::size_t output, std::size_t due, std::size_t room) const;
  // Frames that a source endpoint takes from its file before the next process(), and the most that
  // it ever takes at a time: a deep buffer is filled in bursts.
  virtual std::size_t host_frames(std::size_t due) const;
  virtual std::size_t most_host_frames(std::size_t due) const;
};

}  // namespace modmem::testbench
