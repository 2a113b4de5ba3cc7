// Conversion of runs of frames between formats.
//
// Sample formats: widening is exact; narrowing rounds to the nearest value (halves upwards) and
// saturates; what was widened narrows back bit for bit. Channels as source_channel() says: mono
// goes to every channel, else channel i to channel i, missing channels are silent, surplus ones are
// left out. The rate plays no part: n frames become n frames. Works on the caller's memory alone:
// no allocation, no lock, no exception.
#pragma once

#include <cstddef>

#include "testbench/stream_format.hpp"

namespace modmem::testbench {

// Converts `frames` frames at `in` to as many at `out`. Frames of equal format are copied as they
// are. Requires that the two runs do not overlap. O(frames x channels).
void convert_frames(const std::byte* in, const StreamFormat& in_format, std::byte* out,
                    const StreamFormat& out_format, std::size_t frames);

// Makes `frames` frames silent. O(bytes).
void silence_frames(std::byte* out, const StreamFormat& format, std::size_t frames);

}  // namespace modmem::testbench
