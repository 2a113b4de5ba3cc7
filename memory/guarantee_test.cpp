// Guarantees and limits of owners, one inside the other: what they promise, what of them is
// refused, and that nothing that others do breaks them.

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <vector>

#include "memory/testing/test_system.hpp"

namespace modmem {
namespace {

using testing::small_platform;
using testing::TestSystem;

constexpr std::size_t kPage = config::kPageBytes;

std::string text_of(const GuaranteeFigures& figures) {
  char text[160];
  const std::size_t length = to_text(figures, text);
  return std::string(text, length);
}

OwnerSpec pipeline(std::uint32_t id, std::uint32_t frames) {
  return {
      .kind = OwnerKind::pipeline, .id = id, .name = "pipeline", .guarantee = in_frames(frames)};
}

OwnerSpec module(std::uint32_t id, std::uint32_t frames) {
  return {.kind = OwnerKind::module, .id = id, .name = "module", .guarantee = in_frames(frames)};
}

// Takes all that it can, in blocks of `bytes`.
void exhaust(Memory& memory, Owner* owner, std::size_t bytes) {
  while (memory.allocate({owner, bytes, 0, flag::kSilent, {}}) != nullptr) {
  }
}

class Guarantees : public ::testing::TestWithParam<bool> {};

INSTANTIATE_TEST_SUITE_P(Platforms, Guarantees, ::testing::Bool(),
                         [](const auto& test) { return test.param ? "mmu" : "mcu"; });

TEST_P(Guarantees, AreTakenOutOfThatAbove) {
  TestSystem system(small_platform(GetParam(), 64));
  Memory& memory = system.memory();
  Owner& stream = system.owner(memory.system(), pipeline(1, 20));
  const std::uint32_t reserved = memory.pool().reserved();
  Owner& first = system.owner(stream, module(2, 12));
  EXPECT_EQ(memory.pool().reserved(), reserved);
  EXPECT_NE(first.heap, kNoHeap);
  EXPECT_NE(first.heap, stream.heap);
  EXPECT_TRUE(system.check());

  EXPECT_EQ(memory.create_owner(stream, module(3, 9)), nullptr);
  const Failure& failure = system.seen().failures.back();
  EXPECT_EQ(failure.reason, FailureReason::guarantee);
  EXPECT_EQ(text_of(failure.guarantee),
            "asked 9 frames, guaranteed to others 12 frames, guarantee of pipeline 20 frames");
  Owner& second = system.owner(stream, module(3, 8));

  // Their siblings and the owner above take what they can get.
  exhaust(memory, &system.pipeline(9), kPage);
  exhaust(memory, &system.module(stream, 10), kPage);
  exhaust(memory, &stream, kPage);
  exhaust(memory, &second, kPage);
  for (int i = 0; i < 12; ++i) {
    EXPECT_NE(memory.allocate({&first, kPage, 0, 0, MODMEM_HERE}), nullptr) << i;
  }
  EXPECT_TRUE(system.check());

  // What one gives back is its parent's again.
  memory.destroy_owner(first);
  EXPECT_TRUE(system.check());
  EXPECT_NE(memory.create_owner(stream, module(4, 12)), nullptr);
  EXPECT_TRUE(system.check());
  memory.destroy_owner(stream);
  EXPECT_EQ(memory.pool().reserved(), 0U);
}

TEST_P(Guarantees, PassOverOwnersWithout) {
  TestSystem system(small_platform(GetParam(), 64));
  Memory& memory = system.memory();
  Owner& stream = system.owner(memory.system(), pipeline(1, 20));
  Owner& plain = system.module(stream, 2);
  EXPECT_EQ(plain.heap, kNoHeap);
  system.owner(plain, module(3, 15));
  EXPECT_EQ(memory.create_owner(stream, module(4, 6)), nullptr);
  EXPECT_NE(memory.create_owner(stream, module(4, 5)), nullptr);
  EXPECT_TRUE(system.check());
}

TEST_P(Guarantees, TakeWhatIsMissingFromThePool) {
  TestSystem system(small_platform(GetParam(), 64));
  Memory& memory = system.memory();
  Owner& stream = system.owner(memory.system(), pipeline(1, 20));
  ASSERT_NE(memory.allocate({&stream, 16 * kPage, 0, 0, MODMEM_HERE}), nullptr);
  Owner& child = system.owner(stream, module(2, 12));  // 8 more than the 4 that are left
  EXPECT_TRUE(system.check());
  exhaust(memory, &stream, kPage);
  EXPECT_NE(memory.allocate({&child, 12 * kPage, 0, 0, MODMEM_HERE}), nullptr);
  memory.destroy_owner(child);
  EXPECT_TRUE(system.check());
  exhaust(memory, &system.pipeline(3), kPage);
  EXPECT_EQ(memory.create_owner(stream, module(4, 12)), nullptr);
  EXPECT_EQ(system.seen().failures.back().guarantee.within, nullptr);
  EXPECT_TRUE(system.check());
}

TEST_P(Guarantees, AreRefusedWithTheArithmetic) {
  TestSystem system(small_platform(GetParam(), 64));
  Memory& memory = system.memory();
  system.owner(memory.system(), pipeline(1, 30));
  ASSERT_NE(memory.allocate({nullptr, 5 * kPage, 0, 0, MODMEM_HERE}), nullptr);
  EXPECT_EQ(memory.create_owner(memory.system(), pipeline(2, 40)), nullptr);
  const Failure& failure = system.seen().failures.back();
  EXPECT_EQ(failure.reason, FailureReason::guarantee);
  EXPECT_EQ(failure.guarantee.asked, 40 + failure.guarantee.metadata);
  EXPECT_EQ(failure.guarantee.guaranteed, memory.pool().reserved());
  EXPECT_GE(failure.guarantee.guaranteed, 30U);
  EXPECT_EQ(failure.guarantee.held, memory.pool().taken());
  EXPECT_EQ(failure.guarantee.total, 64U);
  EXPECT_GT(failure.guarantee.asked,
            failure.guarantee.total - failure.guarantee.guaranteed - failure.guarantee.held);
  // Where nobody else had a guarantee either.
  EXPECT_EQ(memory.create_owner(memory.system(), pipeline(2, 62)), nullptr);
  EXPECT_EQ(system.seen().failures.back().reason, FailureReason::pool);
  // A block that is refused for others' guarantees says so, too.
  EXPECT_EQ(memory.allocate({nullptr, 40 * kPage, 0, 0, MODMEM_HERE}), nullptr);
  EXPECT_EQ(system.seen().failures.back().guarantee.asked, 40U);
}

TEST_P(Guarantees, AreRefusedWhereTheyWouldMeanNothing) {
  TestSystem system(small_platform(GetParam(), 64), kSinglePolicy);
  Memory& memory = system.memory();
  EXPECT_EQ(memory.create_owner(memory.system(), pipeline(1, 2)), nullptr);
  EXPECT_EQ(system.seen().failures.back().reason, FailureReason::unsupported);

  TestSystem elastic(small_platform(GetParam(), 64));
  Owner* region = elastic.memory().create_owner(elastic.memory().system(),
                                                {.kind = OwnerKind::region, .name = "region"},
                                                {.kind = HeapKind::region, .bytes = 8 * kPage});
  ASSERT_NE(region, nullptr);
  EXPECT_EQ(elastic.memory().create_owner(*region, module(2, 2)), nullptr);
  EXPECT_EQ(elastic.seen().failures.back().reason, FailureReason::unsupported);
}

TEST_P(Guarantees, AreKeptBelowLimits) {
  TestSystem system(small_platform(GetParam(), 64));
  Memory& memory = system.memory();
  Owner& stream = system.pipeline(1, 0, 10 * kPage);
  Owner& greedy = system.module(stream, 2);
  OwnerSpec spec = module(3, 11);
  EXPECT_EQ(memory.create_owner(stream, spec), nullptr);
  EXPECT_EQ(system.seen().failures.back().reason, FailureReason::limit);
  spec.guarantee = 4 * kPage;
  spec.limit = 3 * kPage;
  EXPECT_EQ(memory.create_owner(stream, spec), nullptr);
  EXPECT_EQ(system.seen().failures.back().reason, FailureReason::limit);
  spec.limit = OwnerSpec::kNoLimit;
  Owner& holder = system.owner(stream, spec);

  exhaust(memory, &greedy, 16);
  EXPECT_EQ(stream.tree, 6 * kPage);
  EXPECT_EQ(memory.largest_request({&greedy, 0, 0, 0, {}}), 0U);
  EXPECT_FALSE(memory.set_limit(stream, 10 * kPage - 1));
  EXPECT_TRUE(system.check());
  EXPECT_NE(memory.allocate({&holder, 4 * kPage, 0, 0, MODMEM_HERE}), nullptr);
  EXPECT_EQ(memory.allocate({&holder, 16, 0, 0, MODMEM_HERE}), nullptr);
  EXPECT_EQ(stream.tree, 10 * kPage);
  EXPECT_TRUE(system.check());
}

TEST_P(Guarantees, LimitsInFramesHold) {
  TestSystem system(small_platform(GetParam(), 64));
  Memory& memory = system.memory();
  Owner* limited = memory.create_owner(memory.system(), pipeline(1, 0), {.frame_limit = 5});
  ASSERT_NE(limited, nullptr);
  Owner& below = system.module(*limited, 2);
  exhaust(memory, &below, 100);
  EXPECT_EQ(memory.heap_report(*limited).mapped_bytes, 5 * kPage);
  EXPECT_EQ(memory.allocate({&below, kPage, 0, 0, MODMEM_HERE}), nullptr);
  EXPECT_EQ(system.seen().failures.back().reason, FailureReason::limit);
  EXPECT_FALSE(memory.set_frame_limit(*limited, 4));
  EXPECT_TRUE(memory.set_frame_limit(*limited, 6));
  EXPECT_NE(memory.allocate({&below, kPage, 0, 0, MODMEM_HERE}), nullptr);

  // A module for which one is set has pages of its own.
  Owner* module_owner = memory.create_owner(*limited, module(3, 0), {.frame_limit = 1});
  ASSERT_NE(module_owner, nullptr);
  EXPECT_NE(module_owner->heap, kNoHeap);
  EXPECT_EQ(memory.create_owner(memory.system(), pipeline(4, 3), {.frame_limit = 2}), nullptr);
  EXPECT_EQ(system.seen().failures.back().reason, FailureReason::limit);
  EXPECT_TRUE(system.check());
}

TEST(GuaranteeText, IsCutOffWhereItDoesNotFit) {
  const GuaranteeFigures figures{44, 4, 600, 30, 640, nullptr};
  EXPECT_EQ(text_of(figures),
            "asked 44 frames (4 for metadata), guaranteed to others 600 frames, held 30 frames, "
            "pool 640 frames");
  char text[9];
  EXPECT_EQ(to_text(figures, text), 8U);
  EXPECT_STREQ(text, "asked 44");
  EXPECT_EQ(to_text({}, text), 0U);
  EXPECT_STREQ(text, "");
  EXPECT_EQ(to_text(figures, {}), 0U);
}

// Owners come and go in three levels, with guarantees and limits, and allocate whatever they get.
// At each step every owner can have what it is guaranteed and does not hold yet.
TEST_P(Guarantees, HoldWhateverOthersDo) {
  for (std::uint32_t seed = 1; seed <= 6; ++seed) {
    TestSystem system(small_platform(GetParam(), 96));
    Memory& memory = system.memory();
    std::mt19937 random(seed);
    const auto below = [&](std::uint32_t end) {
      return static_cast<std::uint32_t>(random() % end);
    };
    std::vector<Owner*> owners{&memory.system()};
    std::map<Owner*, std::vector<void*>> blocks;
    const auto level = [](const Owner* owner) {
      int depth = 0;
      for (; owner->parent != nullptr; owner = owner->parent) {
        ++depth;
      }
      return depth;
    };
    for (int step = 0; step < 400; ++step) {
      Owner* owner = owners[below(static_cast<std::uint32_t>(owners.size()))];
      const std::uint32_t what = below(10);
      if (what < 2 && owners.size() < 12 && level(owner) < 3) {
        OwnerSpec spec = level(owner) == 0 ? pipeline(1, below(12)) : module(2, below(5));
        spec.limit = below(3) == 0 ? 12 * kPage : OwnerSpec::kNoLimit;
        if (Owner* created = memory.create_owner(*owner, spec)) {
          owners.push_back(created);
        }
      } else if (what == 2 && owner->parent != nullptr && owner->first_child == nullptr) {
        for (void* block : blocks[owner]) {
          memory.free(block);
        }
        blocks.erase(owner);
        ASSERT_EQ(memory.destroy_owner(*owner), 0U);
        std::erase(owners, owner);
      } else if (what < 8) {
        const std::size_t bytes = below(2) == 0 ? 1 + below(200) : 1 + below(6 * kPage);
        if (void* block = memory.allocate({owner, bytes, 0, flag::kSilent, {}})) {
          blocks[owner].push_back(block);
        }
      } else if (!blocks[owner].empty()) {
        std::swap(blocks[owner][below(static_cast<std::uint32_t>(blocks[owner].size()))],
                  blocks[owner].back());
        memory.free(blocks[owner].back());
        blocks[owner].pop_back();
      }
      ASSERT_TRUE(system.check()) << "seed " << seed << ", step " << step;
      if (!GetParam()) {
        continue;  // frames are there, but maybe not side by side
      }
      for (Owner* holder : owners) {
        const std::size_t held = memory.heap_report(*holder).mapped_bytes;
        std::size_t passed_on = 0;
        for (const Owner* other : owners) {
          const Owner* above = other->parent;
          while (above != nullptr && above->spec.guarantee == 0) {
            above = above->parent;
          }
          passed_on += above == holder ? other->spec.guarantee : 0;
        }
        if (holder->spec.guarantee > held + passed_on) {
          const std::size_t unused = holder->spec.guarantee - held - passed_on;
          void* block = memory.allocate({holder, unused, 0, 0, MODMEM_HERE});
          ASSERT_NE(block, nullptr) << "seed " << seed << ", step " << step << ", " << unused
                                    << ", " << to_string(system.seen().failures.back().reason)
                                    << ", " << text_of(system.seen().failures.back().guarantee);
          memory.free(block);
        }
      }
    }
  }
}

}  // namespace
}  // namespace modmem
