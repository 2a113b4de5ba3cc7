#include "testbench/coherence/cached_window.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <system_error>

#include "modmem/config.hpp"

namespace modmem::testbench {

CachedWindow::CachedWindow(std::byte* window, std::size_t bytes) : window_(window), bytes_(bytes) {
  file_ = memfd_create("modmem-caches", MFD_CLOEXEC);
  void* view = MAP_FAILED;
  if (file_ >= 0 && ftruncate(file_, static_cast<off_t>(bytes)) == 0) {
    view = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file_, 0);
  }
  if (view == MAP_FAILED) {
    const int error = errno;
    if (file_ >= 0) {
      close(file_);
    }
    throw std::system_error(error, std::generic_category(), "memory for simulated caches");
  }
  view_ = static_cast<std::byte*>(view);
}

CachedWindow::~CachedWindow() {
  munmap(view_, bytes_);
  close(file_);
}

bool CachedWindow::lay(std::size_t page) {
  const std::size_t at = page * config::kPageBytes;
  return mmap(window_ + at, config::kPageBytes, PROT_NONE, MAP_SHARED | MAP_FIXED, file_,
              static_cast<off_t>(at)) != MAP_FAILED;
}

void CachedWindow::set_access(std::size_t page, Access access, std::size_t count) {
  const int protection = access == Access::open        ? PROT_READ | PROT_WRITE
                         : access == Access::read_only ? PROT_READ
                                                       : PROT_NONE;
  if (mprotect(window_ + page * config::kPageBytes, count * config::kPageBytes, protection) != 0) {
    std::perror("modmem: changing the access to a page of a simulated cache");
    std::abort();
  }
}

std::byte* CachedWindow::content(std::size_t page) const {
  return view_ + page * config::kPageBytes;
}

}  // namespace modmem::testbench
