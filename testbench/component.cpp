#include "testbench/component.hpp"

#include <algorithm>

#include "testbench/modules/factory.hpp"

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

}  // namespace

bool Component::open(Memory& memory, Owner& pipeline, const StreamNode& node) {
  node_ = &node;
  const OwnerSpec spec{
      .kind = OwnerKind::module, .id = node.component_id, .name = node.widget->name.c_str()};
  if (!memory_.open(memory, pipeline, spec)) {
    return false;
  }
  module_ = make_module(*node.widget->uuid, memory_);
  return module_ && module_->init(*node.widget, memory_);
}

void Component::close() {
  reset();
  module_.reset();
  memory_.close();
  node_ = nullptr;
}

bool Component::prepare(const std::vector<StreamBuffer*>& inputs,
                        const std::vector<StreamBuffer*>& outputs, FilePort* file) {
  file_ = file;
  const bool reads = file != nullptr && node_->endpoint == Endpoint::source;
  const bool writes = file != nullptr && node_->endpoint == Endpoint::sink;
  if (!keep(memory_, inputs, inputs_) || !keep(memory_, outputs, outputs_) ||
      !make_table(memory_, inputs.size() + (reads ? 1 : 0), input_views_) ||
      !make_table(memory_, outputs.size() + (writes ? 1 : 0), output_views_)) {
    return false;
  }
  std::vector<StreamFormat> input_formats;
  std::vector<StreamFormat> output_formats;
  input_formats.reserve(inputs.size() + 1);
  output_formats.reserve(outputs.size() + 1);
  if (reads) {
    input_formats.push_back(file->format);
  }
  for (const StreamBuffer* buffer : inputs) {
    input_formats.push_back(buffer->format());
  }
  for (const StreamBuffer* buffer : outputs) {
    output_formats.push_back(buffer->format());
  }
  if (writes) {
    output_formats.push_back(file->format);
  }
  prepared_ = true;  // reset() may follow even where the module gets only half of what it wants
  return module_->prepare(input_formats, output_formats, memory_);
}

void Component::reset() {
  if (prepared_) {
    module_->reset(memory_);
    prepared_ = false;
  }
  output_views_.reset();
  input_views_.reset();
  outputs_.reset();
  inputs_.reset();
}

bool Component::process(std::uint64_t period) {
  const bool complete = gather_inputs(period);
  plan_outputs(period);
  module_->process({input_views_.data(), input_views_.size()},
                   {output_views_.data(), output_views_.size()});
  return complete;
}

// Makes the views of what came in. False where something is missing.
bool Component::gather_inputs(std::uint64_t period) {
  bool complete = true;
  std::size_t at = 0;
  pace_ = nullptr;
  if (input_views_.size() > inputs_.size()) {
    input_views_[at++] = {file_->format, file_->data, file_->frames};
  }
  for (const StreamBuffer* buffer : inputs_) {
    if (buffer->own_pace()) {
      pace_ = buffer;
    } else if (buffer->live()) {
      complete = complete && buffer->frames() == frames_in_period(buffer->format().rate, period);
    }
    input_views_[at++] = {buffer->format(), buffer->data(), buffer->frames()};
  }
  return complete;
}

// Settles how many frames each output gets.
void Component::plan_outputs(std::uint64_t period) {
  const auto due = [&](const StreamFormat& format) {
    return pace_ != nullptr ? pace_->frames() * format.rate / pace_->format().rate
                            : frames_in_period(format.rate, period);
  };
  std::size_t at = 0;
  for (StreamBuffer* buffer : outputs_) {
    const std::size_t usual = due(buffer->format());
    const std::size_t room = buffer->room();
    const std::size_t frames = room == 0 ? 0 : module_->output_frames(at, usual, room);
    // The source's word is kept to, but never beyond the buffer's end.
    const std::size_t written = std::min(frames, room);
    output_views_[at++] = {buffer->format(), buffer->space(), written};
    buffer->wrote(written, room != 0 && (pace_ != nullptr || written != usual));
  }
  if (output_views_.size() > outputs_.size()) {
    const std::size_t frames = module_->output_frames(at, due(file_->format), file_->capacity);
    file_->frames = std::min(frames, file_->capacity);
    output_views_[at] = {file_->format, file_->data, file_->frames};
  }
}

std::size_t Component::host_frames(std::uint64_t period) const {
  return module_->host_frames(frames_in_period(file_->format.rate, period));
}

std::size_t Component::most_host_frames() const {
  return module_->most_host_frames(most_frames_in_period(file_->format.rate));
}

}  // namespace modmem::testbench
