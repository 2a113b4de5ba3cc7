// What the reader and the writer of audio files share: owning handles and the wording of errors.
//
// Invariant: a message is one line, "FILE: REASON", whatever characters the file's name holds.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

struct sf_private_tag;  // what <sndfile.h> calls SNDFILE

namespace modmem::testbench {

// Throws InputError: "FILE: REASON".
[[noreturn]] void fail_audio(const std::filesystem::path& file, std::string_view reason);
// The same with what errno value `error` means after the reason.
[[noreturn]] void fail_audio(const std::filesystem::path& file, std::string_view reason, int error);

// What libsndfile says went wrong last with `file` (nullptr: with opening), in the form of the
// messages here: one line, no full stop.
std::string sound_error(sf_private_tag* file);

// Owns a file descriptor.
class FileDescriptor {
 public:
  FileDescriptor() = default;
  explicit FileDescriptor(int number) : number_(number) {}
  ~FileDescriptor();
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;

  int number() const { return number_; }
  bool is_open() const { return number_ >= 0; }

 private:
  int number_ = -1;
};

struct SoundFileCloser {
  void operator()(sf_private_tag* file) const;
};
using SoundFile = std::unique_ptr<sf_private_tag, SoundFileCloser>;

}  // namespace modmem::testbench
