// TestPool: a PagePool over a FakePort, and how its state reads as text.
#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "modmem/config.hpp"
#include "page/page_pool.hpp"
#include "port/testing/fake_port.hpp"

namespace modmem {

inline constexpr std::uint32_t kBankFrames = 8;

inline PlatformConfig platform(std::uint32_t frames, std::uint32_t reserve_frames) {
  PlatformConfig config{};
  config.name = "test";
  config.bank_bytes = kBankFrames * config::kPageBytes;
  config.reserve_bytes = reserve_frames * config::kPageBytes;
  config.sram_bytes = (reserve_frames + frames) * config::kPageBytes;
  config.has_mmu = true;
  config.window_bytes = frames * config::kPageBytes;
  return config;
}

constexpr Frame frame(std::uint32_t index) { return Frame{static_cast<std::uint16_t>(index)}; }
constexpr Bank bank(std::uint32_t index) { return Bank{static_cast<std::uint16_t>(index)}; }

// A pool of `frames` behind a reserve.
struct TestPool {
  explicit TestPool(std::uint32_t frames, std::uint32_t reserve_frames = 0)
      : port(platform(frames, reserve_frames)), memory(4096) {
    MetadataArena arena(memory);
    if (!pool.boot(platform(frames, reserve_frames), port, arena)) {
      std::abort();
    }
  }

  bool sound() const { return pool.check() && port.violations() == 0; }
  // Which banks are on, for the pool and for the port.
  std::string power() const {
    std::string text;
    for (std::uint32_t i = 0; i < pool.banks(); ++i) {
      text += pool.is_powered(bank(i)) ? '1' : '0';
      if (pool.is_powered(bank(i)) != port.is_on(bank(i))) {
        text += '!';
      }
    }
    return text;
  }
  // Which frames are taken.
  std::string taken() const {
    std::string text;
    for (std::uint32_t i = 0; i < pool.frames(); ++i) {
      text += pool.is_taken(frame(i)) ? 'x' : '.';
    }
    return text;
  }
  // Takes the frames that are marked in the text: one letter a frame, banks apart by a space.
  void take(PageAccount& account, const std::string& marks) {
    std::uint32_t index = 0;
    for (const char mark : marks) {
      ASSERT_TRUE(mark != 'x' || pool.take_at(account, frame(index), 1));
      index += mark == ' ' ? 0 : 1;
    }
  }

  FakePort port;
  std::vector<std::byte> memory;
  PagePool pool;
};

}  // namespace modmem
