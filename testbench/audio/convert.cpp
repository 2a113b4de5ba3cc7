#include "testbench/audio/convert.hpp"

#include <cstring>

#include "testbench/audio/sample.hpp"

namespace modmem::testbench {
namespace {

template <typename In, typename Out>
void convert_samples(const std::byte* in, std::uint32_t in_channels, std::byte* out,
                     std::uint32_t out_channels, std::size_t frames) {
  const std::size_t in_step = in_channels * In::kBytes;
  const std::size_t out_step = out_channels * Out::kBytes;
  for (std::uint32_t channel = 0; channel < out_channels; ++channel) {
    const std::uint32_t source = source_channel(channel, in_channels);
    std::byte* to = out + channel * Out::kBytes;
    if (source == kNoChannel) {
      for (std::size_t i = 0; i < frames; ++i, to += out_step) {
        Out::store(to, 0);
      }
      continue;
    }
    const std::byte* from = in + source * In::kBytes;
    for (std::size_t i = 0; i < frames; ++i, from += in_step, to += out_step) {
      Out::store(to, In::load(from));
    }
  }
}

}  // namespace

void convert_frames(const std::byte* in, const StreamFormat& in_format, std::byte* out,
                    const StreamFormat& out_format, std::size_t frames) {
  if (frames == 0) {
    return;
  }
  if (in_format.sample == out_format.sample && in_format.channels == out_format.channels) {
    std::memcpy(out, in, frames * in_format.frame_bytes());
    return;
  }
  with_sample(in_format.sample, [&](auto in_sample) {
    with_sample(out_format.sample, [&](auto out_sample) {
      convert_samples<decltype(in_sample), decltype(out_sample)>(in, in_format.channels, out,
                                                                 out_format.channels, frames);
    });
  });
}

void silence_frames(std::byte* out, const StreamFormat& format, std::size_t frames) {
  if (frames != 0) {
    std::memset(out, 0, frames * format.frame_bytes());
  }
}

}  // namespace modmem::testbench
