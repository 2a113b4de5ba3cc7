#include "testbench/modules/transfer.hpp"

#include <algorithm>

#include "testbench/audio/convert.hpp"

namespace modmem::testbench {

void transfer(const InputView& in, const OutputView& out) {
  const std::size_t in_bytes = in.format.frame_bytes();
  const std::size_t out_bytes = out.format.frame_bytes();
  if (in.format.rate == out.format.rate || in.frames == 0) {
    const std::size_t frames = std::min(in.frames, out.frames);
    convert_frames(in.data, in.format, out.data, out.format, frames);
    silence_frames(out.data + frames * out_bytes, out.format, out.frames - frames);
    return;
  }
  for (std::size_t i = 0; i < out.frames; ++i) {
    const std::size_t source = i * in.frames / out.frames;
    convert_frames(in.data + source * in_bytes, in.format, out.data + i * out_bytes, out.format, 1);
  }
}

}  // namespace modmem::testbench
