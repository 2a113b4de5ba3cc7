// LibcBlocks: a stand-in from the C library for each block.
//
// Each block that is handed out has one stand-in: memory from posix_memalign() of exactly the
// block's bytes and alignment, which is freed when the block is taken back. So valgrind and
// AddressSanitizer see every byte, as they do with any program: an overrun by one byte, a use after
// free, a read of what was never written. What the library itself uses lies in the window.
//
//   blocks handed out == stand-ins, each found by its block, and by any address in it
//
// A block that was handed out when the power went (start() without stop()) has its stand-in, with
// its content and at its address, when it is handed out again; drop() is for memory that keeps
// nothing.
//
// A stand-in's address is noted in another form than a pointer's, so that leak checkers do not take
// the note for a reference: a block that its user lost is found by them as lost.
//
// Cost: O(log blocks) and up to four calls of the C library's allocator per call; stop() and drop()
// O(blocks). The caller's lock covers all of it.
#pragma once

#include <cstddef>
#include <cstdint>

#include "port/block_view.hpp"

namespace modmem {

class LibcBlocks final : public BlockView {
 public:
  LibcBlocks() = default;
  ~LibcBlocks() { drop_all(); }
  LibcBlocks(const LibcBlocks&) = delete;
  LibcBlocks& operator=(const LibcBlocks&) = delete;

  // Stand-ins that there are.
  std::size_t count() const { return count_; }

  // Frees the stand-ins of all blocks in [window, window + bytes): stop() does no more than that.
  void drop(const std::byte* window, std::size_t bytes);
  void drop_all();

  void start(std::byte* window, std::size_t bytes) override;
  void stop(std::byte* window, std::size_t bytes) override;
  void expose(std::byte* address, std::size_t bytes) override;
  void cover(std::byte* address, std::size_t bytes) override;

  // Fails where the C library has no memory.
  std::byte* hand_out(std::byte* block, std::size_t bytes, std::size_t alignment) override;

  // False where the size differs: no stand-in could grow or shrink in place and still end there.
  bool resize(std::byte* block, std::size_t old_bytes, std::size_t bytes) override;

  void take_back(std::byte* block, std::size_t bytes) override;
  std::byte* user_of(std::byte* block) const override;
  const void* block_of(const void* user) const override;

 private:
  struct StandIn {
    std::byte* block;
    std::uintptr_t hidden_user;
    std::size_t bytes;
    StandIn* next;
    StandIn* previous;

    std::byte* user() const { return reinterpret_cast<std::byte*>(~hidden_user); }
  };

  static int compare_users(const void* left, const void* right);
  static int compare_blocks(const void* left, const void* right);
  static std::uintptr_t hidden(const void* user) { return ~reinterpret_cast<std::uintptr_t>(user); }
  static StandIn* create(std::byte* block, std::size_t bytes, std::size_t alignment);
  static void destroy(StandIn* one);
  bool insert(StandIn* one);
  void remove(StandIn* one);
  StandIn* find_block(const std::byte* block) const;

  // Trees of <search.h>, over the same stand-ins.
  void* by_user_ = nullptr;
  void* by_block_ = nullptr;
  StandIn* first_ = nullptr;
  std::size_t count_ = 0;
};

}  // namespace modmem
