#include "testbench/modules/transfer.hpp"

#include <algorithm>

#include "testbench/audio/convert.hpp"

namespace modmem::testbench {

void transfer(const InputView& in, const OutputView& out) {
  transfer_piece(in, 0, in.frames, out);
  silence_rest(in.format, in.frames, out);
}

void transfer_piece(const InputView& piece, std::size_t first, std::size_t total,
                    const OutputView& out) {
  const std::size_t in_bytes = piece.format.frame_bytes();
  const std::size_t out_bytes = out.format.frame_bytes();
  if (piece.format.rate == out.format.rate) {
    const std::size_t frames =
        first < out.frames ? std::min(piece.frames, out.frames - first) : std::size_t{0};
    convert_frames(piece.data, piece.format, out.data + first * out_bytes, out.format, frames);
    return;
  }
  if (piece.frames == 0) {
    return;
  }
  // From the first frame of `out` whose source is not before the piece.
  for (std::size_t i = (first * out.frames + total - 1) / total; i < out.frames; ++i) {
    const std::size_t source = i * total / out.frames - first;
    if (source >= piece.frames) {
      break;
    }
    convert_frames(piece.data + source * in_bytes, piece.format, out.data + i * out_bytes,
                   out.format, 1);
  }
}

void silence_rest(const StreamFormat& format, std::size_t total, const OutputView& out) {
  if (format.rate == out.format.rate || total == 0) {
    const std::size_t frames = std::min(total, out.frames);
    silence_frames(out.data + frames * out.format.frame_bytes(), out.format, out.frames - frames);
  }
}

}  // namespace modmem::testbench
