#include "firmware/report.hpp"

#include "firmware/board.hpp"

namespace modmem::firmware {

namespace {

void print_digits(std::uint64_t number, unsigned base) {
  char text[21];
  char* at = text + sizeof text - 1;
  *at = '\0';
  do {
    *--at = "0123456789abcdef"[number % base];
    number /= base;
  } while (number != 0);
  write(at);
}

}  // namespace

void print(const char* text) { write(text); }
void print_decimal(std::uint64_t number) { print_digits(number, 10); }
void print_hexadecimal(std::uint64_t number) {
  write("0x");
  print_digits(number, 16);
}

void Report::begin(const char* subject, const char* name) {
  if (tests_ == 0) {
    print("TAP version 13\n");
  }
  ++tests_;
  subject_ = subject;
  name_ = name;
  failed_checks_ = 0;
}

bool Report::check(bool condition, const char* text, const char* file, int line) {
  if (!condition && ++failed_checks_ <= kMostWritten) {
    print("  # ");
    print(text);
    print(", ");
    print(file);
    print(":");
    print_decimal(static_cast<std::uint64_t>(line));
    print("\n");
  }
  return condition;
}

void Report::end() {
  print(failed_checks_ == 0 ? "ok " : "not ok ");
  print_decimal(tests_);
  print(" - ");
  print(subject_);
  print(": ");
  print(name_);
  print("\n");
  failed_ += failed_checks_ == 0 ? 0 : 1;
}

void Report::figure(const char* name, std::uint64_t value) {
  print("# ");
  print(name);
  print(" ");
  print_decimal(value);
  print("\n");
}

int Report::finish() {
  print("1..");
  print_decimal(tests_);
  print("\n");
  return failed_ == 0 && tests_ != 0 ? 0 : 1;
}

}  // namespace modmem::firmware
