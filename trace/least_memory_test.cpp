#include "trace/least_memory.hpp"

#include <gtest/gtest.h>

#include <string>

#include "modmem/presets.hpp"
#include "trace/trace_error.hpp"
#include "trace/trace_testing.hpp"

namespace modmem::trace {
namespace {

using testing::file_of;

constexpr std::size_t kPage = config::kPageBytes;

std::string blocks(int count, std::size_t bytes) {
  std::string text(testing::kHeader);
  for (int i = 0; i < count; ++i) {
    text += "0,rmalloc," + std::to_string(i) + "," + std::to_string(bytes) + ",0,0,a\n";
  }
  return text;
}

bool serves(const std::string& text, const Policy& policy, std::uint32_t frames) {
  FileSource source(file_of(text), "test");
  try {
    Replay replay(scaled_platform(config::kDefaultPlatform, frames), policy,
                  {.stop_at_failure = true});
    return replay.play(testing::drain(source));
  } catch (const TraceError&) {
    return false;
  }
}

TEST(LeastMemory, IsTheLeast) {
  for (const Policy* policy : {&kElasticPolicy, &kSinglePolicy}) {
    const std::string text = blocks(60, 5000);
    FileSource source(file_of(text), "test");
    LeastMemory least(source, config::kDefaultPlatform, *policy);
    ReplayFigures played;
    played.peak_live_bytes = 60 * 5000;
    played.peak_mapped_bytes = 100 * kPage;
    const auto bytes = least.find(played);
    ASSERT_TRUE(bytes.has_value());
    EXPECT_GE(*bytes, least.frames() * kPage);
    EXPECT_TRUE(serves(text, *policy, least.frames()));
    for (std::uint32_t below = least.frames() * 19 / 20; below < least.frames(); ++below) {
      EXPECT_FALSE(serves(text, *policy, below)) << policy->name << " " << below;
    }
    // Wherever it begins, it ends there.
    const std::uint32_t frames = least.frames();
    for (const std::size_t begin : {std::size_t{0}, 3000 * kPage}) {
      played.peak_mapped_bytes = begin;
      source.rewind();
      EXPECT_EQ(least.find(played), bytes);
      EXPECT_EQ(least.frames(), frames);
    }
  }
}

TEST(LeastMemory, IsNoneWhereATableFailsAtAnySize) {
  const std::string text = blocks(40, 200000);
  FileSource source(file_of(text), "test");
  LeastMemory least(source, config::kDefaultPlatform, kSlotsAllPolicy);
  EXPECT_EQ(least.find({}), std::nullopt);
}

TEST(LeastMemory, ScalesThePlatformWithItsPool) {
  const PlatformConfig& whole = config::kDefaultPlatform;
  const auto frames = static_cast<std::uint32_t>((whole.sram_bytes - whole.reserve_bytes) / kPage);
  const PlatformConfig same = scaled_platform(whole, frames);
  EXPECT_EQ(same.sram_bytes, whole.sram_bytes);
  EXPECT_EQ(same.window_bytes, whole.window_bytes);
  EXPECT_EQ(same.slots_arena_bytes, whole.slots_arena_bytes);
  for (const std::uint32_t count : {1U, 2U, 100U, LeastMemory::kMostFrames}) {
    const PlatformConfig scaled = scaled_platform(whole, count);
    EXPECT_EQ(Memory::config_error(scaled), nullptr) << count;
    EXPECT_EQ(scaled.sram_bytes - scaled.reserve_bytes, count * kPage);
  }
}

}  // namespace
}  // namespace modmem::trace
