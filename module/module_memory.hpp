// ModuleMemory: everything that one module instance holds, released with it.
//
// A module takes all of its memory here. Every block is charged to the module's owner, so that
// usage, high-water mark, failures and the optional limit are the module's own. release_all() gives
// everything back, newest first; whatever is held when the account ends is reported as a leak and
// released all the same: a module cannot leak, on no error path. make() and make_array() give
// handles that destroy and free by themselves.
//
// What a module holds beside blocks are resources (module/resource.hpp), in places that are not
// charged to it. They end before the blocks, newest first: a resource may use blocks, a block uses
// nothing.
//
// Invariant: held bytes = sum of the bytes of the blocks that were allocated here and not freed.
// Any thread (Memory's lock); not the audio path, not an interrupt.
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>
#include <type_traits>
#include <utility>

#include "base/check.hpp"
#include "memory/memory.hpp"
#include "module/resource.hpp"
#include "module/resource_places.hpp"

namespace modmem {

template <typename T>
class ModuleHandle;
template <typename T>
class ModuleArray;

class ModuleMemory {
 public:
  // Empty: allocate() fails until open() succeeds.
  ModuleMemory() = default;
  ~ModuleMemory() { close(); }
  ModuleMemory(const ModuleMemory&) = delete;
  ModuleMemory& operator=(const ModuleMemory&) = delete;

  // Opens an account for a module or buffer under `parent`. Returns false exactly when Memory has
  // no room for another owner. Requires that it is not open. `memory` and the name must outlive it.
  bool open(Memory& memory, Owner& parent, const OwnerSpec& spec);

  // Ends the account. Resources that the module still holds, and the blocks that it then still
  // holds, are reported to Memory's observer as leaks, and end. Returns how many. Does nothing
  // where not open.
  std::size_t close();

  // The same for a module that was stopped, maybe within a call of this: what it holds is no leak,
  // and none of its functions is called.
  void abandon();

  // `bytes` (> 0) at a multiple of `alignment` (a power of two; 0: natural), for what `flags` say.
  // Returns nullptr exactly when Memory can't serve it; that failure is counted here and explained
  // by Memory. O(1) where a mapped page has room, else O(pages).
  void* allocate(std::size_t bytes, std::size_t alignment = 0, Flags flags = flag::kUser,
                 Site site = MODMEM_HERE);
  // The same, zeroed.
  void* allocate_zeroed(std::size_t bytes, std::size_t alignment = 0, Flags flags = flag::kUser,
                        Site site = MODMEM_HERE);
  // As Heap::allocate_range(), leaving the configured headroom to others.
  Range allocate_range(std::size_t minimum, std::size_t preferred, std::size_t alignment = 0,
                       Flags flags = flag::kUser | flag::kLargeBuffer, Site site = MODMEM_HERE);

  // Ends a block of this module. nullptr: nothing happens, and `live` is returned. Any other
  // pointer that is not the start of a live block of this very module changes nothing, is reported
  // as a fault, and its status returned (`foreign` for another owner's block). `from`: where, for
  // reports of what happens to it afterwards.
  PointerStatus free(void* pointer, Site from = {});

  // Ends all resources, then all blocks, newest first. Returns how many of both.
  std::size_t release_all();

  // A resource of type T, made from `arguments`, that the module holds from now on. `site` is who
  // asked. Returns nullptr exactly when the module is not open or memory ran out, which is counted
  // here, but not explained to Memory's observer. O(resources).
  template <typename T, typename... Arguments>
  T* make_resource(Site site, Arguments&&... arguments);

  // Ends the newest resource of that kind and handle. Returns false, with nothing changed, exactly
  // where the module holds none. O(resources).
  bool end_resource(ResourceKind kind, const void* handle);
  // Whether there is one. The port's lock is held. O(resources).
  bool holds_locked(ResourceKind kind, const void* handle) {
    return *link_of(kind, handle) != nullptr;
  }

  std::size_t held_bytes() const;
  std::size_t high_water_mark() const;
  std::uint64_t failures() const;
  // Blocks and resources that it holds.
  std::size_t held() const;
  // The account; nullptr where not open.
  Owner* owner() { return owner_; }
  const Owner* owner() const { return owner_; }

  // A T made from `arguments`, empty where memory ran out.
  template <typename T, typename... Arguments>
  ModuleHandle<T> make(Arguments&&... arguments);

  // `count` value-initialised Ts, empty where memory ran out.
  template <typename T>
  ModuleArray<T> make_array(std::size_t count, Flags flags = flag::kUser, Site site = MODMEM_HERE);

 private:
  void* take_place(Site site);
  void hold(Resource& resource);
  Resource** link_of(ResourceKind kind, const void* handle);
  Resource* take_newest();
  std::size_t end_resources(bool leaks);

  Memory* memory_ = nullptr;
  Owner* owner_ = nullptr;
  ResourcePlaces places_;
  Resource* newest_resource_ = nullptr;  // under the port's lock
  std::uint64_t resource_failures_ = 0;  // likewise
};

// Owns an object in module memory: destroys and frees it. Must go before its ModuleMemory is
// closed.
template <typename T>
class ModuleHandle {
 public:
  ModuleHandle() = default;
  ModuleHandle(ModuleMemory& memory, T* object, void* block)
      : memory_(&memory), object_(object), block_(block) {}
  ~ModuleHandle() { reset(); }
  ModuleHandle(ModuleHandle&& other) noexcept { take(other); }
  // Also from a handle of a derived class; T then needs a virtual destructor.
  template <typename U>
  requires std::is_convertible_v<U*, T*> ModuleHandle(ModuleHandle<U>&& other)
  noexcept {
    static_assert(std::has_virtual_destructor_v<T>);
    take(other);
  }
  ModuleHandle& operator=(ModuleHandle&& other) noexcept {
    if (this != &other) {
      reset();
      take(other);
    }
    return *this;
  }

  T* get() const { return object_; }
  T* operator->() const { return object_; }
  T& operator*() const { return *object_; }
  explicit operator bool() const { return object_ != nullptr; }

  void reset() {
    if (object_ != nullptr) {
      object_->~T();
      memory_->free(block_);
      object_ = nullptr;
    }
  }
  // Owns it no longer: its memory is the module's still, and it is never destroyed.
  void forget() { object_ = nullptr; }

 private:
  template <typename U>
  friend class ModuleHandle;

  template <typename U>
  void take(ModuleHandle<U>& other) {
    memory_ = other.memory_;
    block_ = other.block_;
    object_ = std::exchange(other.object_, nullptr);
  }

  ModuleMemory* memory_ = nullptr;
  T* object_ = nullptr;
  void* block_ = nullptr;
};

// Owns an array in module memory.
template <typename T>
class ModuleArray {
 public:
  ModuleArray() = default;
  ModuleArray(ModuleMemory& memory, T* first, std::size_t count)
      : memory_(&memory), first_(first), count_(count) {}
  ~ModuleArray() { reset(); }
  ModuleArray(ModuleArray&& other) noexcept { take(other); }
  ModuleArray& operator=(ModuleArray&& other) noexcept {
    if (this != &other) {
      reset();
      take(other);
    }
    return *this;
  }

  T* data() const { return first_; }
  std::size_t size() const { return count_; }
  T& operator[](std::size_t index) const { return first_[index]; }
  T* begin() const { return first_; }
  T* end() const { return first_ + count_; }
  explicit operator bool() const { return first_ != nullptr; }

  void reset() {
    if (first_ != nullptr) {
      for (std::size_t i = count_; i-- > 0;) {
        first_[i].~T();
      }
      memory_->free(first_);
      first_ = nullptr;
      count_ = 0;
    }
  }

 private:
  void take(ModuleArray& other) {
    memory_ = other.memory_;
    first_ = std::exchange(other.first_, nullptr);
    count_ = std::exchange(other.count_, 0);
  }

  ModuleMemory* memory_ = nullptr;
  T* first_ = nullptr;
  std::size_t count_ = 0;
};

template <typename T, typename... Arguments>
T* ModuleMemory::make_resource(Site site, Arguments&&... arguments) {
  static_assert(std::is_base_of_v<Resource, T> && sizeof(T) <= ResourcePlaces::kBytes &&
                alignof(T) <= ResourcePlaces::kAlignment);
  void* place = take_place(site);
  if (place == nullptr) {
    return nullptr;
  }
  T* made = new (place) T(std::forward<Arguments>(arguments)...);
  // A resource is given back by its own address.
  MODMEM_ASSERT(static_cast<void*>(static_cast<Resource*>(made)) == place);
  hold(*made);
  return made;
}

template <typename T, typename... Arguments>
ModuleHandle<T> ModuleMemory::make(Arguments&&... arguments) {
  void* block = allocate(sizeof(T), alignof(T));
  if (block == nullptr) {
    return {};
  }
  return {*this, new (block) T(std::forward<Arguments>(arguments)...), block};
}

template <typename T>
ModuleArray<T> ModuleMemory::make_array(std::size_t count, Flags flags, Site site) {
  // NOLINTNEXTLINE(bugprone-sizeof-expression): T may well be a pointer
  constexpr std::size_t kBytesEach = sizeof(T);
  if (count == 0 || count > SIZE_MAX / kBytesEach) {
    return {};
  }
  void* block = allocate(count * kBytesEach, alignof(T), flags, site);
  if (block == nullptr) {
    return {};
  }
  T* first = static_cast<T*>(block);
  for (std::size_t i = 0; i < count; ++i) {
    new (first + i) T();
  }
  return {*this, first, count};
}

}  // namespace modmem
