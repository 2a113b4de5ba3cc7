// ProgressLine: one line on a terminal that says how far a run is. Silent where stderr is no
// terminal.
#pragma once

#include <chrono>
#include <cstdint>

namespace modmem::tools {

class ProgressLine {
 public:
  ProgressLine();
  // Takes the line off the screen.
  ~ProgressLine();
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  // Shows `done` of `total` periods, ten times a second at most.
  void show(std::uint64_t done, std::uint64_t total);

 private:
  bool terminal_;
  bool shown_ = false;
  std::chrono::steady_clock::time_point last_;
};

}  // namespace modmem::tools
