// KernelArray: an array straight from the kernel, for tables of a host's port.
//
// Not from the C library: a program may have replaced its allocator with this one, which boots at
// its first call. Elements are zero at first. Cost: a system call to open and to close.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <type_traits>

namespace modmem {

template <typename T>
class KernelArray {
 public:
  static_assert(std::is_trivial_v<T>);

  KernelArray() = default;
  ~KernelArray() { close(); }
  KernelArray(const KernelArray&) = delete;
  KernelArray& operator=(const KernelArray&) = delete;

  // Gets `count` (> 0) elements. Returns false, with errno, where the kernel has none. Requires
  // that it is closed.
  bool open(std::size_t count) {
    void* memory = mmap(nullptr, count * sizeof(T), PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
      return false;
    }
    first_ = static_cast<T*>(memory);
    count_ = count;
    return true;
  }

  // Gives them back; does nothing where it is closed.
  void close() {
    if (first_ != nullptr) {
      munmap(first_, count_ * sizeof(T));
      first_ = nullptr;
      count_ = 0;
    }
  }

  T* data() const { return first_; }
  T& operator[](std::size_t index) const { return first_[index]; }

 private:
  T* first_ = nullptr;
  std::size_t count_ = 0;
};

}  // namespace modmem
