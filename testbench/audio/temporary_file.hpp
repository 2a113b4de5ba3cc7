// TemporaryFile: a file under a name of its own until it is complete.
//
// It lies in the folder of the file that it is to become, so that keep() is one atomic rename.
// Invariant: without keep() it is gone when the object is, whatever happened in between.
#pragma once

#include <filesystem>

#include "testbench/audio/audio_file.hpp"

namespace modmem::testbench {

// Where `path` leads if it is a symbolic link, whether something is there or not; else `path`.
std::filesystem::path end_of_links(std::filesystem::path path);

class TemporaryFile {
 public:
  // Creates an empty file that is to become `path`. Throws InputError where `path` is a directory,
  // or anything else that is not a regular file, or one that may not be written, or where its
  // folder does not exist or takes no file.
  explicit TemporaryFile(const std::filesystem::path& path);
  ~TemporaryFile();
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  // Open for reading and writing.
  int descriptor() const { return descriptor_.number(); }

  // Gives the file the name that it was made for, replacing what had it. Throws InputError where
  // that fails. Requires that it was not called before.
  void keep();

 private:
  std::filesystem::path path_;    // as asked for, for messages
  std::filesystem::path target_;  // the same without symbolic links
  std::filesystem::path name_;    // empty once it has its own
  FileDescriptor descriptor_;
};

}  // namespace modmem::testbench
