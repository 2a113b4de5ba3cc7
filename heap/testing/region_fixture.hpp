// RegionWorld: a Region on a small platform, for its tests, and a plain model that it is used
// against.
#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "heap/region.hpp"
#include "heap/testing/heap_world.hpp"
#include "heap/testing/random.hpp"

namespace modmem {

class RegionWorld {
 protected:
  static constexpr std::size_t kPage = config::kPageBytes;
  static constexpr std::size_t kLine = 64;

  // A block that lives: what is in it, and whether it is of the lifetime part.
  struct Block {
    std::byte* pointer;
    std::size_t bytes;
    std::byte pattern;
    bool lifetime;
  };
  using Blocks = std::vector<Block>;

  RegionWorld(bool has_mmu, std::uint32_t frames, bool grows)
      : world(small_platform(has_mmu, frames), PortKind::host), grows_(grows) {}
  ~RegionWorld() {
    if (region.is_open()) {
      region.close();
    }
    EXPECT_EQ(world.pool().taken(), 0U) << "the region left something behind";
    EXPECT_EQ(account.held, 0U);
    EXPECT_TRUE(world.check());
  }

  bool open(std::size_t bytes, std::size_t alignment = kLine) {
    return region.open(world.space(), world.descriptors(), HeapId{1}, account,
                       {.bytes = bytes, .grows = grows_, .block_alignment = alignment});
  }
  std::byte* take(std::size_t bytes, std::size_t alignment = 1) {
    return static_cast<std::byte*>(region.allocate(bytes, alignment));
  }
  bool sound() { return region.check(CheckDepth::deep) && world.check(); }

  // Opens regions of up to `most_pages`, and takes and gives blocks in them at random, through
  // either alias. Each has a pattern of its own; lifetime blocks never come back; figures are the
  // model's. Calls after_step(blocks that live) behind each step.
  template <typename AfterStep>
  void use_at_random(std::size_t most_pages, AfterStep after_step) {
    for (std::uint64_t seed = 0; seed < 60 && !::testing::Test::HasFatalFailure(); ++seed) {
      SCOPED_TRACE("seed " + std::to_string(seed));
      Random random(seed);
      ASSERT_TRUE(open(random.between(1, most_pages) * kPage, std::size_t{32} << random.below(4)));
      use_opened(random, after_step);
      ASSERT_TRUE(region.put());
      ASSERT_EQ(world.pool().taken(), 0U);
    }
  }

  HeapWorld world;
  PageAccount account;
  Region region;

 private:
  // What of the open region the model knows.
  struct Model {
    Blocks live;
    std::vector<std::byte*> freed;  // of lifetime blocks: never live again
    std::size_t freed_bytes = 0;
    std::byte* top = nullptr;
  };

  template <typename AfterStep>
  void use_opened(Random& random, AfterStep after_step) {
    Model model{.live = {}, .freed = {}, .freed_bytes = 0, .top = region.base()};
    const std::size_t seal_after = random.below(60);
    for (std::size_t step = 0; step < 150 && !::testing::Test::HasFatalFailure(); ++step) {
      SCOPED_TRACE("step " + std::to_string(step));
      if (step == seal_after) {
        region.set_interim();
      }
      if (random.below(5) < 3) {
        take_one(random, model);
      } else if (!model.live.empty()) {
        free_one(random, model);
      }
      expect_as(model);
      after_step(model.live);
    }
  }

  void take_one(Random& random, Model& model) {
    const std::size_t bytes = random.size(3 * kPage / 2);
    const std::size_t alignment = std::size_t{1} << random.below(13);
    const bool fits = bytes <= region.largest_request(alignment);
    void* got = random.one_in(4) ? region.allocate_coherent(bytes, alignment)
                                 : region.allocate(bytes, alignment);
    ASSERT_EQ(got != nullptr, fits);
    if (got == nullptr) {
      return;
    }
    const Block block{world.space().to_cached(got), region.usable_size(got),
                      std::byte(random.below(256)), !region.is_interim()};
    ASSERT_GE(block.bytes, bytes);
    ASSERT_EQ(block.bytes % region.block_alignment(), 0U);
    ASSERT_EQ(reinterpret_cast<std::uintptr_t>(block.pointer) % alignment, 0U);
    ASSERT_EQ(reinterpret_cast<std::uintptr_t>(block.pointer) % region.block_alignment(), 0U);
    ASSERT_GE(block.pointer, model.top) << "over a lifetime block";
    ASSERT_LE(block.pointer + block.bytes, region.base() + region.bytes());
    model.top = block.lifetime ? block.pointer + block.bytes : model.top;
    std::memset(block.pointer, std::to_integer<int>(block.pattern), block.bytes);
    model.live.push_back(block);
  }

  void free_one(Random& random, Model& model) {
    const std::size_t index = random.below(model.live.size());
    const Block block = model.live[index];
    for (std::size_t i = 0; i < block.bytes; ++i) {
      ASSERT_EQ(block.pointer[i], block.pattern);
    }
    ASSERT_EQ(region.free(block.pointer + 1 + random.below(block.bytes - 1)),
              PointerStatus::interior);
    ASSERT_EQ(region.free(block.pointer), PointerStatus::live);
    ASSERT_EQ(region.free(block.pointer), PointerStatus::not_live);
    if (block.lifetime) {
      model.freed.push_back(block.pointer);
      model.freed_bytes += block.bytes;
    }
    model.live.erase(model.live.begin() + static_cast<std::ptrdiff_t>(index));
  }

  void expect_as(const Model& model) {
    const RegionInfo info = region.info();
    std::size_t bytes = 0;
    for (const Block& block : model.live) {
      ASSERT_EQ(region.usable_size(block.pointer), block.bytes);
      bytes += block.bytes;
    }
    for (std::byte* pointer : model.freed) {
      ASSERT_EQ(region.status(pointer), PointerStatus::not_live);
    }
    ASSERT_EQ(info.freed_blocks, model.freed.size());
    ASSERT_EQ(info.freed_bytes, model.freed_bytes);
    ASSERT_EQ(info.lifetime_bytes, static_cast<std::size_t>(model.top - region.base()));
    ASSERT_EQ(info.lifetime_blocks + info.interim_blocks, model.live.size());
    ASSERT_EQ(region.stats().occupied_bytes, bytes);
    ASSERT_TRUE(region.check(CheckDepth::cheap));
    ASSERT_TRUE(sound());
  }

  bool grows_;
};

}  // namespace modmem
