#include "tuning/slot_tuning.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "modmem/presets.hpp"
#include "tuning/testing/random_trace.hpp"

namespace modmem::tuning {
namespace {

using testing::Events;
using testing::RandomTrace;
using trace::Event;

SlotTuning tuned(Traces traces, const Policy& policy, const SlotLimits& limits = {}) {
  return tune_slots(traces, config::kDefaultPlatform, policy, limits, {});
}

std::vector<Event> random_events(std::uint64_t seed) {
  RandomTrace shape;
  shape.events = 2000;
  shape.blocks = 150;
  shape.largest = 6000;
  shape.flags = false;
  std::vector<Event> events = shape.make(seed);
  for (Event& event : events) {
    event.flags = event.block % 3 == 0 ? flag::kLargeBuffer : Flags{0};
  }
  return events;
}

TEST(SlotTuning, TheTableServesOnRealHeaps) {
  Events first(random_events(1));
  Events second(random_events(2));
  trace::EventSource* const sources[] = {&first, &second};
  for (const Policy* policy : {&kSlotsPolicy, &kSlotsAllPolicy}) {
    const SlotTuning tuning = tuned(sources, *policy);
    ASSERT_TRUE(tuning.tuned.played);
    EXPECT_EQ(tuning.tuned.played->failures, 0U) << policy->name;
    EXPECT_LT(tuning.tuned.table_bytes(), tuning.configured.table_bytes());
    EXPECT_EQ(tuning.tuned.table_bytes(), in_frames(tuning.choice.pages));
    EXPECT_EQ(tuning.most_used.size(), tuning.tuned.bundles.size());
  }
}

TEST(SlotTuning, TheArenaIsTheLeastThatServes) {
  Events events(random_events(3));
  trace::EventSource* const sources[] = {&events};
  const SlotTuning tuning = tuned(sources, kSlotsPolicy);
  PlatformConfig platform = config::kDefaultPlatform;
  Policy policy = kSlotsPolicy;
  policy.bundles = tuning.tuned.bundles;
  platform.slots_arena_bytes = tuning.tuned.arena_bytes;
  EXPECT_EQ(play(sources, platform, policy, quick()).failures, 0U);
  platform.slots_arena_bytes -= config::kPageBytes;
  EXPECT_GT(play(sources, platform, policy, quick()).failures, 0U);
}

// Blocks of 64 B that are aligned to 128 B get slots of 64 B that lie right, so that others come to
// lie in slots of 128 B, and are there when these are wanted.
TEST(SlotTuning, WhatTheModelDoesNotForeseeIsMended) {
  std::vector<Event> script;
  const auto take = [&](std::uint32_t first, std::uint32_t count, std::uint32_t bytes,
                        std::uint32_t alignment) {
    for (std::uint32_t i = 0; i < count; ++i) {
      Event event;
      event.block = first + i;
      event.bytes = bytes;
      event.alignment = alignment;
      script.push_back(event);
    }
  };
  take(0, 32, 64, 128);
  take(100, 64, 64, 64);
  for (std::uint32_t i = 0; i < 32; ++i) {
    Event event;
    event.kind = trace::OpKind::free;
    event.block = i;
    script.push_back(event);
  }
  take(0, 32, 100, 64);
  Events events(script);
  trace::EventSource* const sources[] = {&events};
  const SlotTuning tuning = tuned(sources, kSlotsAllPolicy);
  EXPECT_EQ(tuning.mended, 1U);
  EXPECT_EQ(tuning.choice.pages, 3U);
  EXPECT_EQ(tuning.tuned.table_bytes(), in_frames(3));
  ASSERT_TRUE(tuning.tuned.played);
  EXPECT_EQ(tuning.tuned.played->failures, 0U);
  EXPECT_FALSE(tuning.choice.proved);

  // There may be no more than the model has.
  SlotLimits limits;
  limits.bytes = in_frames(2);
  const SlotTuning limited = tuned(sources, kSlotsAllPolicy, limits);
  EXPECT_EQ(limited.mended, 0U);
  EXPECT_EQ(limited.choice.pages, 2U);
  EXPECT_FALSE(limited.choice.proved);
  ASSERT_TRUE(limited.tuned.played);
  EXPECT_GT(limited.tuned.played->failures, 0U);
}

TEST(SlotTuning, ABudgetIsKept) {
  Events events(random_events(4));
  trace::EventSource* const sources[] = {&events};
  const std::size_t needed = tuned(sources, kSlotsAllPolicy).tuned.table_bytes();
  SlotLimits limits;
  limits.bytes = needed / 2;
  limits.effort = 10'000'000;
  const SlotTuning tuning = tuned(sources, kSlotsAllPolicy, limits);
  EXPECT_LE(tuning.tuned.table_bytes(), needed / 2);
  EXPECT_GT(tuning.choice.failures, 0U);
  ASSERT_TRUE(tuning.tuned.played);
  EXPECT_EQ(tuning.tuned.played->failures, tuning.choice.failures);
  limits.bytes = 4 * needed;
  EXPECT_EQ(tuned(sources, kSlotsAllPolicy, limits).tuned.table_bytes(), needed);
}

TEST(SlotTuning, WhereNobodyAsksForSlotsThereIsNoTable) {
  Events events({});
  trace::EventSource* const sources[] = {&events};
  const SlotTuning tuning = tuned(sources, kSlotsPolicy);
  EXPECT_EQ(tuning.requests, 0U);
  EXPECT_TRUE(tuning.tuned.bundles.empty());
}

}  // namespace
}  // namespace modmem::tuning
