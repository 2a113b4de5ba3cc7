#include "testbench/modules/kpb.hpp"

#include <algorithm>
#include <string>

#include "testbench/audio/convert.hpp"
#include "testbench/input_error.hpp"
#include "testbench/modules/transfer.hpp"

namespace modmem::testbench {

bool Kpb::init(const Widget& widget, ModuleMemory& /*memory*/) {
  name_.fill('\0');
  std::copy_n(widget.name.begin(), std::min(widget.name.size(), name_.size() - 1), name_.begin());
  return true;
}

bool Kpb::prepare(std::span<const StreamFormat> inputs, std::span<const StreamFormat> outputs,
                  ModuleMemory& memory) {
  draining_ = false;
  lost_ = 0;
  has_host_ = outputs.size() > kHostOutput;
  if (inputs.empty()) {
    return true;
  }
  const StreamFormat& format = inputs.front();
  if (has_host_ && outputs[kHostOutput].rate != format.rate) {
    throw InputError("widget '" + std::string(name_.data()) + "': a key-phrase buffer of " +
                     std::to_string(format.rate) + " Hz can't be drained at " +
                     std::to_string(outputs[kHostOutput].rate) + " Hz");
  }
  const std::size_t frames = format.rate * kHistoryMs / 1000;
  history_.begin(format,
                 memory.make_array<std::byte>(frames * format.frame_bytes(),
                                              flag::kUser | flag::kLargeBuffer, MODMEM_HERE));
  return static_cast<bool>(history_);
}

// What is drained was recorded in earlier periods: so nothing that comes in now can overtake it,
// and a period in which nothing comes leaves no gap.
void Kpb::process(std::span<const InputView> inputs, std::span<const OutputView> outputs) {
  const InputView in = inputs.empty() ? InputView{} : inputs.front();
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    if (i == kHostOutput) {
      drain(outputs[i]);
    } else {
      transfer(in, outputs[i]);
    }
  }
  if (history_) {
    record(in);
  }
}

void Kpb::drain(const OutputView& out) {
  const std::size_t frames = draining_ ? std::min(out.frames, history_.held()) : 0;
  const std::size_t step = out.format.frame_bytes();
  if (frames != 0) {
    history_.read(frames, [&](const InputView& piece, std::size_t first) {
      convert_frames(piece.data, piece.format, out.data + first * step, out.format, piece.frames);
    });
    history_.drop(frames);
  }
  silence_frames(out.data + frames * step, out.format, out.frames - frames);
}

void Kpb::record(const InputView& in) {
  const std::size_t kept = std::min(in.frames, history_.capacity());
  const std::size_t skipped = in.frames - kept;
  const std::size_t dropped = kept - std::min(kept, history_.room());
  if (draining_) {
    lost_ += dropped + skipped;
  }
  if (kept != 0) {
    history_.drop(dropped);
    history_.write(in.data + skipped * in.format.frame_bytes(), kept);
  }
}

void Kpb::reset(ModuleMemory& /*memory*/) {
  history_.end();
  draining_ = false;
}

bool Kpb::trigger() {
  if (draining_ || !has_host_ || !history_) {
    return false;
  }
  draining_ = true;
  return true;
}

std::size_t Kpb::output_frames(std::size_t output, std::size_t due, std::size_t room) const {
  if (output != kHostOutput) {
    return std::min(due, room);
  }
  return draining_ ? std::min(history_.held(), room) : 0;
}

}  // namespace modmem::testbench
