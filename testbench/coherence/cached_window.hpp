// CachedWindow: the cached alias of a simulated SRAM, taken from the SRAM: what lies there is what
// the core whose turn it is sees, and accesses to it can be let in page by page.
//
// The pages are those of a file in memory of its own, which lies at the window's addresses, where a
// page is closed until it is opened, and at others, where whoever simulates the caches reads and
// writes it. Cost: a system call for each page closed, opened or laid out. Linux only.
#pragma once

#include <cstddef>

#include "port/port.hpp"

namespace modmem::testbench {

class CachedWindow {
 public:
  // `window`, page-aligned, of `bytes` bytes, stays as it is until pages are laid out. Throws
  // std::system_error where the host does not give the memory.
  CachedWindow(std::byte* window, std::size_t bytes);
  ~CachedWindow();
  CachedWindow(const CachedWindow&) = delete;
  CachedWindow& operator=(const CachedWindow&) = delete;

  // Lays the page out in place of whatever is mapped there: closed. False where the host refuses.
  bool lay(std::size_t page);
  // Opens or closes pages that are laid out, next to each other. For signal handlers too.
  void set_access(std::size_t page, Access access, std::size_t count = 1);

  // What the page's accesses read and write.
  std::byte* content(std::size_t page) const;

 private:
  std::byte* window_;
  std::size_t bytes_;
  int file_ = -1;
  std::byte* view_ = nullptr;
};

}  // namespace modmem::testbench
