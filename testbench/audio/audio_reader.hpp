// AudioReader: the audio of a file, in order, in any format that is asked for.
//
// Takes WAV and whatever else libsndfile decodes, apart from files without a header. Integer
// samples of up to 32 bits arrive bit for bit in the high bits; floating-point samples are scaled
// so that 1.0 is full scale, rounded, and saturated. Where a file ends before its header says, what
// is there is played, as recordings that were cut off are common.
//
// Invariants of an open reader: 1 <= channels() <= kMaxFileChannels, kMinFileRate <= rate() <=
// kMaxFileRate, frames() > 0.
// Reading touches the file system: not for the audio path.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <vector>

#include "testbench/audio/audio_file.hpp"
#include "testbench/stream_format.hpp"

namespace modmem::testbench {

inline constexpr std::uint32_t kMaxFileChannels = 8;
inline constexpr std::uint32_t kMinFileRate = 4'000;
inline constexpr std::uint32_t kMaxFileRate = 384'000;

class AudioReader {
 public:
  // Opens `path`. Throws InputError where it is missing, unreadable, not a regular file, empty, not
  // audio, malformed, without frames, or beyond the limits above.
  explicit AudioReader(const std::filesystem::path& path);

  std::uint32_t rate() const { return rate_; }
  std::uint32_t channels() const { return channels_; }
  std::uint64_t frames() const { return frames_; }
  // The narrowest format that holds every sample of the file exactly; s32 where none does.
  SampleFormat sample() const { return sample_; }
  // Rate, channels and sample of the file.
  StreamFormat format() const { return {rate_, channels_, sample_}; }

  // Reads the next `frames` frames, converted to the channels and samples of `format` as
  // convert_frames() does; its rate plays no part. Returns how many there were: fewer than `frames`
  // exactly at the end of the file; the rest of `data` is untouched. Throws InputError where the
  // file cannot be read.
  std::size_t read(std::byte* data, const StreamFormat& format, std::size_t frames);

  // Goes back to the first frame. Throws InputError where the file does not allow that.
  void rewind();

 private:
  std::size_t read_block(std::size_t frames);

  std::filesystem::path path_;
  FileDescriptor descriptor_;
  SoundFile file_;  // reads from descriptor_
  std::uint32_t rate_ = 0;
  std::uint32_t channels_ = 0;
  std::uint64_t frames_ = 0;
  SampleFormat sample_ = SampleFormat::s32;
  bool integer_ = true;              // libsndfile gives the samples as full-scale integers
  std::vector<std::int32_t> block_;  // frames on their way from the file, full scale
  std::vector<double> float_block_;  // and before that, where they are not integers
};

}  // namespace modmem::testbench
