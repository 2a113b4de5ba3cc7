// Holes lent to others where memory is short, and owners that end as a whole.

#include <gtest/gtest.h>

#include <cstddef>
#include <cstring>
#include <random>
#include <vector>

#include "memory/testing/test_system.hpp"

namespace modmem {
namespace {

using testing::preset;
using testing::TestSystem;

constexpr std::size_t kPage = config::kPageBytes;

PlatformConfig small_pool(std::size_t pages) {
  PlatformConfig config = preset("mtl");
  config.sram_bytes = config.reserve_bytes + pages * kPage;
  config.arena_bytes = 0;
  config.cores = 1;
  config.metadata_bytes = 65536;
  return config;
}

class MemoryLending : public ::testing::Test {
 protected:
  explicit MemoryLending(std::size_t pages = 8) : system_(small_pool(pages)) {}
  Owner& pipeline(std::uint32_t id) {
    return *memory().create_owner(memory().system(),
                                  {.kind = OwnerKind::pipeline, .id = id, .name = "pipeline"});
  }
  std::byte* take(Owner& owner, std::size_t bytes) {
    auto* block = static_cast<std::byte*>(memory().allocate({&owner, bytes, 0, 0, MODMEM_HERE}));
    if (block != nullptr) {
      std::memset(block, static_cast<int>(bytes % 251), bytes);
    }
    return block;
  }
  Memory& memory() { return system_.memory(); }
  // Takes every frame for `owner`, whose last page keeps a hole of `hole` bytes.
  void fill(Owner& owner, std::size_t hole) {
    const std::size_t free = memory().pool().free();
    for (std::size_t i = 2; i < free; ++i) {
      ASSERT_NE(take(owner, kPage), nullptr);
    }
    ASSERT_NE(take(owner, 2 * kPage - hole), nullptr);  // too large for a hole of another's
    ASSERT_EQ(memory().pool().free(), 0U);
  }

  TestSystem system_;
};

TEST_F(MemoryLending, AHoleServesAnotherOwnerOnceThereIsNoFrame) {
  Owner& lender = pipeline(1);
  Owner& borrower = pipeline(2);
  ASSERT_NE(take(borrower, 100), nullptr);
  EXPECT_EQ(memory().heap_report(borrower).mapped_bytes, kPage);  // not the hole of a sibling
  fill(lender, 1024);
  EXPECT_EQ(memory().largest_request({.owner = &borrower, .bytes = 1, .site = {}}), kPage - 112);
  ASSERT_NE(take(borrower, kPage - 112), nullptr);
  EXPECT_EQ(memory().largest_request({.owner = &borrower, .bytes = 1, .site = {}}), 1024U);
  EXPECT_EQ(take(borrower, 1025), nullptr);
  std::byte* guest = take(borrower, 1024);
  ASSERT_NE(guest, nullptr);
  EXPECT_TRUE(memory().check(CheckDepth::deep));
  EXPECT_EQ(borrower.own, 100U + kPage - 112 + 1024);
  EXPECT_EQ(memory().free(guest), PointerStatus::live);
  EXPECT_EQ(memory().free(guest), PointerStatus::not_live);
  EXPECT_TRUE(memory().check(CheckDepth::deep));
}

TEST_F(MemoryLending, AGuestOutlivesItsLenderAndEndsWithItsOwner) {
  const auto boot = system_.pool_state();
  Owner& lender = pipeline(1);
  Owner& borrower = pipeline(2);
  fill(lender, 512);
  std::byte* guest = take(borrower, 500);
  ASSERT_NE(guest, nullptr);
  memory().release_owner(lender);
  EXPECT_TRUE(memory().check(CheckDepth::deep));
  EXPECT_EQ(memory().pool().taken() * kPage, kPage + system_.heap("metadata").mapped_bytes);
  for (std::size_t i = 0; i < 500; ++i) {
    ASSERT_EQ(std::to_integer<int>(guest[i]), 500 % 251);
  }
  EXPECT_EQ(memory().usable_size(guest), 500U);
  EXPECT_EQ(system_.heap("system").live_bytes, 500U);
  EXPECT_EQ(memory().destroy_owner(borrower), 1U);  // a leak like any other
  EXPECT_EQ(system_.pool_state(), boot);
}

TEST_F(MemoryLending, LendersEndInAnyWay) {
  for (const bool released : {true, false}) {
    Owner& lender = pipeline(1);
    Owner& module = *memory().create_owner(lender, {.kind = OwnerKind::module, .name = "module"});
    Owner& borrower = pipeline(2);
    fill(module, 2048);
    std::vector<std::byte*> guests;
    while (std::byte* guest = take(borrower, 200)) {
      guests.push_back(guest);
    }
    EXPECT_EQ(guests.size(), 9U);
    if (released) {
      memory().release_owner(lender);
    } else {
      EXPECT_GT(memory().destroy_owner(lender), 0U);
    }
    EXPECT_TRUE(memory().check(CheckDepth::deep));
    for (std::byte* guest : guests) {
      EXPECT_EQ(memory().free(guest), PointerStatus::live);
    }
    EXPECT_TRUE(memory().destroy_empty_owner(borrower));
    EXPECT_TRUE(memory().check(CheckDepth::deep));
    EXPECT_EQ(memory().pool().taken() * kPage, system_.heap("metadata").mapped_bytes);
  }
}

TEST_F(MemoryLending, IsolatedOwnersNeitherLendNorBorrow) {
  Owner& kept =
      *memory().create_owner(memory().system(), {.kind = OwnerKind::heap, .name = "kept"});
  Owner& other = pipeline(2);
  fill(kept, 1024);
  EXPECT_EQ(take(other, 64), nullptr);
  EXPECT_EQ(memory().destroy_owner(kept), 7U);
  Owner& lender = pipeline(3);
  Owner& mine =
      *memory().create_owner(memory().system(), {.kind = OwnerKind::heap, .name = "mine"});
  fill(lender, 1024);
  EXPECT_EQ(take(mine, 64), nullptr);
}

TEST(MemoryLendingPolicies, OnlyWhereTheTableSaysSo) {
  TestSystem system(small_pool(8), kModuleHeapsPolicy);
  Memory& memory = system.memory();
  Owner& lender = *memory.create_owner(memory.system(), {.kind = OwnerKind::pipeline});
  Owner& other = *memory.create_owner(memory.system(), {.kind = OwnerKind::pipeline});
  const std::size_t bytes = memory.pool().free() * kPage - 1024;
  ASSERT_NE(memory.allocate({&lender, bytes, 0, 0, MODMEM_HERE}), nullptr);
  EXPECT_EQ(memory.allocate({&other, 64, 0, 0, MODMEM_HERE}), nullptr);
}

TEST_F(MemoryLending, ReleaseIsNoLeakAndLeavesThePoolAsItWas) {
  const auto boot = system_.pool_state();
  Owner& owner = pipeline(1);
  Owner& module = *memory().create_owner(owner, {.kind = OwnerKind::module, .name = "module"});
  for (std::size_t i = 1; i < 60; ++i) {
    ASSERT_NE(take(i % 2 == 0 ? owner : module, i * 5), nullptr);
  }
  // In other heaps, too.
  ASSERT_NE(memory().allocate({&module, 300, 0, flag::kKernel, MODMEM_HERE}), nullptr);
  ASSERT_NE(memory().allocate({&owner, 300, 0, flag::kShared, MODMEM_HERE}), nullptr);
  EXPECT_GT(memory().metadata_use().live, 60U * sizeof(Record));
  const MetadataUse full = memory().metadata_use();
  memory().release_owner(owner);
  EXPECT_TRUE(memory().check(CheckDepth::deep));
  EXPECT_TRUE(system_.seen().leaks.empty());
  EXPECT_EQ(system_.pool_state(), boot);
  EXPECT_EQ(memory().system().tree, 0U);
  EXPECT_LT(memory().metadata_use().live, full.live);
  EXPECT_GE(memory().metadata_use().peak, full.live);
}

// Owners come, borrow, lend and end in any order; every payload stays what was written.
TEST(MemoryLendingProperty, AnyOrder) {
  std::mt19937 random(7);
  for (int round = 0; round < 20; ++round) {
    TestSystem system(small_pool(12));
    Memory& memory = system.memory();
    struct Block {
      std::byte* at;
      std::size_t bytes;
      std::byte value;
    };
    struct Stream {
      Owner* owner;
      std::vector<Block> blocks;
    };
    std::vector<Stream> streams;
    for (int step = 0; step < 600; ++step) {
      const auto what = static_cast<unsigned>(random() % 20);
      if (streams.empty() || (what == 0 && streams.size() < 6)) {
        streams.push_back(
            {memory.create_owner(memory.system(), {.kind = OwnerKind::pipeline}), {}});
        ASSERT_NE(streams.back().owner, nullptr);
      } else if (what == 1) {
        const std::size_t which = random() % streams.size();
        if (random() % 2 == 0) {
          memory.release_owner(*streams[which].owner);
        } else {
          memory.destroy_owner(*streams[which].owner);
        }
        streams.erase(streams.begin() + static_cast<std::ptrdiff_t>(which));
      } else if (what < 14) {
        Stream& stream = streams[random() % streams.size()];
        const std::size_t bytes = random() % 8 == 0 ? 1 + random() % 9000 : 1 + random() % 900;
        if (void* block = memory.allocate({stream.owner, bytes, 0, 0, MODMEM_HERE})) {
          const auto value = static_cast<std::byte>(random() & 0xffU);
          std::memset(block, static_cast<int>(value), bytes);
          stream.blocks.push_back({static_cast<std::byte*>(block), bytes, value});
        }
      } else {
        Stream& stream = streams[random() % streams.size()];
        if (!stream.blocks.empty()) {
          std::swap(stream.blocks[random() % stream.blocks.size()], stream.blocks.back());
          ASSERT_EQ(memory.free(stream.blocks.back().at), PointerStatus::live);
          stream.blocks.pop_back();
        }
      }
      ASSERT_TRUE(memory.check(CheckDepth::deep));
      for (const Stream& stream : streams) {
        for (const Block& block : stream.blocks) {
          ASSERT_EQ(block.at[0], block.value);
          ASSERT_EQ(block.at[block.bytes - 1], block.value);
        }
      }
    }
  }
}

}  // namespace
}  // namespace modmem
