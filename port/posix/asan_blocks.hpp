// AsanBlocks: makes AddressSanitizer see the blocks in memory that modmem hands out.
//
// All of a watched memory is poisoned but for what the library uses itself and what is handed out,
// to the byte at its end, through both aliases. The user of a block gets the block's own address.
// Where pages are mapped one by one, those without a mapping are never poisoned: an access to them
// faults, and is reported as that. Poison is there from start() to stop() only; a port ends it
// besides (forget()) before it gives up the addresses, for whoever gets them next.
//
// AddressSanitizer knows 8 bytes at a time, of which the first 0 to 8 may be touched. So ranges
// begin on multiples of 8; where one ends in the middle of 8 bytes whose rest is in use, it stays
// unpoisoned: a fault may escape there, but none is reported that is not one.
//
// Cost: O(bytes / 8) per call. In builds without AddressSanitizer every call does nothing.
#pragma once

#include <cstddef>

#include "port/block_view.hpp"

namespace modmem {

#if defined(__SANITIZE_ADDRESS__)
inline constexpr bool kAddressSanitizer = true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
inline constexpr bool kAddressSanitizer = true;
#else
inline constexpr bool kAddressSanitizer = false;
#endif
#else
inline constexpr bool kAddressSanitizer = false;
#endif

class AsanBlocks final : public BlockView {
 public:
  static constexpr std::size_t kMaxMemories = 3;  // SRAM, low-power SRAM, L3

  // A memory that a port has: where it is, from its cached to its uncached alias (0: none), and
  // whether its pages are mapped one by one (map_page(), unmap_page()), none of them at first.
  // At most kMaxMemories; before any other call that concerns it.
  void add_memory(std::byte* window, std::size_t bytes, std::ptrdiff_t alias_offset,
                  bool maps_pages);

  // [address, address + bytes) of such a memory has just been mapped; is about to be unmapped.
  void map_page(std::byte* address, std::size_t bytes);
  void unmap_page(std::byte* address, std::size_t bytes);

  // Stops watching every memory.
  void stop_all();

  // The same, and drops the memories.
  void forget();

  void start(std::byte* window, std::size_t bytes) override;
  void stop(std::byte* window, std::size_t bytes) override;
  void expose(std::byte* address, std::size_t bytes) override;
  void cover(std::byte* address, std::size_t bytes) override;
  std::byte* hand_out(std::byte* block, std::size_t bytes, std::size_t alignment) override;
  bool resize(std::byte* block, std::size_t old_bytes, std::size_t bytes) override;
  void take_back(std::byte* block, std::size_t bytes) override;
  std::byte* user_of(std::byte* block) const override;
  const void* block_of(const void* user) const override;

 private:
  struct MemoryRange {
    std::byte* window = nullptr;
    std::size_t bytes = 0;
    std::ptrdiff_t alias_offset = 0;
    bool maps_pages = false;
    std::size_t watched_bytes = 0;  // its first ones; 0: it is not watched
  };

  MemoryRange* memory_of(const std::byte* address);
  const MemoryRange* watcher_of(const std::byte* address);
  static void poison(const MemoryRange& memory, std::byte* address, std::size_t bytes);
  static void unpoison(const MemoryRange& memory, std::byte* address, std::size_t bytes);

  MemoryRange memories_[kMaxMemories];
  std::size_t count_ = 0;
};

}  // namespace modmem
