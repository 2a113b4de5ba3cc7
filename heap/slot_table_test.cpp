#include "heap/slot_table.hpp"

#include <gtest/gtest.h>

#include <string>

namespace modmem {
namespace {

std::size_t read(const char* text, std::array<SlotBundle, 3>& bundles) {
  bundles = {};
  return read_slot_table(text, bundles);
}

TEST(SlotTable, IsReadInItsOrder) {
  std::array<SlotBundle, 3> bundles;
  ASSERT_EQ(read("4096x11 128x32 65536x3", bundles), 3U);
  EXPECT_EQ(bundles[0].slot_bytes, 4096U);
  EXPECT_EQ(bundles[0].slots, 11U);
  EXPECT_EQ(bundles[1].slot_bytes, 128U);
  EXPECT_EQ(bundles[1].slots, 32U);
  EXPECT_EQ(bundles[2].slot_bytes, 65536U);
  EXPECT_EQ(bundles[2].slots, 3U);
  EXPECT_EQ(read("64x64", bundles), 1U);
}

TEST(SlotTable, WhatIsNoTableIsRefused) {
  std::array<SlotBundle, 3> bundles;
  for (const char* text :
       {"", " ", "x", "64", "64x", "x64", "64x0", "0x64", "64x64 ", " 64x64", "64x64  32x1",
        "64x64,32x1", "64X64", "-64x64", "64x64x64", "64x1 64x1 64x1 64x1",
        "99999999999999999999x1", "64x99999999999999999999", "64x1073741825"}) {
    EXPECT_EQ(read(text, bundles), 0U) << "\"" << text << "\"";
  }
}

TEST(SlotTable, TheConfiguredOneIsWhatKconfigSays) {
  std::string text;
  for (const SlotBundle& bundle : kConfiguredBundles) {
    text += (text.empty() ? "" : " ") + std::to_string(bundle.slot_bytes) + "x" +
            std::to_string(bundle.slots);
  }
  EXPECT_EQ(text, config::kSlotBundles);
}

// What firmware has today is what builds have that configure nothing else.
TEST(SlotTable, TheDefaultIsTheProductionTable) {
  std::array<SlotBundle, SlotHeap::kMaxBundles> bundles;
  constexpr const char* kDefault =
      "128x32 512x8 1024x44 2048x8 4096x11 8192x10 32768x8 65536x3 131072x1 524288x1";
  ASSERT_EQ(read_slot_table(kDefault, bundles), kProductionBundles.size());
  for (std::size_t i = 0; i < bundles.size(); ++i) {
    EXPECT_EQ(bundles[i].slot_bytes, kProductionBundles[i].slot_bytes);
    EXPECT_EQ(bundles[i].slots, kProductionBundles[i].slots);
  }
}

}  // namespace
}  // namespace modmem
