// MetadataArena: hands out, once and for good, the memory that the integrator gives at boot.
//
// Everything whose number is fixed by the PlatformConfig (bank table, frame table, owners, heaps)
// comes from here. Nothing is ever returned: the arena lives as long as the system.
//
// Invariant: used <= capacity. An arena without memory only measures: take() advances `used` and
// returns nullptr, so that one and the same set-up code tells how much it needs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>
#include <span>

#include "base/bits.hpp"

namespace modmem {

class MetadataArena {
 public:
  // A measuring arena.
  MetadataArena() = default;
  // An arena over `memory`, which must outlive everything taken from it.
  explicit MetadataArena(std::span<std::byte> memory)
      : base_(memory.data()), capacity_(memory.size()) {}

  // `count` value-initialised objects. Returns nullptr exactly when the arena measures or is
  // exhausted; used() grows in every case. O(count). Boot time only.
  template <typename T>
  T* take(std::size_t count) {
    const std::size_t offset = align_up(used_, kAlignment);
    used_ = offset + count * sizeof(T);
    static_assert(alignof(T) <= kAlignment);
    if (base_ == nullptr || used_ > capacity_) {
      return nullptr;
    }
    T* first = reinterpret_cast<T*>(base_ + offset);
    for (std::size_t i = 0; i < count; ++i) {
      new (first + i) T();
    }
    return first;
  }

  // Bytes that were asked for, whether there was memory or not.
  std::size_t used() const { return used_; }
  bool exhausted() const { return used_ > capacity_; }

  // What memory given to an arena must be aligned to.
  static constexpr std::size_t kAlignment = 16;

 private:
  std::byte* base_ = nullptr;
  std::size_t capacity_ = 0;
  std::size_t used_ = 0;
};

}  // namespace modmem
