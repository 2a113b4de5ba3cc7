#include "testbench/audio/audio_writer.hpp"

#include <sndfile.h>

#include <algorithm>
#include <string>

#include "testbench/audio/convert.hpp"

namespace modmem::testbench {
namespace {

constexpr std::size_t kBlockFrames = 1024;

int subformat(SampleFormat format) {
  switch (format) {
    case SampleFormat::s16:
      return SF_FORMAT_PCM_16;
    case SampleFormat::s24_4le:
      return SF_FORMAT_PCM_24;
    case SampleFormat::s32:
      break;
  }
  return SF_FORMAT_PCM_32;
}

std::uint64_t stored_bytes(SampleFormat format) {
  switch (format) {
    case SampleFormat::s16:
      return 2;
    case SampleFormat::s24_4le:
      return 3;
    case SampleFormat::s32:
      break;
  }
  return 4;
}

}  // namespace

AudioWriter::AudioWriter(const std::filesystem::path& path, const StreamFormat& format)
    : path_(path), format_(format), temporary_(path) {
  SF_INFO info{};
  info.samplerate = static_cast<int>(format_.rate);
  info.channels = static_cast<int>(format_.channels);
  info.format = SF_FORMAT_WAV | subformat(format_.sample);
  if (info.samplerate < 1 || info.channels < 1 || sf_format_check(&info) == SF_FALSE) {
    fail_audio(path_, "cannot be written: a WAV file cannot have " +
                          std::to_string(format_.channels) + " channels at " +
                          std::to_string(format_.rate) + " Hz");
  }
  file_.reset(sf_open_fd(temporary_.descriptor(), SFM_WRITE, &info, /*close_desc=*/SF_FALSE));
  if (file_ == nullptr) {
    fail_audio(path_, "cannot be written: " + sound_error(nullptr));
  }
  block_.resize(kBlockFrames * format_.channels);
}

void AudioWriter::write(const std::byte* data, std::size_t frames) {
  const std::uint64_t max_frames =
      kMaxWavDataBytes / (format_.channels * stored_bytes(format_.sample));
  if (frames > max_frames - frames_) {
    fail_audio(path_, "cannot be written: a WAV file holds less than 4 GiB");
  }
  const StreamFormat block_format{format_.rate, format_.channels, SampleFormat::s32};
  for (std::size_t done = 0; done < frames;) {
    const std::size_t count = std::min(frames - done, kBlockFrames);
    convert_frames(data + done * format_.frame_bytes(), format_,
                   reinterpret_cast<std::byte*>(block_.data()), block_format, count);
    const auto wanted = static_cast<sf_count_t>(count);
    if (sf_writef_int(file_.get(), block_.data(), wanted) != wanted) {
      fail_audio(path_, "cannot be written: " + sound_error(file_.get()));
    }
    done += count;
    frames_ += count;
  }
}

void AudioWriter::finish() {
  const int error = sf_close(file_.release());
  if (error != SF_ERR_NO_ERROR) {
    fail_audio(path_, std::string("cannot be written: ") + sf_error_number(error));
  }
  temporary_.keep();
}

}  // namespace modmem::testbench
