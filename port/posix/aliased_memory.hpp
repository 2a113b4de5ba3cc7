// AliasedMemory: a file in memory (memfd), and address space to map its pages at, twice where there
// is an uncached alias.
//
// The addresses are whatever range the kernel has free, without access until something is mapped;
// a page without access lies before and behind each alias, so that an overrun at either end faults.
// From one alias to the other it is a power of two no smaller than the window and that page: a
// block is aligned through both alike.
//
// The file is shared by all who map it, which after fork() are two processes: before_fork() and
// after_fork() give the child a copy of its own, as it has of all other memory.
//
// Cost: a system call for each alias that something is mapped at or taken away from; 4 bytes a page
// of the window. Linux only.
#pragma once

#include <cstddef>
#include <cstdint>

#include "port/port.hpp"
#include "port/posix/kernel_array.hpp"

namespace modmem {

class AliasedMemory {
 public:
  AliasedMemory() = default;
  ~AliasedMemory() { close(); }
  AliasedMemory(const AliasedMemory&) = delete;
  AliasedMemory& operator=(const AliasedMemory&) = delete;

  // Creates a file of `file_bytes`, and reserves `window_bytes` for each alias; both multiples of
  // the page. The file is all zeros. Returns nullptr; where the host does not give one of the two,
  // what that was, with the reason in errno, and stays closed. Requires that it is closed.
  const char* open(std::size_t file_bytes, std::size_t window_bytes, bool has_alias);

  // Gives both back. Allowed at any time.
  void close();

  bool is_open() const { return window_ != nullptr; }
  std::byte* window() const { return window_; }
  std::size_t window_bytes() const { return window_bytes_; }
  std::ptrdiff_t alias_offset() const { return alias_offset_; }

  // Maps [offset, offset + bytes) of the file at `at` of both aliases, all multiples of the page.
  // Returns false where the host refuses: then nothing is mapped there.
  bool map(std::size_t at, std::size_t offset, std::size_t bytes);

  // Maps [offset, offset + bytes) of the file in place of what is mapped at `at`, without a moment
  // in which nothing is. Returns false where the host refuses: then all is as before.
  bool remap(std::size_t at, std::size_t offset, std::size_t bytes);

  // Takes the access to [at, at + bytes) of both aliases away. Cannot fail.
  void unmap(std::size_t at, std::size_t bytes);

  // Closes what is mapped at [at, at + bytes) of both aliases to access, has it read only, or opens
  // it again. Cannot fail.
  void set_access(std::size_t at, std::size_t bytes, Access access);

  // Sets [offset, offset + bytes) of the file to `value`, mapped or not. Returns false where the
  // host has no memory for it: then some of it has its old content. No bytes: nothing happens, open
  // or not.
  bool fill(std::size_t offset, std::size_t bytes, std::byte value);

  // Right before fork() and, in both processes, right after it; nothing may be mapped, unmapped or
  // filled in between. What parent and child then write, the other does not see. Where the host has
  // no memory for the copy, both go on with one memory. Open or not. O(bytes of the file in use).
  void before_fork();
  void after_fork(bool is_child);

 private:
  static constexpr std::uint32_t kNotMapped = UINT32_MAX;
  static constexpr std::uint32_t kClosed = std::uint32_t{1} << 31;
  static constexpr std::uint32_t kReadOnly = std::uint32_t{1} << 30;

  void note(std::size_t at, std::size_t offset, std::size_t bytes, bool mapped);
  bool copy_file();
  void map_again();
  std::size_t alias_stride() const;
  std::size_t reserved_bytes() const;

  int file_ = -1;
  int copy_ = -1;  // for the child, between before_fork() and after_fork()
  std::size_t file_bytes_ = 0;
  // What page of the file lies at each page of the window, with kClosed or kReadOnly where
  // that is so.
  KernelArray<std::uint32_t> file_pages_;
  std::byte* window_ = nullptr;
  std::size_t window_bytes_ = 0;
  std::ptrdiff_t alias_offset_ = 0;
};

}  // namespace modmem
