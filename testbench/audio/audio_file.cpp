#include "testbench/audio/audio_file.hpp"

#include <sndfile.h>
#include <unistd.h>

#include <algorithm>
#include <system_error>

#include "testbench/input_error.hpp"

namespace modmem::testbench {

void fail_audio(const std::filesystem::path& file, std::string_view reason) {
  std::string message = file.string() + ": " + std::string(reason);
  std::replace_if(
      message.begin(), message.end(),
      [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7f'; }, '?');
  throw InputError(message);
}

void fail_audio(const std::filesystem::path& file, std::string_view reason, int error) {
  fail_audio(file, std::string(reason) + ": " + std::generic_category().message(error));
}

std::string sound_error(sf_private_tag* file) {
  std::string text = sf_strerror(file);
  std::replace(text.begin(), text.end(), '\n', ' ');
  while (!text.empty() && (text.back() == ' ' || text.back() == '.')) {
    text.pop_back();
  }
  return text;
}

FileDescriptor::~FileDescriptor() {
  if (is_open()) {
    ::close(number_);
  }
}

void SoundFileCloser::operator()(sf_private_tag* file) const { sf_close(file); }

}  // namespace modmem::testbench
