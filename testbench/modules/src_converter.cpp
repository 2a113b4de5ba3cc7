#include "testbench/modules/src_converter.hpp"

#include <algorithm>
#include <cmath>
#include <span>

#include "testbench/audio/convert.hpp"
#include "testbench/audio/sample.hpp"
#include "testbench/modules/channel_block.hpp"

namespace modmem::testbench {

bool SrcConverter::prepare(const StreamFormat& in, const StreamFormat& out, ModuleMemory& memory) {
  if (!filter_.prepare(in.rate, out.rate, memory)) {
    return false;
  }
  channels_ = in.channels;
  // Periods round both rates: the input may be a frame ahead, and so may the need for it, while the
  // next output can lie down / up frames ahead of the last.
  kept_ = filter_.down() / filter_.up() + 3;
  const std::size_t period = (in.rate + 999) / 1000;
  capacity_ = filter_.taps() + kept_ + std::max(period, kBlockFrames);
  history_ = memory.make_array<std::int32_t>(capacity_ * channels_,
                                             flag::kUser | flag::kLargeBuffer, MODMEM_HERE);
  held_ = filter_.taps();
  phase_ = 0;
  return static_cast<bool>(history_);
}

void SrcConverter::process(const InputView& in, const OutputView& out) {
  if (source_channel(out.format.channels - 1, channels_) == kNoChannel) {
    silence_frames(out.data, out.format, out.frames);
  }
  std::size_t made = 0;
  std::size_t taken = 0;
  while (made < out.frames) {
    if (ready() != 0) {
      made += produce(out, made);
    } else if (taken < in.frames) {
      taken += append(in, taken);
    } else {
      append_silence(filter_.taps() - held_);
    }
  }
  const std::size_t most = filter_.taps() + kept_;
  while (taken < in.frames || held_ > most) {
    taken += append(in, taken);
    drop(held_ - std::min(held_, most));
  }
}

// How many outputs the held frames suffice for.
std::size_t SrcConverter::ready() const {
  if (held_ < filter_.taps()) {
    return 0;
  }
  // Output i needs the frames from (phase_ + i * down) / up on.
  const std::uint64_t places = (held_ - filter_.taps() + 1) * std::uint64_t{filter_.up()} - phase_;
  return static_cast<std::size_t>((places - 1) / filter_.down() + 1);
}

// Writes outputs from frame `first` of `out` on and goes on to the next. Returns how many. Requires
// that at least one is ready and due.
std::size_t SrcConverter::produce(const OutputView& out, std::size_t first) {
  const std::size_t frames = std::min({kBlockFrames, out.frames - first, ready()});
  const std::uint64_t up = filter_.up();
  std::uint64_t place = 0;
  for (std::uint32_t channel = 0; channel < channels_; ++channel) {
    BlockOfValues values;
    place = phase_;
    for (std::size_t i = 0; i < frames; ++i, place += filter_.down()) {
      const std::int64_t sum =
          filter_.apply(static_cast<std::uint32_t>(place % up), history(channel) + place / up);
      values[i] = std::ldexp(static_cast<double>(sum), -SrcFilter::kFraction);
    }
    store_channel(out, channel, channels_, first, {values.data(), frames});
  }
  drop(static_cast<std::size_t>(place / up));
  phase_ = static_cast<std::uint32_t>(place % up);
  return frames;
}

// Takes frames of `in` from `first` on, as many as there is room for. Returns how many.
std::size_t SrcConverter::append(const InputView& in, std::size_t first) {
  const std::size_t frames = std::min(capacity_ - held_, in.frames - first);
  if (frames != 0) {
    for (std::uint32_t channel = 0; channel < channels_; ++channel) {
      load_channel(in, channel, first, {history(channel) + held_, frames});
    }
    held_ += frames;
  }
  return frames;
}

// Requires room for `frames` frames.
void SrcConverter::append_silence(std::size_t frames) {
  for (std::uint32_t channel = 0; channel < channels_; ++channel) {
    std::fill_n(history(channel) + held_, frames, 0);
  }
  held_ += frames;
}

// Forgets the oldest `frames` frames. Requires that it holds so many.
void SrcConverter::drop(std::size_t frames) {
  if (frames == 0) {
    return;
  }
  for (std::uint32_t channel = 0; channel < channels_; ++channel) {
    std::copy(history(channel) + frames, history(channel) + held_, history(channel));
  }
  held_ -= frames;
}

}  // namespace modmem::testbench
