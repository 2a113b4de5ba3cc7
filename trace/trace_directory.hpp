// TraceDirectory: the directory of a trace that is being written.
//
// Invariant: without keep() it is as it was when the object is gone, not there or empty, whatever
// happened in between: half a trace would be read as a whole one.
#pragma once

#include <filesystem>

namespace modmem::trace {

class TraceDirectory {
 public:
  // Makes the directory, which must not exist or be empty. Throws TraceError where that can't be.
  explicit TraceDirectory(std::filesystem::path path);
  ~TraceDirectory();
  TraceDirectory(const TraceDirectory&) = delete;
  TraceDirectory& operator=(const TraceDirectory&) = delete;

  const std::filesystem::path& path() const { return path_; }

  // The trace is complete.
  void keep() { kept_ = true; }

 private:
  std::filesystem::path path_;
  bool made_ = false;  // by this object
  bool kept_ = false;
};

}  // namespace modmem::trace
