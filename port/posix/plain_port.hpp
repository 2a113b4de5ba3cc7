// PlainPort: a platform on a Linux host whose window is ordinary memory, all of it accessible all
// the time.
//
// The heaps do what they do anywhere; mapping a page only keeps book, and banks and caches are not
// there. So it is fast, and no access ever faults: HostPort finds stray accesses, this one does not
// look for them. Frames do not exist: a page has its content wherever it is said to be mapped, and
// keeps it while it is not. With an MMU the window is mapped twice, which makes the uncached alias.
//
// With stand-ins (LibcBlocks) a block's user gets memory from the C library instead: there is no
// alias then. Without, in builds with AddressSanitizer, what is not in use is poisoned
// (AsanBlocks).
//
// Cost: map() and unmap() O(1), without a system call.
#pragma once

#include <cstddef>

#include "base/bitmap.hpp"
#include "port/port_concept.hpp"
#include "port/posix/aliased_memory.hpp"
#include "port/posix/asan_blocks.hpp"
#include "port/posix/kernel_array.hpp"
#include "port/posix/libc_blocks.hpp"
#include "port/posix/posix_port.hpp"

namespace modmem {

// One memory of a PlainPort: its SRAM, its low-power SRAM or its L3.
class PlainMemory : public PosixPort {
 public:
  PlainMemory() = default;
  ~PlainMemory();

  // As PlainPort::open(); nullptr, or what failed.
  const char* open_memory(std::size_t window_bytes, bool has_alias, BlockView* blocks);
  void close_memory();
  bool is_open() const { return memory_.is_open(); }

  // See AliasedMemory.
  void before_fork() { memory_.before_fork(); }
  void after_fork(bool is_child) { memory_.after_fork(is_child); }

  std::byte* window() const override { return memory_.window(); }
  std::ptrdiff_t alias_offset() const override { return memory_.alias_offset(); }
  bool map(Page page, Frame frame) override;
  void unmap(Page page) override;
  bool set_bank_power(Bank bank, bool on) override;
  void cache_writeback(std::byte* address, std::size_t bytes) override;
  void cache_invalidate(std::byte* address, std::size_t bytes) override;
  BlockView* blocks() override { return blocks_; }

  std::size_t window_bytes() const { return memory_.window_bytes(); }
  bool is_mapped(Page page) const { return mapped_.test(number(page)); }
  std::size_t mapped_pages() const { return mapped_.count(0, mapped_.size()); }

  // No page is mapped any more.
  void forget_pages() { mapped_.clear_range(0, mapped_.size()); }
  // Sets all of it to `value`. Returns false where the host has no memory left for that.
  bool fill(std::byte value) { return memory_.fill(0, memory_.window_bytes(), value); }

 private:
  AliasedMemory memory_;
  BitmapView mapped_;
  KernelArray<BitmapView::Word> words_;  // of mapped_
  BlockView* blocks_ = nullptr;
};

class PlainPort final : public PlainMemory {
 public:
  enum class Blocks : bool { in_window, stand_ins };

  PlainPort() = default;
  ~PlainPort() { close(); }

  // Gets the memories of `config`, all zeros. Returns false where the host does not give them: then
  // failure() says what, errno why, and the port stays closed. Requires that it is closed.
  bool open(const PlatformConfig& config, Blocks blocks = Blocks::in_window);

  // Gives them back; stand-ins that are left are freed. The Memory on this port, if there is one,
  // is not to be used any more. Allowed at any time.
  void close();

  // What open() could not do.
  const char* failure() const { return failure_; }

  Port* low_power() override;
  Port* l3() override;

  // Right before fork() and, in both processes, right after it, which then have a memory each: see
  // AliasedMemory. The lock is held in between, so that the child finds it free. Requires an open
  // port.
  void before_fork();
  void after_fork(bool is_child);

  // Stand-ins that there are.
  std::size_t stand_ins() const { return libc_blocks_.count(); }

  // What a power cycle of the DSP does: no page is mapped, SRAM and low-power SRAM hold
  // kLostContent, and L3 keeps its own, stand-ins of L3 blocks included. The Memory that ran on
  // this port is not to be used any more, not even shut down: the next one boots. Returns false
  // where the host has no memory left for that.
  bool power_cycle();

 private:
  PlainMemory low_power_;
  PlainMemory l3_;
  AsanBlocks asan_blocks_;
  LibcBlocks libc_blocks_;
  const char* failure_ = "";
};

MODMEM_ASSERT_PORT(PlainPort);

}  // namespace modmem
