#include "tools/progress.hpp"

#include <unistd.h>

#include <cstdio>

namespace modmem::tools {

ProgressLine::ProgressLine() : terminal_(isatty(STDERR_FILENO) == 1) {}

ProgressLine::~ProgressLine() {
  if (shown_) {
    std::fputs("\r\033[K", stderr);
  }
}

void ProgressLine::show(std::uint64_t done, std::uint64_t total) {
  const auto now = std::chrono::steady_clock::now();
  if (!terminal_ || total == 0 || (shown_ && now - last_ < std::chrono::milliseconds(100))) {
    return;
  }
  constexpr std::uint64_t kWidth = 40;
  char bar[kWidth + 1];
  for (std::uint64_t i = 0; i < kWidth; ++i) {
    bar[i] = i * total < done * kWidth ? '#' : '.';
  }
  bar[kWidth] = '\0';
  std::fprintf(stderr, "\r[%s] %3llu %%  %.3f of %.3f s", bar,
               static_cast<unsigned long long>(done * 100 / total),
               static_cast<double>(done) / 1000, static_cast<double>(total) / 1000);
  std::fflush(stderr);
  shown_ = true;
  last_ = now;
}

}  // namespace modmem::tools
