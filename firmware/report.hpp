// Report: what a firmware image found out, in the Test Anything Protocol, which the host's runner
// (firmware/run_images.py) turns into a pass or a fail.
//
//   TAP version 13
//   ok 1 - elastic: blocks are disjoint
//   not ok 2 - elastic: ...
//     # heap.allocate(16, 1) != nullptr, firmware/conformance.cpp:40
//   # 1234 instructions
//   1..2
//
// One object for an image; not thread-safe.
#pragma once

#include <cstdint>

namespace modmem::firmware {

class Report {
 public:
  // Begins a test. `subject` and `name` must outlive it.
  void begin(const char* subject, const char* name);

  // A failed check of the test; the first ones are written out. Returns `condition`.
  bool check(bool condition, const char* text, const char* file, int line);

  // Ends the test with its line.
  void end();

  // A line of figures: "# NAME VALUE".
  void figure(const char* name, std::uint64_t value);

  // The plan at the end. Returns the image's exit status: 0 where all passed.
  int finish();

 private:
  static constexpr std::uint32_t kMostWritten = 5;

  const char* subject_ = "";
  const char* name_ = "";
  std::uint32_t tests_ = 0;
  std::uint32_t failed_ = 0;
  std::uint32_t failed_checks_ = 0;
};

// Text and numbers to the console.
void print(const char* text);
void print_decimal(std::uint64_t number);
void print_hexadecimal(std::uint64_t number);

}  // namespace modmem::firmware

#define MODMEM_CHECK(report, condition) (report).check((condition), #condition, __FILE__, __LINE__)
