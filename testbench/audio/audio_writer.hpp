// AudioWriter: writes a WAV file, whole or not at all.
//
// Samples are stored bit for bit: s16 as 16, s24_4le as 24, s32 as 32 bits. The file grows under
// another name in the same folder and takes its own name in finish(), so that a run that fails
// leaves what was there before as it was. Without finish() nothing appears.
//
// Invariant: the file under its own name is either what it was before or complete.
// Writing touches the file system: not for the audio path.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <vector>

#include "testbench/audio/audio_file.hpp"
#include "testbench/audio/temporary_file.hpp"
#include "testbench/stream_format.hpp"

namespace modmem::testbench {

// What fits into a WAV file besides its header: its sizes are 32-bit numbers.
inline constexpr std::uint64_t kMaxWavDataBytes = 0xffff'0000;

class AudioWriter {
 public:
  // Opens a file of `format` that is to become `path`. Throws InputError where `path` is a
  // directory, or anything else that is not a regular file, or one that may not be written, where
  // its folder does not exist or takes no file, or where no WAV file can have this format.
  AudioWriter(const std::filesystem::path& path, const StreamFormat& format);

  const StreamFormat& format() const { return format_; }
  std::uint64_t frames() const { return frames_; }

  // Appends `frames` frames of format(). Throws InputError where the disk takes no more or the file
  // would exceed kMaxWavDataBytes; what was written till then can still be finished.
  void write(const std::byte* data, std::size_t frames);

  // Completes the file and gives it its name, replacing what had it. Throws InputError where that
  // fails. Requires that it was not called before; nothing but destruction may follow.
  void finish();

 private:
  std::filesystem::path path_;
  StreamFormat format_;
  TemporaryFile temporary_;
  SoundFile file_;  // writes to temporary_
  std::uint64_t frames_ = 0;
  std::vector<std::int32_t> block_;  // frames on their way to the file, full scale
};

}  // namespace modmem::testbench
