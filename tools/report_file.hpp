// ReportFile: a file that a report goes to, or standard output.
//
// Whether it can be written is found out before the run that is to be reported, and a regular file
// appears when it is complete: without write() whatever had the name still has it.
#pragma once

#include <cstdio>
#include <memory>
#include <optional>
#include <string>

#include "testbench/audio/temporary_file.hpp"

namespace modmem::tools {

// Writes `text` to `stream` (called `name` in errors), to the end. Throws InputError where it takes
// no more.
void write_text(std::FILE* stream, const std::string& name, const std::string& text);

class ReportFile {
 public:
  // Opens `path`; "-" is standard output. What exists and is not a regular file (a pipe, a device)
  // is written to directly. Throws InputError where it can't be written.
  explicit ReportFile(const std::string& path);

  bool is_standard_output() const { return path_ == "-"; }

  // Writes all of it. Once. Throws InputError where that fails.
  void write(const std::string& text);

  // Writes it in parts: append() as often as it takes, then finish(), once. They throw as write().
  void append(const std::string& text);
  void finish();

 private:
  struct Closer {
    void operator()(std::FILE* stream) const { std::fclose(stream); }
  };

  std::string path_;
  std::optional<testbench::TemporaryFile> temporary_;
  std::unique_ptr<std::FILE, Closer> stream_;
};

}  // namespace modmem::tools
