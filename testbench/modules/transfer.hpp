// transfer(): one period from an input to an output, whatever their formats.
//
// Samples and channels are converted as convert_frames() does. At equal rates frame i becomes frame
// i, bit for bit where the formats are equal, and what the input lacks is silent. At different
// rates the frames that came in are spread evenly over the frames that are due, by repeating or
// leaving out: that keeps both sides in step for as long as each gets its own rate's frames,
// without any state, and is as much as a stand-in for a rate converter needs.
#pragma once

#include "testbench/modules/module.hpp"

namespace modmem::testbench {

// Fills `out` from `in`; with silence where `in` has no frames. O(frames x channels). The audio
// path: no allocation, no lock, no exception.
void transfer(const InputView& in, const OutputView& out);

}  // namespace modmem::testbench
