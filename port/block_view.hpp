// BlockView: what blocks look like to their users, where a host has a say in it.
//
// The heaps work on the window, whose bytes are all alike to a checker of memory accesses. A host
// with such a checker gives one of these with its port, and is told what happens to each byte. It
// may mark what nobody may touch (port/posix/asan_blocks.hpp), or give each block a *stand-in*:
// memory of its own of exactly that size, whose address the user gets instead of the block's
// (port/posix/libc_blocks.hpp). A port whose blocks have stand-ins has no alias: alias_offset() is
// 0. Platforms without a checker have no view, and users get the addresses of their blocks.
//
// Of one byte of a watched memory, the calls come in this order: start, then expose and cover, or
// hand_out (resize...) and take_back, one pair after the other, then stop. A byte's page is mapped
// before the byte is exposed, handed out or added by resize, and unmapped after it is covered,
// taken back or taken away by resize. All calls are made under Memory's lock, with addresses of the
// cached alias; none may call into the library.
#pragma once

#include <cstddef>

namespace modmem {

class BlockView {
 public:
  // From now on the memory of `bytes` bytes at `window` (SRAM, low-power SRAM or L3) is watched;
  // nothing in it is in use. Where it was watched before and lost power since, without stop(), what
  // was exposed and handed out then is no more.
  virtual void start(std::byte* window, std::size_t bytes) = 0;

  // That memory is no longer watched: it may be accessed anywhere. What is still handed out in it
  // is taken back.
  virtual void stop(std::byte* window, std::size_t bytes) = 0;

  // The library itself uses [address, address + bytes), for tables or metadata pages; cover() ends
  // that.
  virtual void expose(std::byte* address, std::size_t bytes) = 0;
  virtual void cover(std::byte* address, std::size_t bytes) = 0;

  // `block` is a block of `bytes` bytes from now on, on a multiple of `alignment`, a power of two.
  // Returns the address for its user, which is on such a multiple as well; nullptr where the host
  // has no memory for it: then nothing was handed out. `bytes` is what was asked for, which the
  // heap may have rounded up; not 0. The block's content is undefined, but for one that memory
  // which keeps its content over a power cycle had before it: that has its old content, and its
  // user the same address.
  virtual std::byte* hand_out(std::byte* block, std::size_t bytes, std::size_t alignment) = 0;

  // The block of `old_bytes` bytes has `bytes` bytes from now on; its user's address stays. Returns
  // false where the view cannot do that: then nothing has changed.
  virtual bool resize(std::byte* block, std::size_t old_bytes, std::size_t bytes) = 0;

  // The block is no longer handed out: its user's address is no longer one.
  virtual void take_back(std::byte* block, std::size_t bytes) = 0;

  // What hand_out() gave for `block`, which is handed out.
  virtual std::byte* user_of(std::byte* block) const = 0;

  // The byte of the window that `user` stands for, where it is an address in a block that was
  // handed out; else `user` itself. Any address is allowed.
  virtual const void* block_of(const void* user) const = 0;

 protected:
  // Never deleted through this class.
  ~BlockView() = default;
};

}  // namespace modmem
