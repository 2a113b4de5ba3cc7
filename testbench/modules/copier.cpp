#include "testbench/modules/copier.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "testbench/modules/transfer.hpp"

namespace modmem::testbench {
namespace {

constexpr std::uint32_t kPeriods = 2;
constexpr Flags kDmaMemory = flag::kUser | flag::kLargeBuffer | flag::kDma | flag::kCoherent;

}  // namespace

bool Copier::init(const Widget& widget, ModuleMemory& memory) {
  const WidgetType type = widget.type;
  const bool inwards = type == WidgetType::aif_in || type == WidgetType::dai_out;
  const bool outwards = type == WidgetType::aif_out || type == WidgetType::dai_in;
  if (!inwards && !outwards) {
    return true;
  }
  buffer_at_ = inwards ? BufferAt::input : BufferAt::output;
  by_input_ = type == WidgetType::aif_in || type == WidgetType::dai_in;
  const std::uint32_t depth_ms = widget.deep_buffer_ms.value_or(0);
  depth_ms_ = type == WidgetType::aif_in && depth_ms > kPeriods ? depth_ms : 0;
  const std::vector<PinFormat>& formats = by_input_ ? widget.inputs : widget.outputs;
  if (formats.empty()) {
    return true;
  }
  declared_ = memory.make_array<Declared>(formats.size());
  std::transform(formats.begin(), formats.begin() + static_cast<std::ptrdiff_t>(declared_.size()),
                 declared_.begin(), [](const PinFormat& format) {
                   return Declared{format.rate, format.channels, format.bits, format.buffer_bytes};
                 });
  return static_cast<bool>(declared_);
}

bool Copier::prepare(std::span<const StreamFormat> inputs, std::span<const StreamFormat> outputs,
                     ModuleMemory& memory) {
  const bool at_input = buffer_at_ == BufferAt::input;
  if (buffer_at_ == BufferAt::nowhere || (at_input ? inputs : outputs).empty()) {
    return true;
  }
  format_ = at_input ? inputs.front() : outputs.back();
  owed_ = 0;
  std::size_t period = (format_.rate + 999) / 1000 * format_.frame_bytes();
  if (by_input_ ? !inputs.empty() : !outputs.empty()) {
    period = std::max(period, declared_period(by_input_ ? inputs.front() : outputs.back()));
  }
  if (!is_deep()) {
    buffer_.begin(format_,
                  memory.make_array<std::byte>(kPeriods * period, kDmaMemory, MODMEM_HERE));
    return static_cast<bool>(buffer_);
  }
  const Range range =
      memory.allocate_range(kPeriods * period, depth_ms_ * period, 0, kDmaMemory, MODMEM_HERE);
  if (range.pointer == nullptr) {
    return false;
  }
  buffer_.begin(format_, {memory, static_cast<std::byte*>(range.pointer), range.bytes});
  return true;
}

// What the widget declares for a period of `format`, 0 where it does not say.
std::size_t Copier::declared_period(const StreamFormat& format) const {
  const auto* found =
      std::find_if(declared_.begin(), declared_.end(), [&](const Declared& declared) {
        return declared.rate == format.rate && declared.channels == format.channels &&
               declared.bits == 8 * sample_bytes(format.sample);
      });
  return found == declared_.end() ? 0 : found->period_bytes;
}

void Copier::process(std::span<const InputView> inputs, std::span<const OutputView> outputs) {
  const InputView in = inputs.empty() ? InputView{} : inputs.front();
  if (buffer_ && buffer_at_ == BufferAt::input) {
    pass_in(in, outputs);
    return;
  }
  for (const OutputView& out : outputs) {
    transfer(in, out);
  }
  if (buffer_ && !outputs.empty()) {
    pass_out(outputs.back());
  }
}

void Copier::pass_in(const InputView& in, std::span<const OutputView> outputs) {
  const std::size_t total =
      is_deep() ? std::min(take_due(outputs), buffer_.held() + in.frames) : in.frames;
  std::size_t taken = 0;
  std::size_t given = 0;
  while (given < total || taken < in.frames) {
    const std::size_t fresh = std::min(buffer_.room(), in.frames - taken);
    if (fresh != 0) {
      buffer_.write(in.data + taken * format_.frame_bytes(), fresh);
    }
    taken += fresh;
    const std::size_t frames = std::min(buffer_.held(), total - given);
    buffer_.read(frames, [&](const InputView& piece, std::size_t first) {
      for (const OutputView& out : outputs) {
        transfer_piece(piece, given + first, total, out);
      }
    });
    buffer_.drop(frames);
    given += frames;
    if (fresh == 0 && frames == 0) {
      break;  // a deep buffer is full
    }
  }
  for (const OutputView& out : outputs) {
    silence_rest(format_, total, out);
  }
}

// `out` has been written in the DSP's memory; hardware gets it from the buffer.
void Copier::pass_out(const OutputView& out) {
  const std::size_t step = format_.frame_bytes();
  for (std::size_t done = 0; done < out.frames;) {
    const std::size_t frames = std::min(buffer_.room(), out.frames - done);
    std::byte* data = out.data + done * step;
    buffer_.write(data, frames);
    buffer_.read(frames, [&](const InputView& piece, std::size_t first) {
      std::memcpy(data + first * step, piece.data, piece.frames * step);
    });
    buffer_.drop(frames);
    done += frames;
  }
}

// The frames of the buffer's rate that the outputs are due this period: in the long run exactly as
// many as their rate gives.
std::size_t Copier::take_due(std::span<const OutputView> outputs) {
  const auto connected = std::find_if(outputs.begin(), outputs.end(),
                                      [](const OutputView& out) { return out.frames != 0; });
  if (connected == outputs.end()) {
    return 0;
  }
  owed_ += std::uint64_t{connected->frames} * format_.rate;
  const std::uint64_t frames = owed_ / connected->format.rate;
  owed_ %= connected->format.rate;
  return static_cast<std::size_t>(frames);
}

void Copier::reset(ModuleMemory& /*memory*/) { buffer_.end(); }

std::size_t Copier::host_frames(std::size_t due) const {
  if (!is_deep()) {
    return due;
  }
  return buffer_.held() > buffer_.capacity() / 2 ? 0 : buffer_.room();
}

std::size_t Copier::most_host_frames(std::size_t due) const {
  return is_deep() ? buffer_.capacity() : due;
}

}  // namespace modmem::testbench
