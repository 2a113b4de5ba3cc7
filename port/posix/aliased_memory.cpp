#include "port/posix/aliased_memory.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "base/check.hpp"
#include "modmem/config.hpp"

namespace modmem {

namespace {

constexpr std::size_t kGuard = config::kPageBytes;
constexpr int kNoAccess = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;

}  // namespace

const char* AliasedMemory::open(std::size_t file_bytes, std::size_t window_bytes, bool has_alias) {
  MODMEM_ASSERT(!is_open());
  window_bytes_ = window_bytes;
  alias_offset_ = has_alias ? static_cast<std::ptrdiff_t>(alias_stride()) : 0;
  void* space = mmap(nullptr, reserved_bytes(), PROT_NONE, kNoAccess, -1, 0);
  if (space == MAP_FAILED) {
    window_bytes_ = 0;
    return "reserving address space for the window";
  }
  window_ = static_cast<std::byte*>(space) + kGuard;
  file_ = memfd_create("modmem-sram", MFD_CLOEXEC);
  if (file_ < 0 || ftruncate(file_, static_cast<off_t>(file_bytes)) != 0) {
    const int error = errno;
    close();
    errno = error;
    return "creating the memory behind the window";
  }
  return nullptr;
}

void AliasedMemory::close() {
  if (file_ >= 0) {
    ::close(file_);
    file_ = -1;
  }
  if (is_open()) {
    munmap(window_ - kGuard, reserved_bytes());
    window_ = nullptr;
    window_bytes_ = 0;
    alias_offset_ = 0;
  }
}

std::size_t AliasedMemory::alias_stride() const { return std::bit_ceil(window_bytes_ + kGuard); }

std::size_t AliasedMemory::reserved_bytes() const {
  return static_cast<std::size_t>(alias_offset_) + window_bytes_ + 2 * kGuard;
}

bool AliasedMemory::map(std::size_t at, std::size_t offset, std::size_t bytes) {
  constexpr int kAccess = PROT_READ | PROT_WRITE;
  constexpr int kHow = MAP_SHARED | MAP_FIXED;
  const auto from = static_cast<off_t>(offset);
  std::byte* cached = window_ + at;
  if (mmap(cached, bytes, kAccess, kHow, file_, from) == MAP_FAILED) {
    return false;
  }
  if (alias_offset_ != 0 &&
      mmap(cached + alias_offset_, bytes, kAccess, kHow, file_, from) == MAP_FAILED) {
    unmap(at, bytes);
    return false;
  }
  return true;
}

void AliasedMemory::unmap(std::size_t at, std::size_t bytes) {
  std::byte* cached = window_ + at;
  for (std::byte* address : {cached, cached + alias_offset_}) {
    // Replacing a mapping in place can only fail for want of kernel memory: nothing to go on with.
    if (mmap(address, bytes, PROT_NONE, kNoAccess | MAP_FIXED, -1, 0) == MAP_FAILED) {
      std::perror("modmem: taking the access to a page away");
      std::abort();
    }
  }
}

bool AliasedMemory::fill(std::size_t offset, std::size_t bytes, std::byte value) {
  std::byte page[config::kPageBytes];
  std::memset(page, std::to_integer<int>(value), sizeof page);
  for (const std::size_t end = offset + bytes; offset != end;) {
    const ssize_t written =
        pwrite(file_, page, std::min(end - offset, sizeof page), static_cast<off_t>(offset));
    if (written <= 0) {
      return false;
    }
    offset += static_cast<std::size_t>(written);
  }
  return true;
}

}  // namespace modmem
