// CachedL3Port: the simulator, with an L3 behind a cache, and power that can fail.
//
// What the library writes to L3 reaches the memory with the write-back of its lines, and with
// nothing else; an invalidation brings back what is in the memory, and so does a page that is
// mapped anew. After `fail_after(lines)` no more lines reach the memory: there the power failed,
// and what the next boot finds is what had been written by then.
#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <cstring>
#include <vector>

#include "port/forwarding_port.hpp"
#include "port/host/host_port.hpp"

namespace modmem::testing {

class CachedL3 final : public ForwardingPort {
 public:
  static constexpr std::size_t kForever = SIZE_MAX;

  CachedL3(Port& l3, const PlatformConfig& config)
      : ForwardingPort(&l3), line_bytes_(config.cache_line_bytes), memory_(config.l3_bytes) {}
  ~CachedL3() = default;

  bool map(Page page, Frame frame) override {
    const bool mapped = ForwardingPort::map(page, frame);
    if (mapped) {
      fetch(number(page) * config::kPageBytes, config::kPageBytes);
    }
    return mapped;
  }
  void cache_writeback(std::byte* at, std::size_t bytes) override {
    check(at, bytes);
    for (std::size_t line = 0; line < bytes && left_ != 0; line += line_bytes_) {
      const std::size_t offset = static_cast<std::size_t>(at - window()) + line;
      copy(&memory_[offset], window() + offset, line_bytes_);
      left_ -= left_ != kForever ? 1 : 0;
      ++written_;
    }
  }
  void cache_invalidate(std::byte* at, std::size_t bytes) override {
    check(at, bytes);
    fetch(static_cast<std::size_t>(at - window()), bytes);
  }

  // What outlives a power cycle.
  std::vector<std::byte>& memory() { return memory_; }
  void fail_after(std::size_t lines) { left_ = lines; }
  // Lines so far.
  std::size_t written() const { return written_; }

 private:
  void fetch(std::size_t offset, std::size_t bytes) const {
    copy(window() + offset, &memory_[offset], bytes);
  }
  // As a cache does, past AddressSanitizer; volatile, so that it does not become memcpy().
  [[gnu::no_sanitize_address]] static void copy(volatile std::byte* to,
                                                const volatile std::byte* from, std::size_t bytes) {
    for (std::size_t i = 0; i < bytes; ++i) {
      to[i] = from[i];
    }
  }
  void check(const std::byte* at, std::size_t bytes) const {
    const auto offset = static_cast<std::size_t>(at - window());
    EXPECT_TRUE(offset % line_bytes_ == 0 && bytes % line_bytes_ == 0 && bytes != 0 &&
                offset + bytes <= memory_.size())
        << "port contract: maintenance of L3 at " << offset << ", " << bytes << " bytes";
  }

  std::size_t line_bytes_;
  std::vector<std::byte> memory_;
  std::size_t left_ = kForever;
  std::size_t written_ = 0;
};

class CachedL3Port final : public ForwardingPort {
 public:
  explicit CachedL3Port(const PlatformConfig& config)
      : CachedL3Port(config, new HostPort(config)) {}
  ~CachedL3Port() { delete host_; }
  CachedL3Port(const CachedL3Port&) = delete;
  CachedL3Port& operator=(const CachedL3Port&) = delete;

  Port* l3() override { return &l3_; }
  CachedL3& cached_l3() { return l3_; }
  void power_cycle() {
    host_->power_cycle();
    l3_.fail_after(CachedL3::kForever);
  }

 private:
  CachedL3Port(const PlatformConfig& config, HostPort* host)
      : ForwardingPort(host), host_(host), l3_(*host->l3(), config) {}

  HostPort* host_;
  CachedL3 l3_;
};

}  // namespace modmem::testing
