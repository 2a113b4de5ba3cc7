// Component: one module instance at work.
//
// It is an account on its pipeline's heap: the module's objects and its tables of views lie in its
// ModuleMemory. It has a place for every edge that its node has in the graph; an edge that is not
// live has no frames, as an input and as an output.
//
// How many frames an output gets is what its rate makes of a period, or what the module says that
// keeps a pace of its own. Where an input comes at its own pace, so does what is made of it: as
// many frames go out as came in.
//
// A task, a module of the data-processing domain, has a stack of its own, which is charged to it.
// The simulator only holds that memory: modules run on the stack of their core's thread, as their
// host code is not what would run on the target.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "testbench/fence.hpp"
#include "testbench/modules/loaded_modules.hpp"
#include "testbench/modules/module.hpp"
#include "testbench/stream_buffer.hpp"

namespace modmem::testbench {

// Where an endpoint's samples come from or go to: host memory, filled and drained off the audio
// path.
struct FilePort {
  StreamFormat format;
  std::byte* data = nullptr;
  std::size_t capacity = 0;  // in frames: the most that a period takes or gives
  std::size_t frames = 0;    // of this period
};

// Makes modules that take the place of those that nodes ask for, and lie in host memory: for plans.
class StandIns {
 public:
  virtual std::unique_ptr<Module> make(const StreamNode& node) const = 0;

 protected:
  ~StandIns() = default;
};

class Component {
 public:
  // Opens the account, makes the module, a stand-in where there are `stand_ins`, else a loaded one
  // where `loaded` has its UUID, and lets it initialise. False exactly when memory ran out; what
  // was taken stays until close(). Throws InputError where the widget makes no sense. Requires that
  // it is closed. `loaded` must outlive it, and `fence`, where there is one: then all that the
  // module takes is in a domain, and it is called in there.
  bool open(Memory& memory, Owner& pipeline, const StreamNode& node, const LoadedModules& loaded,
            const StandIns* stand_ins = nullptr, Fence* fence = nullptr);
  // Destroys the module and ends the account; what is left then is a leak. Does nothing where
  // closed.
  void close();
  // Bytes of the stack that the node's task is given.
  static std::uint32_t stack_bytes(const StreamNode& node);
  // Its domain; nullptr where it has none.
  Owner* domain() const { return domain_; }
  // Whether it is to be removed, as its module reached for what is not its own, which the fence has
  // noted: the module is not called any more, nothing comes in or goes out, and all functions do as
  // where everything is in order.
  bool strayed() const { return strayed_; }

  // Between open() and close(), whatever open() returned.
  bool exists() const { return node_ != nullptr; }

  // Takes the tables for these inputs and outputs (the file's port is one of them where the node is
  // an endpoint) and prepares the module. False exactly when memory ran out; what was taken stays
  // until reset().
  bool prepare(const std::vector<StreamBuffer*>& inputs, const std::vector<StreamBuffer*>& outputs,
               FilePort* file);
  // Gives back what prepare() took. Does nothing where it took nothing.
  void reset();
  // Whether the module is prepared.
  bool prepared() const { return prepared_; }

  // Whether there is enough to read and room to write for a task to run in this period. The audio
  // path.
  bool ready(std::uint64_t period);
  // One period, or one chunk of a task that is ready. The audio path. Returns false where a live
  // input that keeps the common pace had not the frames that are due, or the module did not keep
  // up.
  bool process(std::uint64_t period);

  // What the file of a source endpoint is to give before the next period, and at most ever. Valid
  // once prepared.
  std::size_t host_frames(std::uint64_t period);
  std::size_t most_host_frames();

  // What the module is told: see Module. While it exists and open() returned true.
  bool set_control(const Control& control, std::span<const std::int64_t> values);
  bool set_control_blob(const Control& control, std::span<const std::byte> blob);
  bool trigger();
  // Of all calls of process(); none where open() did not come so far.
  ProcessErrors errors() const;

  const StreamNode& node() const { return *node_; }
  const Owner* account() const { return memory_.owner(); }

 private:
  template <typename Step>
  void within(const Step& step);
  bool take(const StreamNode& node, const LoadedModules& loaded, const StandIns* stand_ins);
  bool has_enough(std::uint64_t period) const;
  void remove();
  bool gather_inputs(std::uint64_t period);
  void plan_outputs(std::uint64_t period);

  const StreamNode* node_ = nullptr;
  Fence* fence_ = nullptr;
  Owner* domain_ = nullptr;
  bool strayed_ = false;
  ProcessErrors errors_;  // as of when it was last called
  ModuleMemory memory_;
  ModuleArray<std::byte> stack_;
  ModuleHandle<Module> own_module_;  // or
  std::unique_ptr<Module> stand_in_;
  Module* module_ = nullptr;  // whichever there is
  ModuleArray<StreamBuffer*> inputs_;
  ModuleArray<StreamBuffer*> outputs_;
  ModuleArray<InputView> input_views_;
  ModuleArray<OutputView> output_views_;
  FilePort* file_ = nullptr;
  bool prepared_ = false;
  // The input whose pace this period follows, nullptr where it follows the rates; its frames.
  const StreamBuffer* pace_ = nullptr;
  std::size_t pace_frames_ = 0;
};

}  // namespace modmem::testbench
