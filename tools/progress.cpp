#include "tools/progress.hpp"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace modmem::tools {

namespace {

using Clock = std::chrono::steady_clock;

}  // namespace

ProgressLine::ProgressLine() : terminal_(isatty(STDERR_FILENO) == 1), start_(Clock::now()) {}

ProgressLine::~ProgressLine() {
  if (shown_) {
    std::fputs("\r\033[K", stderr);
  }
}

bool ProgressLine::is_due() const {
  return terminal_ && (!shown_ || Clock::now() - last_ >= std::chrono::milliseconds(100));
}

void ProgressLine::show_bar(std::uint64_t done, std::uint64_t total) {
  constexpr std::uint64_t kWidth = 40;
  char bar[kWidth + 1];
  const double share = static_cast<double>(done) / static_cast<double>(total);
  for (std::uint64_t i = 0; i < kWidth; ++i) {
    bar[i] = static_cast<double>(i) < share * kWidth ? '#' : '.';
  }
  bar[kWidth] = '\0';
  std::fprintf(stderr, "\r%s[%s] %3u %%  ", what_, bar, static_cast<unsigned>(share * 100));
}

void ProgressLine::end_line() {
  std::fflush(stderr);
  shown_ = true;
  last_ = Clock::now();
}

void ProgressLine::show(std::uint64_t done, std::uint64_t total) {
  if (total == 0 || !is_due()) {
    return;
  }
  show_bar(done, total);
  std::fprintf(stderr, "%.3f of %.3f s", static_cast<double>(done) / 1000,
               static_cast<double>(total) / 1000);
  end_line();
}

void ProgressLine::begin(const char* what) {
  what_ = what;
  start_ = Clock::now();
}

void ProgressLine::show_share(std::uint64_t done, std::uint64_t total) {
  if (total == 0 || !is_due()) {
    return;
  }
  done = std::min(done, total);
  show_bar(done, total);
  std::fputs("\033[K", stderr);
  const double seconds = std::chrono::duration<double>(Clock::now() - start_).count();
  // Before there is anything to judge by, nothing is said.
  if (done != 0 && seconds > 1) {
    const double left = seconds * static_cast<double>(total - done) / static_cast<double>(done);
    const auto whole = static_cast<unsigned long long>(std::llround(left));
    std::fprintf(stderr, "%llu:%02llu:%02llu left", whole / 3600, whole / 60 % 60, whole % 60);
  }
  end_line();
}

}  // namespace modmem::tools
