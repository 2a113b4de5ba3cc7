#include "testbench/component.hpp"

#include <algorithm>

#include "testbench/audio_path_guard.hpp"
#include "testbench/modules/c_module.hpp"
#include "testbench/modules/factory.hpp"
#include "testbench/modules/module_call.hpp"

namespace modmem::testbench {

namespace {

// Copies `buffers` into module memory.
bool keep(ModuleMemory& memory, const std::vector<StreamBuffer*>& buffers,
          ModuleArray<StreamBuffer*>& kept) {
  if (buffers.empty()) {
    return true;
  }
  kept = memory.make_array<StreamBuffer*>(buffers.size());
  std::copy(buffers.begin(), buffers.begin() + static_cast<std::ptrdiff_t>(kept.size()),
            kept.begin());
  return static_cast<bool>(kept);
}

template <typename T>
bool make_table(ModuleMemory& memory, std::size_t size, ModuleArray<T>& table) {
  table = memory.make_array<T>(size);
  return size == 0 || static_cast<bool>(table);
}

// Frames that the sink of `buffer` takes now, that its source gives.
std::size_t due_in(const StreamBuffer& buffer, std::uint64_t period) {
  const StreamEdge& edge = buffer.edge();
  return edge.sink_chunk != 0 ? edge.sink_chunk : frames_in_period(edge.format.rate, period);
}
std::size_t due_out(const StreamBuffer& buffer, std::uint64_t period) {
  const StreamEdge& edge = buffer.edge();
  return edge.source_chunk != 0 ? edge.source_chunk : frames_in_period(edge.format.rate, period);
}

}  // namespace

std::uint32_t Component::stack_bytes(const StreamNode& node) {
  // Where the topology says nothing, or nothing that makes sense.
  constexpr std::uint32_t kDefaultStackBytes = 8192;
  const std::uint32_t declared = node.widget->stack_bytes.value_or(0);
  return declared != 0 ? declared : kDefaultStackBytes;
}

// Does a step that reaches what is in the module's memory. One that its module ends by reaching
// elsewhere is the last one.
template <typename Step>
void Component::within(const Step& step) {
  if (domain_ == nullptr) {
    step();
  } else if (!strayed_ && !fence_->run(*domain_, step)) {
    strayed_ = true;
    const AudioPathPause pause;  // for the note
    fence_->note(Fence::describe_last(domain_->spec, node_->component_id >> 16));
  }
}

bool Component::open(Memory& memory, Owner& pipeline, const StreamNode& node,
                     const LoadedModules& loaded, const StandIns* stand_ins, Fence* fence) {
  node_ = &node;
  fence_ = fence;
  const OwnerSpec spec{
      .kind = OwnerKind::module, .id = node.component_id, .name = node.widget->name.c_str()};
  if (fence != nullptr) {
    domain_ = fence->make_domain(pipeline, spec.id, spec.name);
    if (domain_ == nullptr) {
      return false;
    }
  }
  if (!memory_.open(memory, domain_ != nullptr ? *domain_ : pipeline, spec)) {
    return false;
  }
  bool taken = true;
  within([&] { taken = take(node, loaded, stand_ins); });
  return taken;
}

// What open() takes in its account.
bool Component::take(const StreamNode& node, const LoadedModules& loaded,
                     const StandIns* stand_ins) {
  if (node.task) {
    stack_ = memory_.make_array<std::byte>(stack_bytes(node), flag::kKernel, MODMEM_HERE);
    if (!stack_) {
      return false;
    }
  }
  if (stand_ins != nullptr) {
    stand_in_ = stand_ins->make(node);
    module_ = stand_in_.get();
  } else {
    if (const LoadedModule* module = loaded.find(*node.widget->uuid)) {
      own_module_ = memory_.make<CModule>(*module, memory_);
    } else {
      own_module_ = make_module(*node.widget->uuid, memory_);
    }
    module_ = own_module_.get();
  }
  const ModuleCall scope(node.component_id, ModulePhase::init);
  return module_ != nullptr && module_->init(*node.widget, memory_);
}

void Component::close() {
  reset();
  within([this] {
    stand_in_.reset();
    own_module_.reset();
  });
  if (strayed_) {
    remove();
  }
  module_ = nullptr;
  stack_.reset();
  memory_.close();
  if (domain_ != nullptr) {
    fence_->end_domain(*domain_, strayed_);
    domain_ = nullptr;
  }
  strayed_ = false;
  errors_ = {};
  node_ = nullptr;
}

// Ends what the module holds without a call to it. What it made of its own memory, nobody knows, so
// whatever looks at that may be ended half-way as well.
void Component::remove() {
  fence_->abandon(*domain_);
  const auto try_to = [this](const auto& step) { return fence_->run(*domain_, step); };
  if (!try_to([this] {
        if (module_ != nullptr) {
          module_->abandon();
        }
        own_module_.reset();
      })) {
    own_module_.forget();
  }
  stack_.reset();
  try_to([this] { memory_.release_all(); });
}

bool Component::prepare(const std::vector<StreamBuffer*>& inputs,
                        const std::vector<StreamBuffer*>& outputs, FilePort* file) {
  file_ = file;
  std::vector<StreamFormat> input_formats;
  std::vector<StreamFormat> output_formats;
  input_formats.reserve(inputs.size() + 1);
  output_formats.reserve(outputs.size() + 1);
  if (file != nullptr && node_->endpoint == Endpoint::source) {
    input_formats.push_back(file->format);
  }
  for (const StreamBuffer* buffer : inputs) {
    input_formats.push_back(buffer->format());
  }
  for (const StreamBuffer* buffer : outputs) {
    output_formats.push_back(buffer->format());
  }
  if (file != nullptr && node_->endpoint == Endpoint::sink) {
    output_formats.push_back(file->format);
  }
  bool done = true;
  const ModuleCall scope(node_->component_id, ModulePhase::prepare);
  within([&] {
    done = keep(memory_, inputs, inputs_) && keep(memory_, outputs, outputs_) &&
           make_table(memory_, input_formats.size(), input_views_) &&
           make_table(memory_, output_formats.size(), output_views_);
    if (done) {
      prepared_ = true;  // reset() may follow even where the module gets half of what it wants
      done = module_->prepare(input_formats, output_formats, memory_);
    }
  });
  return done;
}

void Component::reset() {
  within([this] {
    if (prepared_) {
      module_->reset(memory_);
    }
  });
  prepared_ = false;
  // Nothing in these has an end of its own: what they hold is given back from outside.
  output_views_.reset();
  input_views_.reset();
  outputs_.reset();
  inputs_.reset();
}

bool Component::ready(std::uint64_t period) {
  bool ready = false;
  within([&] { ready = has_enough(period); });
  return ready;
}

bool Component::has_enough(std::uint64_t period) const {
  bool any = inputs_.size() == 0;
  for (const StreamBuffer* buffer : inputs_) {
    if (buffer->live()) {
      any = true;
      if (buffer->frames() < due_in(*buffer, period)) {
        return false;
      }
    }
  }
  return any && std::all_of(outputs_.begin(), outputs_.end(), [&](const StreamBuffer* buffer) {
           return !buffer->live() || buffer->room() >= due_out(*buffer, period);
         });
}

bool Component::process(std::uint64_t period) {
  bool in_time = true;
  const ModuleCall scope(node_->component_id, ModulePhase::process);
  within([&] {
    const bool complete = gather_inputs(period);
    plan_outputs(period);
    module_->process({input_views_.data(), input_views_.size()},
                     {output_views_.data(), output_views_.size()});
    in_time = module_->kept_up() && complete;
    errors_ = module_->errors();
  });
  return in_time;
}

bool Component::set_control(const Control& control, std::span<const std::int64_t> values) {
  bool taken = true;
  within([&] { taken = module_->set_control(control, values, memory_); });
  return taken;
}

bool Component::set_control_blob(const Control& control, std::span<const std::byte> blob) {
  bool taken = true;
  within([&] { taken = module_->set_control_blob(control, blob, memory_); });
  return taken;
}

bool Component::trigger() {
  bool triggered = false;
  within([&] { triggered = module_->trigger(); });
  return triggered;
}

ProcessErrors Component::errors() const { return errors_; }

// Makes the views of what came in. False where something is missing.
bool Component::gather_inputs(std::uint64_t period) {
  bool complete = true;
  std::size_t at = 0;
  pace_ = nullptr;
  if (input_views_.size() > inputs_.size()) {
    input_views_[at++] = {file_->format, file_->data, file_->frames};
  }
  for (StreamBuffer* buffer : inputs_) {
    const std::size_t due = due_in(*buffer, period);
    std::size_t frames = buffer->frames();
    if (buffer->own_pace() && !node_->task) {
      frames = std::min(frames, buffer->edge().room);
      pace_ = buffer;
      pace_frames_ = frames;
    } else if (buffer->edge().decoupled) {
      frames = std::min(frames, due);
    }
    complete = complete && (!buffer->live() || buffer->own_pace() || frames == due);
    input_views_[at++] = {buffer->format(), buffer->data(), frames};
    buffer->took(frames);
  }
  return complete;
}

// Settles how many frames each output gets.
void Component::plan_outputs(std::uint64_t period) {
  // Of what keeps its own pace, as long as what came in.
  const auto paced = [&](const StreamFormat& format) {
    return pace_frames_ * format.rate / pace_->format().rate;
  };
  std::size_t at = 0;
  for (StreamBuffer* buffer : outputs_) {
    const std::size_t due = pace_ != nullptr ? paced(buffer->format()) : due_out(*buffer, period);
    const std::size_t room = buffer->room();
    // The module's word is kept to, but never beyond the buffer's end.
    const std::size_t wanted = room == 0 ? 0 : module_->output_frames(at, due, room);
    const std::size_t frames = std::min(room, wanted);
    output_views_[at++] = {buffer->format(), buffer->space(), frames};
    buffer->wrote(frames, room != 0 && (pace_ != nullptr || wanted != due));
  }
  if (output_views_.size() > outputs_.size()) {
    const std::size_t due =
        pace_ != nullptr ? paced(file_->format) : frames_in_period(file_->format.rate, period);
    file_->frames = std::min(file_->capacity, module_->output_frames(at, due, file_->capacity));
    output_views_[at] = {file_->format, file_->data, file_->frames};
  }
}

std::size_t Component::host_frames(std::uint64_t period) {
  std::size_t frames = 0;
  within([&] { frames = module_->host_frames(frames_in_period(file_->format.rate, period)); });
  return frames;
}

std::size_t Component::most_host_frames() {
  std::size_t frames = 0;
  within([&] { frames = module_->most_host_frames(most_frames_in_period(file_->format.rate)); });
  return frames;
}

}  // namespace modmem::testbench
