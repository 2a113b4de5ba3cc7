// CtfFiles: the files of a recorded trace, made whole where they are damaged.
//
// Each stream is looked at packet by packet and event by event. What is whole stays; a packet that
// is cut off, or in which an event can't be, ends before that; what lies between packets is left
// out, and metadata is what it should be. Each such place is a problem, with its file and offset.
// Where there is one, path() is a copy without it, which goes with this object; else it is the
// trace itself. Cost: O(bytes); memory: a packet, and 100 B for each.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "trace/ctf_environment.hpp"

namespace modmem::trace {

class CtfFiles {
 public:
  // Of each file; of more of them only the number is said.
  static constexpr std::size_t kMostProblems = 100;

  // Throws TraceError where there is no trace of ours to be read.
  explicit CtfFiles(const std::filesystem::path& directory);
  ~CtfFiles();
  CtfFiles(const CtfFiles&) = delete;
  CtfFiles& operator=(const CtfFiles&) = delete;

  const CtfEnvironment& environment() const { return environment_; }
  const std::filesystem::path& path() const { return path_; }
  // "FILE: at byte N: reason" each.
  const std::vector<std::string>& problems() const { return problems_; }
  std::uint64_t bytes() const { return bytes_; }  // of all streams
  // Events that the recorder had no room for, as the last packets of all streams say.
  std::uint64_t discarded() const { return discarded_; }

 private:
  bool mend(const std::map<std::uint32_t, std::filesystem::path>& files);
  void remove_copy();

  CtfEnvironment environment_;
  std::filesystem::path path_;
  std::filesystem::path copy_;  // empty: there is none
  std::vector<std::string> problems_;
  std::uint64_t bytes_ = 0;
  std::uint64_t discarded_ = 0;
};

}  // namespace modmem::trace
