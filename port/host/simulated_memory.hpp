// SimulatedMemory: one memory of a HostPort, its SRAM, its low-power SRAM or its L3.
//
// A page that is mapped is its frame of a file in memory, at both aliases; a page that is not
// faults when it is touched. A bank that comes up is filled with PosixPort::kLostContent, but for
// L3, which loses nothing. Bank 0 begins `first_bank_offset` bytes before the first frame: those
// bytes are the reserve's.
//
// Cost: a system call or two for each page mapped or unmapped.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "modmem/config.hpp"
#include "port/posix/aliased_memory.hpp"
#include "port/posix/asan_blocks.hpp"
#include "port/posix/kernel_array.hpp"
#include "port/posix/posix_port.hpp"

namespace modmem {

class SimulatedMemory : public PosixPort {
 public:
  enum class Kind : std::uint8_t { sram, low_power, l3 };

  SimulatedMemory() = default;
  ~SimulatedMemory();

  // Reserves the address space and creates the memory that `config` calls its SRAM. Tells `blocks`
  // of it, and of each page that is mapped or unmapped. Returns nullptr; where the host does not
  // give the memory, what failed, with the reason in errno. Requires that it is closed.
  const char* open_memory(const PlatformConfig& config, Kind kind, AsanBlocks& blocks);

  // Gives it back. Allowed at any time.
  void close_memory();
  bool is_open() const { return memory_.is_open(); }

  // See AliasedMemory.
  void before_fork() { memory_.before_fork(); }
  void after_fork(bool is_child) { memory_.after_fork(is_child); }

  std::byte* window() const override { return memory_.window(); }
  std::ptrdiff_t alias_offset() const override { return memory_.alias_offset(); }
  bool map(Page page, Frame frame) override;
  void unmap(Page page) override;
  bool remap(Page page, Frame from, Frame to) override;
  bool can_close_pages() const override { return true; }
  void set_access(Page page, Access access) override {
    memory_.set_access(std::size_t{number(page)} * config::kPageBytes, config::kPageBytes, access);
  }
  bool set_bank_power(Bank bank, bool on) override;
  void cache_writeback(std::byte* address, std::size_t bytes) override;
  void cache_invalidate(std::byte* address, std::size_t bytes) override;
  BlockView* blocks() override {
    return view_ != nullptr ? view_ : kAddressSanitizer ? blocks_ : nullptr;
  }

  // blocks() is `view` from now on, nullptr: what it would be without. Before the boot only.
  void set_view(BlockView* view) { view_ = view; }

  // Bytes from the start of the window to the end of both aliases.
  std::size_t window_bytes() const { return memory_.window_bytes(); }
  std::uint64_t invalidated_bytes() const {
    return invalidated_bytes_.load(std::memory_order_relaxed);
  }

  // Takes the access to all pages away.
  void unmap_all() { memory_.unmap(0, window_bytes()); }

  // --- for tests ---

  // The next `count` calls of map() and remap() succeed, all after them fail; kNever: none does.
  static constexpr std::uint64_t kNever = UINT64_MAX;
  void fail_maps_after(std::uint64_t count) { maps_until_failure_ = count; }
  // Refuses (or no longer refuses) to power `bank` up.
  void break_bank(Bank bank, bool broken);

 private:
  AliasedMemory memory_;
  AsanBlocks* blocks_ = nullptr;
  BlockView* view_ = nullptr;
  Kind kind_ = Kind::sram;
  std::size_t pool_bytes_ = 0;
  std::size_t bank_bytes_ = 0;
  std::size_t first_bank_offset_ = 0;
  std::size_t banks_ = 0;
  KernelArray<bool> broken_banks_;
  std::uint64_t maps_until_failure_ = kNever;
  std::atomic<std::uint64_t> invalidated_bytes_{0};  // the lock need not be held for that
};

}  // namespace modmem
