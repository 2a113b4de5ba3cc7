// transfer(): one period from an input to an output, whatever their formats.
//
// Samples and channels are converted as convert_frames() does. At equal rates frame i becomes frame
// i, bit for bit where the formats are equal, and what the input lacks is silent. At different
// rates the frames that came in are spread evenly over the frames that are due, by repeating or
// leaving out: that keeps both sides in step for as long as each gets its own rate's frames,
// without any state, and is as much as a stand-in for a rate converter needs.
// Everything here is for the audio path: no allocation, no lock, no exception.
#pragma once

#include "testbench/modules/module.hpp"

namespace modmem::testbench {

// Fills `out` from `in`; with silence where `in` has no frames. O(frames x channels).
void transfer(const InputView& in, const OutputView& out);

// The same in pieces, for an input that does not lie in one piece: `piece` has the frames from
// `first` on of an input of `total` frames. All pieces, and silence_rest(), come to what transfer()
// does. Requires first + piece.frames <= total. O(frames of the piece x channels).
void transfer_piece(const InputView& piece, std::size_t first, std::size_t total,
                    const OutputView& out);

// Makes silent what `total` frames of an input of `format` do not fill of `out`.
void silence_rest(const StreamFormat& format, std::size_t total, const OutputView& out);

}  // namespace modmem::testbench
