// FakePort: a platform for tests that costs next to nothing and remembers what it was asked.
//
// The window is a plain block of memory: mapping a page only notes which frame lies under it, so
// content belongs to pages and not to frames; there is no alias. In exchange the fake holds the
// library to the requirements of port/port.hpp: a call that breaks one is counted in violations(),
// and violation() says which it was. Under AddressSanitizer pages that are not mapped are poisoned,
// so that a stray access is found.
//
// Cost: O(1) a call.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "base/bits.hpp"
#include "modmem/config.hpp"
#include "port/port.hpp"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#define MODMEM_FAKE_POISONS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#include <sanitizer/asan_interface.h>
#define MODMEM_FAKE_POISONS 1
#endif
#endif

namespace modmem {

class FakePort final : public Port {
 public:
  static constexpr std::uint64_t kNever = UINT64_MAX;

  // The window starts `skew_pages` pages after a multiple of 4 MiB, so that tests decide how it is
  // aligned.
  explicit FakePort(const PlatformConfig& config, std::size_t skew_pages = 1)
      : bank_frames_(config.bank_bytes / config::kPageBytes),
        first_offset_(config.reserve_bytes / config::kPageBytes % bank_frames_),
        frames_((config.sram_bytes - config.reserve_bytes) / config::kPageBytes),
        pages_(config.has_mmu ? config.window_bytes / config::kPageBytes : frames_),
        has_mmu_(config.has_mmu),
        frame_of_(pages_, kNoFrame),
        access_(pages_, Access::open),
        mapped_frames_(frames_, false),
        banks_(divide_up(frames_ + first_offset_, bank_frames_)) {
    constexpr std::size_t kBlockAlignment = std::size_t{4} << 20;
    const std::size_t bytes = align_up((skew_pages + pages_) * config::kPageBytes, kBlockAlignment);
    block_ = static_cast<std::byte*>(std::aligned_alloc(kBlockAlignment, bytes));
    if (block_ == nullptr) {
      std::abort();
    }
    window_ = block_ + skew_pages * config::kPageBytes;
    poison(window_, pages_ * config::kPageBytes);
    if (first_offset_ != 0) {
      banks_[0].on = true;  // the reserve lies there
    }
  }
  ~FakePort() {
    unpoison(window_, pages_ * config::kPageBytes);
    std::free(block_);
  }
  FakePort(const FakePort&) = delete;
  FakePort& operator=(const FakePort&) = delete;

  std::byte* window() const override { return window_; }
  std::ptrdiff_t alias_offset() const override { return 0; }

  bool map(Page page, Frame frame) override {
    ++maps_;
    require(number(page) < pages_ && number(frame) < frames_, "map(): no such page or frame");
    require(frame_of_[number(page)] == kNoFrame, "map(): the page is mapped already");
    require(!mapped_frames_[number(frame)], "map(): the frame lies under another page");
    require(banks_[bank_of(frame)].on, "map(): the bank is off");
    require(has_mmu_ || number(page) == number(frame), "map(): page and frame differ");
    if (maps_until_failure_ == 0) {
      return false;
    }
    maps_until_failure_ -= maps_until_failure_ == kNever ? 0 : 1;
    frame_of_[number(page)] = number(frame);
    mapped_frames_[number(frame)] = true;
    ++banks_[bank_of(frame)].mapped;
    unpoison(window_ + std::size_t{number(page)} * config::kPageBytes, config::kPageBytes);
    return true;
  }

  void unmap(Page page) override {
    ++unmaps_;
    const std::uint16_t frame = frame_of_[number(page)];
    require(frame != kNoFrame, "unmap(): the page is not mapped");
    if (frame == kNoFrame) {
      return;
    }
    frame_of_[number(page)] = kNoFrame;
    access_[number(page)] = Access::open;
    mapped_frames_[frame] = false;
    --banks_[bank_of(Frame{frame})].mapped;
    poison(window_ + std::size_t{number(page)} * config::kPageBytes, config::kPageBytes);
  }

  bool remap(Page page, Frame from, Frame to) override {
    ++remaps_;
    require(frame_of_.at(number(page)) == number(from), "remap(): the page is on another frame");
    require(number(to) < frames_ && !mapped_frames_[number(to)],
            "remap(): the frame lies under another page");
    require(banks_[bank_of(to)].on, "remap(): the bank is off");
    require(has_mmu_, "remap(): page and frame differ");
    if (maps_until_failure_ == 0) {
      return false;
    }
    maps_until_failure_ -= maps_until_failure_ == kNever ? 0 : 1;
    frame_of_[number(page)] = number(to);
    access_[number(page)] = Access::open;
    mapped_frames_[number(from)] = false;
    mapped_frames_[number(to)] = true;
    --banks_[bank_of(from)].mapped;
    ++banks_[bank_of(to)].mapped;
    return true;
  }

  bool can_close_pages() const override { return true; }
  void set_access(Page page, Access access) override {
    require(is_mapped(number(page)), "set_access(): the page is not mapped");
    require(access_.at(number(page)) != access, "set_access(): nothing to change");
    access_.at(number(page)) = access;
  }

  bool set_bank_power(Bank bank, bool on) override {
    ++power_calls_;
    FakeBank& state = banks_.at(number(bank));
    require(state.on != on, "set_bank_power(): nothing to switch");
    require(on || state.mapped == 0, "set_bank_power(): frames of the bank are mapped");
    if (on && state.broken) {
      return false;
    }
    state.on = on;
    return true;
  }

  void cache_writeback(std::byte* /*address*/, std::size_t /*bytes*/) override {}
  void cache_invalidate(std::byte* /*address*/, std::size_t /*bytes*/) override {}
  void lock() override { require(!locked_, "lock(): held already"), locked_ = true; }
  void unlock() override { require(locked_, "unlock(): not held"), locked_ = false; }
  std::uintptr_t thread_id() const override { return 1; }
  std::uint32_t core_id() const override { return 0; }
  bool on_audio_path() const override { return false; }
  std::uint64_t time_us() const override { return time_us_; }
  void log(LogLevel /*level*/, const char* line) override { lines_.emplace_back(line); }

  // --- what tests set ---

  // The next `count` calls of map() and remap() succeed, all after them fail; kNever: none does.
  void fail_maps_after(std::uint64_t count) { maps_until_failure_ = count; }
  void set_time_us(std::uint64_t time) { time_us_ = time; }
  // Refuses (or no longer refuses) to power `bank` up.
  void break_bank(Bank bank, bool broken) { banks_.at(number(bank)).broken = broken; }

  // --- what tests look at ---

  bool is_on(Bank bank) const { return banks_.at(number(bank)).on; }
  bool is_mapped(std::uint32_t page) const { return frame_of_.at(page) != kNoFrame; }
  bool is_closed(std::uint32_t page) const { return access_.at(page) == Access::closed; }
  Access access(std::uint32_t page) const { return access_.at(page); }
  std::uint16_t frame_under(std::uint32_t page) const { return frame_of_.at(page); }
  std::uint64_t maps() const { return maps_; }
  std::uint64_t unmaps() const { return unmaps_; }
  std::uint64_t remaps() const { return remaps_; }
  std::uint64_t power_calls() const { return power_calls_; }
  const std::vector<std::string>& lines() const { return lines_; }

  // How often the library broke a requirement, and the first that it broke.
  std::uint64_t violations() const { return violations_; }
  const char* violation() const { return violation_; }

 private:
  static constexpr std::uint16_t kNoFrame = 0xffff;
  struct FakeBank {
    bool on = false;
    bool broken = false;
    std::uint32_t mapped = 0;
  };

  void require(bool holds, const char* what) {
    if (!holds) {
      violation_ = violations_ == 0 ? what : violation_;
      ++violations_;
    }
  }
  std::size_t bank_of(Frame frame) const { return (number(frame) + first_offset_) / bank_frames_; }
#ifdef MODMEM_FAKE_POISONS
  static void poison(std::byte* from, std::size_t bytes) {
    __asan_poison_memory_region(from, bytes);
  }
  static void unpoison(std::byte* from, std::size_t bytes) {
    __asan_unpoison_memory_region(from, bytes);
  }
#else
  static void poison(std::byte* /*from*/, std::size_t /*bytes*/) {}
  static void unpoison(std::byte* /*from*/, std::size_t /*bytes*/) {}
#endif

  std::size_t bank_frames_;
  std::size_t first_offset_;
  std::size_t frames_;
  std::size_t pages_;
  bool has_mmu_;
  std::byte* block_ = nullptr;
  std::byte* window_ = nullptr;
  std::vector<std::uint16_t> frame_of_;
  std::vector<Access> access_;  // by page
  std::vector<bool> mapped_frames_;
  std::vector<FakeBank> banks_;
  std::vector<std::string> lines_;
  std::uint64_t maps_until_failure_ = kNever;
  std::uint64_t maps_ = 0;
  std::uint64_t unmaps_ = 0;
  std::uint64_t remaps_ = 0;
  std::uint64_t time_us_ = 0;
  std::uint64_t power_calls_ = 0;
  std::uint64_t violations_ = 0;
  const char* violation_ = "";
  bool locked_ = false;
};

}  // namespace modmem
