// CheckingPort: the simulator, with every call of the library held against the port's contract.
//
// It forwards to a HostPort. What a real platform would not survive - a frame mapped twice, a bank
// switched off under mapped pages, cache maintenance off the line or on unmapped pages, a mapping
// call for a page that is mapped already - fails the test that did it. (No exception: it could not
// pass through freestanding code.) It also notes every range that was invalidated, in order.
#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "modmem/config.hpp"
#include "port/host/host_port.hpp"

namespace modmem::testing {

class CheckingPort final : public Port {
 public:
  struct Invalidation {
    std::byte* address;
    std::size_t bytes;
  };

  // `side_memories`: low-power SRAM and L3 are there as well, unchecked.
  explicit CheckingPort(const PlatformConfig& config, bool side_memories = false)
      : config_(config), host_(config), side_memories_(side_memories) {}
  ~CheckingPort() = default;

  HostPort& host() { return host_; }
  const std::vector<Invalidation>& invalidations() const { return invalidations_; }
  void forget_invalidations() { invalidations_.clear(); }
  std::size_t mapped_pages() const { return frame_of_.size(); }
  std::size_t banks_on() const { return banks_on_.size(); }
  std::uint64_t maps() const { return maps_; }
  // What was made of a page's access; open where nothing was, mapped or not.
  Access access(std::uint16_t page) const {
    const auto found = access_.find(page);
    return found != access_.end() ? found->second : Access::open;
  }
  // Called after each change of a page's access.
  void set_on_access(std::function<void()> call) { on_access_ = std::move(call); }
  // Calls that map, unmap, move or switch, whether they work or not.
  std::uint64_t page_calls() const { return page_calls_; }

  // True where every byte of [address, address + bytes) was invalidated since forget.
  bool invalidated(const std::byte* address, std::size_t bytes) const {
    for (std::size_t i = 0; i < bytes; ++i) {
      bool covered = false;
      for (const Invalidation& one : invalidations_) {
        covered = covered || (address + i >= one.address && address + i < one.address + one.bytes);
      }
      if (!covered) {
        return false;
      }
    }
    return true;
  }

  Port* low_power() override { return side_memories_ ? host_.low_power() : nullptr; }
  Port* l3() override { return side_memories_ ? host_.l3() : nullptr; }

  std::byte* window() const override { return host_.window(); }
  std::ptrdiff_t alias_offset() const override { return host_.alias_offset(); }

  bool map(Page page, Frame frame) override {
    ++page_calls_;
    require(frame_of_.count(number(page)) == 0, "mapping a page that is mapped");
    require(mapped_frames_.count(number(frame)) == 0, "mapping a frame twice");
    require(config_.has_mmu || number(page) == number(frame), "page and frame differ");
    require(bank_is_on(number(frame)), "mapping a frame of a bank that is off");
    if (!host_.map(page, frame)) {
      return false;
    }
    ++maps_;
    frame_of_[number(page)] = number(frame);
    mapped_frames_.insert(number(frame));
    return true;
  }

  void unmap(Page page) override {
    ++page_calls_;
    const auto found = frame_of_.find(number(page));
    require(found != frame_of_.end(), "unmapping a page that is not mapped");
    mapped_frames_.erase(found->second);
    frame_of_.erase(found);
    access_.erase(number(page));
    host_.unmap(page);
  }

  bool remap(Page page, Frame from, Frame to) override {
    ++page_calls_;
    const auto found = frame_of_.find(number(page));
    require(found != frame_of_.end() && found->second == number(from),
            "moving a page from a frame that it is not on");
    require(mapped_frames_.count(number(to)) == 0, "mapping a frame twice");
    require(bank_is_on(number(to)), "mapping a frame of a bank that is off");
    if (!host_.remap(page, from, to)) {
      return false;
    }
    mapped_frames_.erase(number(from));
    mapped_frames_.insert(number(to));
    access_.erase(number(page));
    found->second = number(to);
    return true;
  }

  bool can_close_pages() const override { return host_.can_close_pages(); }
  void set_access(Page page, Access access) override {
    ++page_calls_;
    require(frame_of_.count(number(page)) != 0, "closing a page that is not mapped");
    require(this->access(number(page)) != access, "giving a page the access that it has");
    access_[number(page)] = access;
    host_.set_access(page, access);
    if (on_access_) {
      on_access_();
    }
  }

  void set_writable(std::byte* start, std::size_t bytes, bool writable) override {
    host_.set_writable(start, bytes, writable);
  }

  bool set_bank_power(Bank bank, bool on) override {
    ++page_calls_;
    if (!on) {
      banks_on_.erase(number(bank));
      for (const std::uint16_t frame : mapped_frames_) {
        require(bank_is_on(frame), "switching a bank off under a mapped frame");
      }
      return host_.set_bank_power(bank, false);
    }
    require(banks_on_.count(number(bank)) == 0, "switching a bank on that is on");
    if (!host_.set_bank_power(bank, true)) {
      return false;
    }
    banks_on_.insert(number(bank));
    return true;
  }

  void cache_writeback(std::byte* address, std::size_t bytes) override {
    check_range(address, bytes);
    host_.cache_writeback(address, bytes);
  }
  void cache_invalidate(std::byte* address, std::size_t bytes) override {
    check_range(address, bytes);
    invalidations_.push_back({address, bytes});
    host_.cache_invalidate(address, bytes);
  }

  void lock() override { host_.lock(); }
  void unlock() override { host_.unlock(); }
  std::uintptr_t thread_id() const override { return host_.thread_id(); }
  std::uint32_t core_id() const override { return host_.core_id(); }
  bool on_audio_path() const override { return host_.on_audio_path(); }
  std::uint64_t time_us() const override { return host_.time_us(); }
  void log(LogLevel level, const char* line) override { host_.log(level, line); }

 private:
  static void require(bool condition, const char* what) {
    EXPECT_TRUE(condition) << "port contract: " << what;
  }

  bool bank_is_on(std::uint16_t frame) const {
    const std::size_t offset = config_.reserve_bytes % config_.bank_bytes;
    const std::size_t bank =
        (std::size_t{frame} * config::kPageBytes + offset) / config_.bank_bytes;
    // The platform runs from the reserve: its bank is on by itself.
    return (bank == 0 && offset != 0) || banks_on_.count(static_cast<std::uint16_t>(bank)) != 0;
  }

  void check_range(const std::byte* address, std::size_t bytes) const {
    const std::size_t line = config_.cache_line_bytes;
    require(reinterpret_cast<std::uintptr_t>(address) % line == 0, "maintenance off the line");
    require(bytes % line == 0 && bytes != 0, "maintenance of half a line");
    const auto offset = static_cast<std::size_t>(address - host_.window());
    require(offset + bytes <= host_.window_bytes(), "maintenance outside of the window");
    for (std::size_t page = offset / config::kPageBytes;
         page <= (offset + bytes - 1) / config::kPageBytes; ++page) {
      require(frame_of_.count(static_cast<std::uint16_t>(page)) != 0,
              "maintenance of an unmapped page");
      require(access(static_cast<std::uint16_t>(page)) == Access::open,
              "maintenance of a page that is not open");
    }
  }

  PlatformConfig config_;
  HostPort host_;
  bool side_memories_;
  std::map<std::uint16_t, std::uint16_t> frame_of_;
  std::set<std::uint16_t> mapped_frames_;
  std::map<std::uint16_t, Access> access_;  // of those that are not open, and others
  std::function<void()> on_access_;
  std::set<std::uint16_t> banks_on_;
  std::vector<Invalidation> invalidations_;
  std::uint64_t maps_ = 0;
  std::uint64_t page_calls_ = 0;
};

}  // namespace modmem::testing
