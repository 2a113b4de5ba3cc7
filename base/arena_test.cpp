#include "base/arena.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>

namespace modmem {
namespace {

struct Entry {
  std::uint32_t number = 7;
  std::uint8_t flag = 1;
};

TEST(MetadataArena, GivesInitialisedObjectsOneBehindTheOther) {
  alignas(MetadataArena::kAlignment) std::array<std::byte, 256> memory;
  memory.fill(std::byte{0xff});
  MetadataArena arena(memory);
  auto* words = arena.take<std::uint64_t>(3);
  auto* bytes = arena.take<std::uint8_t>(1);
  auto* entries = arena.take<Entry>(2);
  ASSERT_NE(words, nullptr);
  ASSERT_NE(bytes, nullptr);
  ASSERT_NE(entries, nullptr);
  EXPECT_EQ(words[0] + words[1] + words[2] + *bytes, 0U);
  EXPECT_EQ(entries[1].number, 7U);
  EXPECT_EQ(entries[1].flag, 1U);
  EXPECT_GE(static_cast<void*>(bytes), static_cast<void*>(words + 3));
  EXPECT_GE(static_cast<void*>(entries), static_cast<void*>(bytes + 1));
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(entries) % MetadataArena::kAlignment, 0U);
  EXPECT_LE(arena.used(), memory.size());
  EXPECT_FALSE(arena.exhausted());
}

TEST(MetadataArena, MeasuresWhatAnArenaWithMemoryUses) {
  alignas(MetadataArena::kAlignment) std::array<std::byte, 256> memory{};
  MetadataArena arena(memory);
  MetadataArena measure;
  for (MetadataArena* each : {&arena, &measure}) {
    each->take<std::uint8_t>(5);
    each->take<std::uint64_t>(0);
    each->take<std::uint64_t>(4);
  }
  EXPECT_EQ(measure.used(), arena.used());
  EXPECT_EQ(measure.take<std::uint8_t>(1), nullptr);
  EXPECT_TRUE(measure.exhausted());
}

TEST(MetadataArena, IsExactAboutItsEnd) {
  alignas(MetadataArena::kAlignment) std::array<std::byte, 64> memory{};
  MetadataArena enough(memory);
  EXPECT_NE(enough.take<std::uint64_t>(8), nullptr);
  EXPECT_FALSE(enough.exhausted());
  EXPECT_EQ(enough.take<std::uint8_t>(1), nullptr);
  EXPECT_TRUE(enough.exhausted());

  MetadataArena little(memory);
  EXPECT_EQ(little.take<std::uint64_t>(9), nullptr);
  EXPECT_TRUE(little.exhausted());
  EXPECT_EQ(little.used(), 72U);
}

}  // namespace
}  // namespace modmem
