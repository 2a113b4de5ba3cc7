#include "testbench/modules/c_streams.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "testbench/audio/convert.hpp"

namespace modmem::testbench {
namespace {

static_assert(static_cast<int>(SampleFormat::s16) == MODMEM_SAMPLE_S16);
static_assert(static_cast<int>(SampleFormat::s24_4le) == MODMEM_SAMPLE_S24_4LE);
static_assert(static_cast<int>(SampleFormat::s32) == MODMEM_SAMPLE_S32);

modmem_stream_format to_c(const StreamFormat& format) {
  return {format.rate, format.channels, static_cast<std::uint32_t>(format.sample)};
}

StreamFormat from_c(const modmem_stream_format& format) {
  return {format.rate, format.channels, static_cast<SampleFormat>(format.sample)};
}

// The most frames of a period of 1 ms.
std::size_t period_frames(const modmem_stream_format& format) { return (format.rate + 999) / 1000; }

// The least that the module wants to find in a stream.
template <typename Stream>
std::size_t least(const Stream& stream) {
  return std::max<std::size_t>(stream.block, 1);
}

template <typename Stream>
bool make_streams(std::span<const StreamFormat> formats, ModuleMemory& memory,
                  ModuleArray<Stream>& streams) {
  streams = memory.make_array<Stream>(formats.size());
  for (std::size_t i = 0; i < streams.size(); ++i) {
    streams[i].format = to_c(formats[i]);
  }
  return streams.size() == formats.size();
}

template <typename View>
bool connected(const View& view) {
  return view.frames != 0;
}

// Whether there is anything to make outputs of.
bool fed(std::span<const InputView> inputs) {
  return inputs.empty() || std::any_of(inputs.begin(), inputs.end(), connected<InputView>);
}

// Makes silent what is behind the first `frames` frames.
void silence_from(const OutputView& out, std::size_t frames) {
  silence_frames(out.data + frames * out.format.frame_bytes(), out.format, out.frames - frames);
}

}  // namespace

bool CStreams::begin(std::span<const StreamFormat> inputs, std::span<const StreamFormat> outputs,
                     ModuleMemory& memory) {
  queued_ = false;
  return make_streams(inputs, memory, sources_) && make_streams(outputs, memory, sinks_);
}

bool CStreams::take_queues(ModuleMemory& memory) {
  const auto has_block = [](const auto& stream) { return stream.block != 0; };
  queued_ = std::any_of(sources_.begin(), sources_.end(), has_block) ||
            std::any_of(sinks_.begin(), sinks_.end(), has_block);
  if (!queued_) {
    return true;
  }
  source_queues_ = memory.make_array<Queue>(sources_.size());
  sink_queues_ = memory.make_array<Queue>(sinks_.size());
  if (source_queues_.size() != sources_.size() || sink_queues_.size() != sinks_.size()) {
    return false;
  }
  const auto take = [&](Queue& queue, const auto& stream, std::size_t silence) {
    const StreamFormat format = from_c(stream.format);
    const std::size_t frames = silence + least(stream) + period_frames(stream.format);
    queue.frames.begin(format, memory.make_array<std::byte>(frames * format.frame_bytes()),
                       silence);
    return static_cast<bool>(queue.frames);
  };
  for (std::size_t i = 0; i < sources_.size(); ++i) {
    if (!take(source_queues_[i], sources_[i], 0)) {
      return false;
    }
  }
  for (std::size_t i = 0; i < sinks_.size(); ++i) {
    const modmem_stream_format& format = sinks_[i].format;
    // Where the rates differ, so do the moments at which their periods gain a frame.
    const bool one_rate = std::all_of(sources_.begin(), sources_.end(), [&](const auto& source) {
      return source.format.rate == format.rate;
    });
    if (!take(sink_queues_[i], sinks_[i],
              sinks_[i].block + (one_rate ? 0 : period_frames(format)))) {
      return false;
    }
  }
  return true;
}

void CStreams::end() {
  sink_queues_.reset();
  source_queues_.reset();
  sinks_.reset();
  sources_.reset();
  queued_ = false;
}

bool CStreams::process(const modmem_module_interface& module, processing_module* instance,
                       std::span<const InputView> inputs, std::span<const OutputView> outputs,
                       ProcessErrors& errors) {
  if (!queued_) {
    return process_directly(module, instance, inputs, outputs, errors);
  }
  start_period(inputs, outputs);
  // What comes or goes in a burst may be more than the queues hold.
  for (bool moved = true; moved;) {
    moved = fill(inputs);
    if (ready(inputs)) {
      offer(inputs);
      const bool worked = call(module, instance, errors);
      moved = (note_used(outputs) && worked) || moved;
    }
    moved = drain(outputs) || moved;
  }
  return finish_period(inputs, outputs);
}

bool CStreams::process_directly(const modmem_module_interface& module, processing_module* instance,
                                std::span<const InputView> inputs,
                                std::span<const OutputView> outputs, ProcessErrors& errors) {
  for (std::size_t i = 0; i < sources_.size(); ++i) {
    sources_[i].data = inputs[i].data;
    sources_[i].frames = inputs[i].frames;
  }
  for (std::size_t i = 0; i < sinks_.size(); ++i) {
    sinks_[i].data = outputs[i].data;
    sinks_[i].frames = outputs[i].frames;
  }
  call(module, instance, errors);
  bool filled = true;
  for (std::size_t i = 0; i < sinks_.size(); ++i) {
    silence_from(outputs[i], sinks_[i].produced);
    filled = filled && sinks_[i].produced == outputs[i].frames;
  }
  return filled || !fed(inputs);
}

// Calls the module. Whatever it says, it has then consumed and produced no more than there was, and
// nothing was produced where it failed. Returns whether it worked.
bool CStreams::call(const modmem_module_interface& module, processing_module* instance,
                    ProcessErrors& errors) {
  for (modmem_source& source : sources_) {
    source.consumed = 0;
  }
  for (modmem_sink& sink : sinks_) {
    sink.produced = 0;
  }
  int error =
      module.process(instance, sources_.data(), sources_.size(), sinks_.data(), sinks_.size());
  const auto beyond = [](std::size_t used, std::size_t frames) { return used > frames; };
  for (modmem_source& source : sources_) {
    error = error == 0 && beyond(source.consumed, source.frames) ? -EOVERFLOW : error;
    source.consumed = std::min(source.consumed, source.frames);
  }
  for (const modmem_sink& sink : sinks_) {
    error = error == 0 && beyond(sink.produced, sink.frames) ? -EOVERFLOW : error;
  }
  if (error != 0) {
    for (modmem_sink& sink : sinks_) {
      sink.produced = 0;
    }
    errors.first = errors.count == 0 ? error : errors.first;
    ++errors.count;
  }
  return error == 0;
}

void CStreams::start_period(std::span<const InputView> inputs,
                            std::span<const OutputView> outputs) {
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    source_queues_[i].passed = 0;
    if (!connected(inputs[i])) {
      source_queues_[i].frames.restart();
    }
  }
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    sink_queues_[i].passed = 0;
    if (!connected(outputs[i])) {
      sink_queues_[i].frames.restart();
    }
  }
}

// Takes what comes in. Whether there was something, and room for it.
bool CStreams::fill(std::span<const InputView> inputs) {
  bool moved = false;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    Queue& queue = source_queues_[i];
    const std::size_t step = inputs[i].format.frame_bytes();
    const std::size_t frames = std::min(queue.frames.room(), inputs[i].frames - queue.passed);
    if (frames != 0) {
      std::memcpy(queue.frames.space(), inputs[i].data + queue.passed * step, frames * step);
      queue.frames.wrote(frames);
      queue.passed += frames;
      moved = true;
    }
  }
  return moved;
}

bool CStreams::ready(std::span<const InputView> inputs) const {
  if (!fed(inputs)) {
    return false;
  }
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (connected(inputs[i]) && source_queues_[i].frames.held() < least(sources_[i])) {
      return false;
    }
  }
  for (std::size_t i = 0; i < sinks_.size(); ++i) {
    if (sink_queues_[i].frames.room() < least(sinks_[i])) {
      return false;
    }
  }
  return true;
}

void CStreams::offer(std::span<const InputView> inputs) {
  for (std::size_t i = 0; i < sources_.size(); ++i) {
    const FrameQueue& queue = source_queues_[i].frames;
    sources_[i].data = connected(inputs[i]) ? queue.data() : nullptr;
    sources_[i].frames = connected(inputs[i]) ? queue.held() : 0;
  }
  for (std::size_t i = 0; i < sinks_.size(); ++i) {
    sinks_[i].data = sink_queues_[i].frames.space();
    sinks_[i].frames = sink_queues_[i].frames.room();
  }
}

// Keeps the queues to what the module used. Whether it used anything.
bool CStreams::note_used(std::span<const OutputView> outputs) {
  bool used = false;
  for (std::size_t i = 0; i < sources_.size(); ++i) {
    source_queues_[i].frames.drop(sources_[i].consumed);
    used = used || sources_[i].consumed != 0;
  }
  for (std::size_t i = 0; i < sinks_.size(); ++i) {
    if (connected(outputs[i])) {
      sink_queues_[i].frames.wrote(sinks_[i].produced);
      used = used || sinks_[i].produced != 0;
    }
  }
  return used;
}

// Gives what is due and there. Whether there was something.
bool CStreams::drain(std::span<const OutputView> outputs) {
  bool moved = false;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    Queue& queue = sink_queues_[i];
    const std::size_t step = outputs[i].format.frame_bytes();
    const std::size_t frames = std::min(queue.frames.held(), outputs[i].frames - queue.passed);
    if (frames != 0) {
      std::memcpy(outputs[i].data + queue.passed * step, queue.frames.data(), frames * step);
      queue.frames.drop(frames);
      queue.passed += frames;
      moved = true;
    }
  }
  return moved;
}

bool CStreams::finish_period(std::span<const InputView> inputs,
                             std::span<const OutputView> outputs) {
  bool taken = true;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    taken = taken && source_queues_[i].passed == inputs[i].frames;
  }
  bool filled = true;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    silence_from(outputs[i], sink_queues_[i].passed);
    filled = filled && sink_queues_[i].passed == outputs[i].frames;
  }
  return taken && (filled || !fed(inputs));
}

}  // namespace modmem::testbench
