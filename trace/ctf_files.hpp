// CtfFiles: the files of a recorded trace, made whole where they are damaged.
//
// Each stream is looked at packet by packet and event by event. What is whole stays; a packet that
// is cut off, or in which an event can't be, ends before that; what lies between packets is left
// out. Each such place is a problem, with its file and offset. Where there is one, path() is a copy
// without it, which goes with this object; else it is the trace itself. O(bytes), in time and, for
// the largest of the streams, in memory.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace modmem::trace {

class CtfFiles {
 public:
  // Throws TraceError where there is no trace of ours to be read.
  explicit CtfFiles(const std::filesystem::path& directory);
  ~CtfFiles();
  CtfFiles(const CtfFiles&) = delete;
  CtfFiles& operator=(const CtfFiles&) = delete;

  const std::filesystem::path& path() const { return path_; }
  // "FILE: at byte N: reason" each.
  const std::vector<std::string>& problems() const { return problems_; }
  std::uint64_t bytes() const { return bytes_; }  // of all streams

 private:
  void clear();
  bool mend(const std::filesystem::path& file);

  std::filesystem::path path_;
  std::filesystem::path copy_;  // empty: there is none
  std::vector<std::string> problems_;
  std::uint64_t bytes_ = 0;
};

}  // namespace modmem::trace
