#include "port/posix/aliased_memory.hpp"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <utility>

#include "base/check.hpp"
#include "modmem/config.hpp"

namespace modmem {

namespace {

constexpr std::size_t kGuard = config::kPageBytes;
constexpr int kNoAccess = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
constexpr int kAccess = PROT_READ | PROT_WRITE;
constexpr int protection(Access access) {
  return access == Access::closed ? PROT_NONE : access == Access::read_only ? PROT_READ : kAccess;
}
constexpr int kShared = MAP_SHARED | MAP_FIXED;

int create_file(std::size_t bytes) {
  const int file = memfd_create("modmem-sram", MFD_CLOEXEC);
  if (file >= 0 && ftruncate(file, static_cast<off_t>(bytes)) != 0) {
    const int error = errno;
    close(file);
    errno = error;
    return -1;
  }
  return file;
}

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
  file_ = create_file(file_bytes);
  file_bytes_ = file_bytes;
  if (file_ < 0 || !file_pages_.open(window_bytes / config::kPageBytes)) {
    const int error = errno;
    close();
    errno = error;
    return "creating the memory behind the window";
  }
  note(0, 0, window_bytes, false);
  return nullptr;
}

void AliasedMemory::close() {
  file_pages_.close();
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
  const auto from = static_cast<off_t>(offset);
  std::byte* cached = window_ + at;
  if (mmap(cached, bytes, kAccess, kShared, file_, from) == MAP_FAILED) {
    return false;
  }
  if (alias_offset_ != 0 &&
      mmap(cached + alias_offset_, bytes, kAccess, kShared, file_, from) == MAP_FAILED) {
    unmap(at, bytes);
    return false;
  }
  note(at, offset, bytes, true);
  return true;
}

bool AliasedMemory::remap(std::size_t at, std::size_t offset, std::size_t bytes) {
  const auto from = static_cast<off_t>(offset);
  const auto before =
      static_cast<off_t>(file_pages_[at / config::kPageBytes]) * off_t{config::kPageBytes};
  std::byte* cached = window_ + at;
  if (mmap(cached, bytes, kAccess, kShared, file_, from) == MAP_FAILED) {
    return false;
  }
  if (alias_offset_ != 0 &&
      mmap(cached + alias_offset_, bytes, kAccess, kShared, file_, from) == MAP_FAILED) {
    // The way back asks for no more mappings than there were a moment ago.
    if (mmap(cached, bytes, kAccess, kShared, file_, before) == MAP_FAILED) {
      std::perror("modmem: giving a page its memory back");
      std::abort();
    }
    return false;
  }
  note(at, offset, bytes, true);
  return true;
}

void AliasedMemory::note(std::size_t at, std::size_t offset, std::size_t bytes, bool mapped) {
  for (std::size_t done = 0; done < bytes; done += config::kPageBytes) {
    file_pages_[(at + done) / config::kPageBytes] =
        mapped ? static_cast<std::uint32_t>((offset + done) / config::kPageBytes) : kNotMapped;
  }
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
  note(at, 0, bytes, false);
}

void AliasedMemory::set_access(std::size_t at, std::size_t bytes, Access access) {
  std::byte* cached = window_ + at;
  for (std::byte* address : {cached, cached + alias_offset_}) {
    if (mprotect(address, bytes, protection(access)) != 0) {
      std::perror("modmem: changing the access to a page");
      std::abort();
    }
  }
  for (std::size_t done = 0; done < bytes; done += config::kPageBytes) {
    std::uint32_t& note = file_pages_[(at + done) / config::kPageBytes];
    note &= ~(kClosed | kReadOnly);
    note |= access == Access::closed ? kClosed : access == Access::read_only ? kReadOnly : 0;
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

void AliasedMemory::before_fork() {
  if (!is_open()) {
    return;
  }
  copy_ = create_file(file_bytes_);
  if (copy_ >= 0 && !copy_file()) {
    ::close(copy_);
    copy_ = -1;
  }
}

void AliasedMemory::after_fork(bool is_child) {
  if (copy_ < 0) {
    return;
  }
  if (is_child) {
    std::swap(file_, copy_);
    map_again();
  }
  ::close(copy_);
  copy_ = -1;
}

// Only what was ever written takes memory, in the copy as well.
bool AliasedMemory::copy_file() {
  std::byte page[config::kPageBytes];
  off_t at = lseek(file_, 0, SEEK_DATA);
  while (at >= 0) {
    const off_t end = lseek(file_, at, SEEK_HOLE);
    while (at < end) {
      const ssize_t bytes = pread(file_, page, sizeof page, at);
      if (bytes <= 0 || pwrite(copy_, page, static_cast<std::size_t>(bytes), at) != bytes) {
        return false;
      }
      at += bytes;
    }
    at = lseek(file_, at, SEEK_DATA);
  }
  return errno == ENXIO;  // no data behind
}

// Maps the file where it was mapped before, a run of pages at a time.
void AliasedMemory::map_again() {
  const std::size_t pages = window_bytes_ / config::kPageBytes;
  for (std::size_t first = 0; first < pages;) {
    std::size_t end = first + 1;
    while (end < pages && file_pages_[first] != kNotMapped &&
           file_pages_[end] == file_pages_[first] + (end - first)) {
      ++end;
    }
    if (file_pages_[first] != kNotMapped) {
      const std::uint32_t note = file_pages_[first];
      const Access access = (note & kClosed) != 0     ? Access::closed
                            : (note & kReadOnly) != 0 ? Access::read_only
                                                      : Access::open;
      const std::uint32_t file_page = note & ~(kClosed | kReadOnly);
      for (const std::ptrdiff_t alias : {std::ptrdiff_t{0}, alias_offset_}) {
        // Not through mmap(): checkers of memory accesses would forget what they know of the range.
        const long mapped =
            syscall(SYS_mmap, window_ + alias + first * config::kPageBytes,
                    (end - first) * config::kPageBytes, protection(access), kShared, file_,
                    static_cast<off_t>(std::size_t{file_page} * config::kPageBytes));
        if (mapped == -1) {
          std::perror("modmem: mapping memory after fork()");
          std::abort();
        }
      }
    }
    first = end;
  }
}

}  // namespace modmem
