// The conformance suite, continued: what is left, why a request fails, and where frames lie.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/bits.hpp"
#include "heap/testing/heap_conformance.hpp"
#include "heap/testing/random.hpp"
#include "modmem/config.hpp"

namespace modmem {
namespace {

constexpr std::size_t kPage = config::kPageBytes;
constexpr std::size_t kGranule = config::kGranuleBytes;

// States of a heap, from empty to full, as seen by `look` after each step.
template <typename Look>
void in_many_states(HeapModel& model, std::uint64_t seed, Look look) {
  Random random(seed);
  look();
  for (int round = 0; round < 12; ++round) {
    const std::size_t most = round % 3 == 0 ? 300 : round % 3 == 1 ? 3 * kPage : 20 * kPage;
    for (int i = 0; i < 30; ++i) {
      model.allocate(random.size(most), std::size_t{1} << random.below(13));
    }
    look();
    while (model.size() > 0 && !random.one_in(20)) {
      model.free(random.below(model.size()));
    }
    look();
  }
}

// --- how much is left ---

TEST_P(HeapConformance, TheLargestRequestIsExact) {
  in_many_states(model, 1, [this] {
    for (std::size_t alignment = 1; alignment <= 16 * kPage; alignment *= 2) {
      const WorldState before = fixture->state();
      const std::size_t largest = heap().largest_request(alignment);
      ASSERT_EQ(before.difference(fixture->state()), "") << "a question changed something";
      ASSERT_EQ(largest % kGranule, 0U);
      ASSERT_EQ(heap().allocate(largest + 1, alignment), nullptr) << largest << " at " << alignment;
      ASSERT_EQ(before.difference(fixture->state()), "") << largest << " at " << alignment;
      if (largest > 0) {
        void* block = heap().allocate(largest, alignment);
        ASSERT_NE(block, nullptr) << largest << " at " << alignment;
        ASSERT_EQ(heap().free(block), PointerStatus::live);
      }
    }
    ASSERT_TRUE(sound());
  });
}

TEST_P(HeapConformance, WhatIsSmallerThanTheLargestRequestFitsToo) {
  in_many_states(model, 2, [this] {
    for (const std::size_t alignment : {std::size_t{1}, kPage, 4 * kPage}) {
      const std::size_t largest = heap().largest_request(alignment);
      for (std::size_t bytes = largest; bytes > 0; bytes = bytes * 3 / 4) {
        void* block = heap().allocate(bytes, alignment);
        ASSERT_NE(block, nullptr) << bytes << " of " << largest << " at " << alignment;
        ASSERT_EQ(heap().free(block), PointerStatus::live);
      }
    }
  });
}

TEST_P(HeapConformance, KeptFramesStayFree) {
  in_many_states(model, 3, [this] {
    const std::size_t all = heap().largest_request(1);
    std::size_t before = all;
    for (std::uint32_t keep = 0; keep <= world().frames() + 3; keep += keep < 5 ? 1 : 7) {
      const std::size_t largest = heap().largest_request(1, keep);
      ASSERT_LE(largest, before) << keep;
      before = largest;
      if (largest > 0) {
        const std::uint32_t held = world().pool().taken() - world().metadata().held;
        void* block = heap().allocate_range(largest, largest, 1, 1, keep).pointer;
        ASSERT_NE(block, nullptr);
        // What was not free cannot be kept; a page of descriptors comes on top.
        const std::uint32_t now = world().pool().taken() - world().metadata().held;
        ASSERT_TRUE(world().pool().free() + 1 >= keep || now == held) << keep;
        heap().free(block);
      }
    }
  });
}

TEST_P(HeapConformance, FreeBytesBoundEveryRequest) {
  in_many_states(model, 4, [this] {
    const std::size_t free = heap().free_bytes();
    ASSERT_GE(free, heap().largest_request(1));
    // All of it can be had in the best case: what is held and not occupied, and what the pool has.
    const HeapStats stats = heap().stats();
    const std::size_t pool = traits().elastic ? world().pool().free() * kPage : 0;
    const std::size_t all = stats.mapped_bytes - stats.occupied_bytes + pool;
    ASSERT_LE(free, all);
    if (traits().exact) {
      ASSERT_EQ(free, all);
    }
  });
}

TEST_P(HeapConformance, AFullHeapHasNothingLeft) {
  fill(kPage);
  fill(kGranule);
  EXPECT_EQ(heap().largest_request(1), 0U);
  EXPECT_EQ(heap().largest_request(kPage), 0U);
  EXPECT_EQ(heap().allocate(1, 1), nullptr);
  EXPECT_NE(heap().explain(1, 1), FailureReason::none);
  EXPECT_TRUE(sound());
}

TEST_P(HeapConformance, AlignmentsBeyondTheWindowAreRefused) {
  for (std::size_t alignment = std::size_t{1} << 22U; alignment != 0; alignment *= 2) {
    EXPECT_EQ(heap().allocate(1, alignment), nullptr);
    EXPECT_EQ(heap().largest_request(alignment), 0U);
    EXPECT_EQ(heap().explain(1, alignment), FailureReason::alignment);
  }
}

TEST_P(HeapConformance, HugeSizesAreRefused) {
  const WorldState before = fixture->state();
  for (const std::size_t bytes :
       {SIZE_MAX, SIZE_MAX - kPage, SIZE_MAX / 2, std::size_t{1} << 37U, std::size_t{1} << 36U,
        (std::size_t{1} << 36U) + 16, std::size_t{1} << 32U, std::size_t{1} << 28U}) {
    EXPECT_EQ(heap().allocate(bytes, 1), nullptr);
    EXPECT_EQ(heap().allocate(bytes, kPage), nullptr);
    EXPECT_EQ(heap().explain(bytes, 1), FailureReason::pool);
  }
  ASSERT_TRUE(model.allocate(100, 1));
  EXPECT_FALSE(model.resize(0, SIZE_MAX));
  EXPECT_FALSE(model.resize(0, std::size_t{1} << 36U));
  model.free_all();
  model.release_all();
  EXPECT_EQ(before.difference(fixture->state()), "");
}

// --- ranges ---

TEST_P(HeapConformance, RangesAreAsLargeAsFits) {
  const std::size_t largest = heap().largest_request(1);
  ASSERT_TRUE(model.allocate_range(1, SIZE_MAX / 2, 1, 1, 0));
  EXPECT_EQ(model[0].asked, largest);
  if (traits().one_piece) {
    EXPECT_FALSE(model.allocate_range(kPage, 2 * kPage, 1, 1, 0));
  }
  model.free_all();
  ASSERT_TRUE(model.allocate_range(100, 5000, 1, 1, 0));
  EXPECT_EQ(model[0].asked, 5000U);
  EXPECT_TRUE(sound());
}

TEST_P(HeapConformance, RangesGrowByWholeSteps) {
  ASSERT_TRUE(model.allocate_range(100, 1000, 1, 192, 0));
  EXPECT_EQ(model[0].asked, 100U + 4 * 192);
  model.free_all();
  const std::size_t largest = heap().largest_request(1);
  ASSERT_TRUE(model.allocate_range(48, SIZE_MAX / 2, 1, 4800, 0));
  EXPECT_EQ((model[0].asked - 48) % 4800, 0U);
  EXPECT_LE(model[0].asked, largest);
  EXPECT_GT(model[0].asked + 4800, largest);
  model.free_all();
  ASSERT_TRUE(model.allocate_range(kPage, kPage, 1, 7, 0));
  EXPECT_EQ(model[0].asked, kPage);
}

TEST_P(HeapConformance, RangesLeaveKeptFramesToOthers) {
  const std::uint32_t keep = 9;
  ASSERT_TRUE(model.allocate_range(1, SIZE_MAX / 2, 1, 1, keep));
  EXPECT_GE(world().pool().free(), keep);
  // The minimum may use them.
  const std::size_t rest = heap().largest_request(1);
  if (traits().elastic) {
    ASSERT_GT(rest, 2 * kPage);
  }
  if (rest > 0) {
    ASSERT_TRUE(model.allocate_range(rest, 2 * rest, 1, 1, keep));
    EXPECT_EQ(model[1].asked, rest);
  }
  EXPECT_TRUE(sound());
}

TEST_P(HeapConformance, RangesHoldInAnyState) {
  Random random(5);
  in_many_states(model, 6, [this, &random] {
    for (int i = 0; i < 20; ++i) {
      const std::size_t minimum = random.size(6 * kPage);
      const auto keep = static_cast<std::uint32_t>(random.one_in(2) ? 0 : random.below(12));
      const std::size_t count = model.size();
      model.allocate_range(minimum, minimum + random.size(30 * kPage),
                           std::size_t{1} << random.below(15), random.size(2 * kPage), keep);
      if (model.size() != count) {
        model.free(count);
      }
    }
    ASSERT_TRUE(sound());
  });
}

// --- why a request fails ---

TEST_P(HeapConformance, ExplainsFailuresAndNothingElse) {
  in_many_states(model, 7, [this] {
    for (const std::size_t bytes :
         {std::size_t{1}, std::size_t{100}, kPage, 5 * kPage, 15 * kPage, 40 * kPage, 60 * kPage}) {
      for (const std::size_t alignment : {std::size_t{1}, kPage, 8 * kPage}) {
        const FailureReason reason = heap().explain(bytes, alignment);
        const bool fits = bytes <= heap().largest_request(alignment);
        const bool fits_somehow = bytes <= heap().largest_request(1);
        ASSERT_EQ(reason == FailureReason::none, fits) << bytes << " at " << alignment;
        ASSERT_EQ(reason == FailureReason::alignment, !fits && fits_somehow);
        void* block = heap().allocate(bytes, alignment);
        ASSERT_EQ(block != nullptr, fits) << bytes << " at " << alignment;
        heap().free(block);
      }
    }
  });
}

TEST_P(HeapConformance, ExplainsThatThereIsTooLittle) {
  EXPECT_EQ(heap().explain(100 * kPage, 1), FailureReason::pool);
  fill(kPage);
  fill(kGranule);
  const FailureReason reason = heap().explain(kPage, 1);
  EXPECT_TRUE(reason == FailureReason::pool || (!traits().exact && reason == FailureReason::slots));
}

TEST_P(HeapConformance, ExplainsFragmentation) {
  if (!traits().exact) {
    return;  // slots of one size do not fragment: they run out
  }
  fill(256);
  free_every_second();
  EXPECT_EQ(heap().explain(256, 1), FailureReason::none);
  EXPECT_EQ(heap().largest_request(1), 256U);
  EXPECT_EQ(heap().explain(257, 1), FailureReason::fragmentation);
  EXPECT_EQ(heap().explain(kPage, 1), FailureReason::fragmentation);
}

TEST_P(HeapConformance, ExplainsAlignment) {
  fill(256);
  // The blocks lie at odd and even multiples of 256: one odd place is free now.
  for (std::size_t i = 0; i < model.size(); ++i) {
    if (reinterpret_cast<std::uintptr_t>(model[i].pointer) % 512 != 0) {
      model.free(i);
      break;
    }
  }
  EXPECT_EQ(heap().explain(256, 256), FailureReason::none);
  EXPECT_EQ(heap().explain(256, 512), FailureReason::alignment);
  EXPECT_EQ(heap().allocate(256, 512), nullptr);
}

// --- calls that fail ---

TEST_P(HeapConformance, AFailedCallLeavesEverythingAsItWas) {
  Random random(8);
  in_many_states(model, 9, [this, &random] {
    for (int i = 0; i < 20; ++i) {
      const WorldState before = fixture->state();
      const std::size_t alignment = std::size_t{1} << random.below(16);
      const std::size_t bytes = heap().largest_request(alignment) + random.size(20 * kPage);
      ASSERT_FALSE(model.allocate(bytes, alignment));
      ASSERT_FALSE(model.allocate_range(bytes, 2 * bytes, alignment, 1, 0));
      ASSERT_EQ(before.difference(fixture->state()), "");
      if (model.size() > 0) {
        const std::size_t index = random.below(model.size());
        if (!model.resize(index, model[index].usable + random.size(30 * kPage))) {
          ASSERT_EQ(before.difference(fixture->state()), "");
        }
      }
    }
    model.verify_all();
    ASSERT_TRUE(sound());
  });
}

TEST_P(HeapConformance, AMappingThatFailsLeavesNoTraceAndTheNextRequestSucceeds) {
  in_many_states(model, 10, [this] {
    for (const std::size_t bytes :
         {std::size_t{1}, std::size_t{1000}, kPage, 3 * kPage + 5, 7 * kPage}) {
      if (bytes > heap().largest_request(1)) {
        continue;
      }
      const WorldState before = fixture->state();
      std::uint64_t maps = 0;
      void* block = nullptr;
      while (block == nullptr) {
        ASSERT_LT(maps, 40U);
        world().fail_maps_after(maps++);
        block = heap().allocate(bytes, 1);
        world().fail_maps_after(HostPort::kNever);
        if (block == nullptr) {
          ASSERT_EQ(before.difference(fixture->state()), "") << bytes << " after " << maps;
          ASSERT_TRUE(sound());
        }
      }
      heap().free(block);
      ASSERT_TRUE(model.allocate(bytes, 1));
      model.free(model.size() - 1);
    }
  });
}

TEST_P(HeapConformance, AGrowthThatFailsLeavesNoTrace) {
  if (!traits().joins) {
    return;
  }
  ASSERT_TRUE(model.allocate(100, kPage));
  for (const std::size_t bytes : {kPage, kPage + 1, 3 * kPage + 100, 8 * kPage}) {
    const WorldState before = fixture->state();
    bool grown = false;
    for (std::uint64_t maps = 0; !grown; ++maps) {
      ASSERT_LT(maps, 40U);
      world().fail_maps_after(maps);
      grown = model.resize(0, bytes);
      world().fail_maps_after(HostPort::kNever);
      if (!grown) {
        ASSERT_EQ(before.difference(fixture->state()), "") << bytes << " after " << maps;
      }
    }
    ASSERT_TRUE(sound());
    ASSERT_TRUE(model.resize(0, 100));
  }
}

// --- frames ---

TEST_P(HeapConformance, FramesLieUnderLiveDataOnly) {
  in_many_states(model, 11, [this] {
    const std::size_t held = heap().stats().mapped_bytes / kPage;
    const std::size_t used = pages_in_use();
    if (traits().elastic) {
      ASSERT_GE(held, used);
      ASSERT_LE(held, used + traits().kept_pages);
      // The rest is metadata's: all that is mapped is accounted for.
      ASSERT_EQ(world().space().mapped_pages(), held + world().metadata().held);
    }
    ASSERT_EQ(world().pool().taken(), world().space().mapped_pages());
  });
}

TEST_P(HeapConformance, AnEmptiedPageCannotBeTouched) {
  if (!traits().elastic || traits().kept_pages != 0) {
    return;  // pages may stay
  }
  ASSERT_TRUE(model.allocate(100, 1));
  const std::byte* block = model[0].pointer;
  ASSERT_TRUE(model.allocate(5 * kPage, kPage));
  const std::byte* large = model[1].pointer;
  model.free(0);
  EXPECT_TRUE(model.resize(0, 2 * kPage));
  const auto touch = [](const std::byte* at) {
    static_cast<void>(*static_cast<const volatile std::byte*>(at));
  };
  EXPECT_DEATH(touch(block), "");
  EXPECT_DEATH(touch(block + world().port().alias_offset()), "");
  touch(large + 2 * kPage - 1);
  EXPECT_DEATH(touch(large + 2 * kPage), "");
  EXPECT_DEATH(touch(large + 5 * kPage - 1), "");
}

TEST_P(HeapConformance, TakesNoFrameForWhatFitsAHole) {
  if (!traits().joins) {
    return;
  }
  fill(512);
  free_every_second();
  const std::size_t mapped = heap().stats().mapped_bytes;
  for (int i = 0; i < 40; ++i) {
    ASSERT_TRUE(model.allocate(64, 1));
  }
  EXPECT_EQ(heap().stats().mapped_bytes, mapped);
}

TEST_P(HeapConformance, PeaksAreHighWaterMarks) {
  ASSERT_TRUE(model.allocate(6 * kPage, 1));
  const std::size_t peak = heap().stats().mapped_bytes;
  EXPECT_EQ(heap().stats().peak_mapped_bytes, peak);
  model.free_all();
  EXPECT_EQ(heap().stats().peak_mapped_bytes, peak);
  ASSERT_TRUE(model.allocate(2 * kPage, 1));
  EXPECT_EQ(heap().stats().peak_mapped_bytes, peak);
}

}  // namespace
}  // namespace modmem
