#include "testbench/audio/audio_reader.hpp"

#include <fcntl.h>
#include <sndfile.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <string>

#include "testbench/audio/convert.hpp"

namespace modmem::testbench {
namespace {

constexpr std::size_t kBlockFrames = 1024;

// Non-blocking, so that opening a FIFO returns and it can be refused.
int open_to_read(const std::filesystem::path& path) {
  const int number = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (number < 0) {
    fail_audio(path, "cannot be opened", errno);
  }
  return number;
}

void require_content(const std::filesystem::path& path, int descriptor) {
  struct stat status {};
  if (::fstat(descriptor, &status) != 0) {
    fail_audio(path, "cannot be examined", errno);
  }
  if (S_ISDIR(status.st_mode)) {
    fail_audio(path, "is a directory, not an audio file");
  }
  if (!S_ISREG(status.st_mode)) {
    fail_audio(path, "is not a regular file");
  }
  if (status.st_size == 0) {
    fail_audio(path, "is empty");
  }
}

bool is_integer(int subformat) {
  return subformat == SF_FORMAT_PCM_S8 || subformat == SF_FORMAT_PCM_U8 ||
         subformat == SF_FORMAT_PCM_16 || subformat == SF_FORMAT_PCM_24 ||
         subformat == SF_FORMAT_PCM_32;
}

SampleFormat narrowest_format(int subformat) {
  switch (subformat) {
    case SF_FORMAT_PCM_S8:
    case SF_FORMAT_PCM_U8:
    case SF_FORMAT_PCM_16:
      return SampleFormat::s16;
    case SF_FORMAT_PCM_24:
      return SampleFormat::s24_4le;
    default:
      return SampleFormat::s32;
  }
}

// Why libsndfile did not open a file. What it says where a field of the header is out of range
// speaks of its own structures.
std::string refusal() {
  const std::string reason = sound_error(nullptr);
  if (reason.find("SF_INFO") != std::string::npos) {
    return "has a header that declares an impossible rate or number of channels";
  }
  return "is not an audio file that can be read: " + reason;
}

// What is not a number is silence.
std::int32_t full_scale(double value) {
  if (std::isnan(value)) {
    return 0;
  }
  return static_cast<std::int32_t>(
      std::clamp(std::floor(value * 0x1p31 + 0.5), -0x1p31, 0x1p31 - 1));
}

}  // namespace

AudioReader::AudioReader(const std::filesystem::path& path)
    : path_(path), descriptor_(open_to_read(path)) {
  require_content(path_, descriptor_.number());

  SF_INFO info{};
  file_.reset(sf_open_fd(descriptor_.number(), SFM_READ, &info, /*close_desc=*/SF_FALSE));
  if (file_ == nullptr) {
    fail_audio(path_, refusal());
  }
  if ((info.format & SF_FORMAT_TYPEMASK) == SF_FORMAT_RAW) {
    fail_audio(path_, "has no header that says what audio it holds");
  }
  if (info.channels < 1 || info.channels > static_cast<int>(kMaxFileChannels)) {
    fail_audio(path_, "has " + std::to_string(info.channels) + " channels, 1 to " +
                          std::to_string(kMaxFileChannels) + " are possible");
  }
  if (info.samplerate < static_cast<int>(kMinFileRate) ||
      info.samplerate > static_cast<int>(kMaxFileRate)) {
    fail_audio(path_, "has a rate of " + std::to_string(info.samplerate) + " Hz, " +
                          std::to_string(kMinFileRate) + " to " + std::to_string(kMaxFileRate) +
                          " are possible");
  }
  if (info.frames < 1) {
    fail_audio(path_, "holds no audio: it ends before the first frame");
  }

  const int subformat = info.format & SF_FORMAT_SUBMASK;
  rate_ = static_cast<std::uint32_t>(info.samplerate);
  channels_ = static_cast<std::uint32_t>(info.channels);
  frames_ = static_cast<std::uint64_t>(info.frames);
  sample_ = narrowest_format(subformat);
  integer_ = is_integer(subformat);
  block_.resize(kBlockFrames * channels_);
  if (!integer_) {
    float_block_.resize(block_.size());
  }
}

std::size_t AudioReader::read(std::byte* data, const StreamFormat& format, std::size_t frames) {
  const StreamFormat block_format{rate_, channels_, SampleFormat::s32};
  std::size_t done = 0;
  while (done < frames) {
    const std::size_t wanted = std::min(frames - done, kBlockFrames);
    const std::size_t got = read_block(wanted);
    convert_frames(reinterpret_cast<const std::byte*>(block_.data()), block_format,
                   data + done * format.frame_bytes(), format, got);
    done += got;
    if (got < wanted) {
      break;
    }
  }
  return done;
}

// Reads up to `frames` frames into block_; returns how many.
std::size_t AudioReader::read_block(std::size_t frames) {
  const auto wanted = static_cast<sf_count_t>(frames);
  sf_count_t got = 0;
  if (integer_) {
    got = sf_readf_int(file_.get(), block_.data(), wanted);
  } else {
    got = sf_readf_double(file_.get(), float_block_.data(), wanted);
    std::transform(float_block_.begin(), float_block_.begin() + got * channels_, block_.begin(),
                   full_scale);
  }
  if (got < wanted && sf_error(file_.get()) != SF_ERR_NO_ERROR) {
    fail_audio(path_, "cannot be read: " + sound_error(file_.get()));
  }
  return static_cast<std::size_t>(got);
}

void AudioReader::rewind() {
  if (sf_seek(file_.get(), 0, SEEK_SET) != 0) {
    fail_audio(path_, "cannot be read again from its start: " + sound_error(file_.get()));
  }
}

}  // namespace modmem::testbench
