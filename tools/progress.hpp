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

  // Shows which part `done` of `total` is, and the time that is left at the speed since begin();
  // likewise.
  void show_share(std::uint64_t done, std::uint64_t total);

  // The work that show_share() is about begins now; `what` stands before it.
  void begin(const char* what);

 private:
  bool is_due() const;
  void show_bar(std::uint64_t done, std::uint64_t total);
  void end_line();

  bool terminal_;
  bool shown_ = false;
  const char* what_ = "";
  std::chrono::steady_clock::time_point start_;
  std::chrono::steady_clock::time_point last_;
};

}  // namespace modmem::tools
