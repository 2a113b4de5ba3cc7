// Where the library's own memory runs out, and where nobody is told: each call is refused with
// nothing changed.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "memory/testing/cached_l3_port.hpp"
#include "memory/testing/test_system.hpp"

namespace modmem {
namespace {

using testing::ArenaMemory;
using testing::CachedL3Port;
using testing::Figures;
using testing::figures;
using testing::small_platform;
using testing::TestSystem;

constexpr std::size_t kPage = config::kPageBytes;
constexpr SlotBundle kBundles[] = {{64, 64}};

// --- metadata ---

// A call that takes metadata. Returns whether it was served; then undo() ends what it made.
struct Taker {
  const char* name;
  std::function<bool(TestSystem&, Owner&)> call;
  std::function<void(TestSystem&, Owner&)> undo;
};

Owner* made = nullptr;  // by the call

Taker owner_taker(const char* name, OwnerKind kind, const HeapSpec& heap) {
  return {name,
          [=](TestSystem& system, Owner&) {
            made = system.memory().create_owner(system.memory().system(),
                                                {.kind = kind, .id = 77, .name = "made"}, heap);
            return made != nullptr;
          },
          [](TestSystem& system, Owner&) { system.memory().release_owner(*made); }};
}

std::vector<Taker> takers() {
  return {
      owner_taker("module", OwnerKind::module, {}),
      owner_taker("pipeline", OwnerKind::pipeline, {}),
      owner_taker("region", OwnerKind::region,
                  {.kind = HeapKind::region, .bytes = 4 * kPage, .grows = true}),
      owner_taker("slots", OwnerKind::slots,
                  {.kind = HeapKind::slots, .bytes = kPage, .bundles = kBundles}),
      {"pin",
       [](TestSystem& system, Owner& owner) {
         void* block = system.memory().allocate({&owner, 100, 0, 0, {}});
         return block == nullptr || system.memory().pin(block);
       },
       [](TestSystem& system, Owner& owner) { system.memory().release_all(owner); }},
      {"plan",
       [](TestSystem& system, Owner& owner) {
         const Need need{.bytes = 100, .blocks = 1};
         PlanEntry entry;
         entry.owner = &owner;
         entry.needs = {&need, 1};
         return system.memory().admit({&entry, 1});
       },
       [](TestSystem& system, Owner& owner) { system.memory().return_unused(owner); }},
  };
}

class Exhaustion : public ::testing::TestWithParam<std::size_t> {};

INSTANTIATE_TEST_SUITE_P(Calls, Exhaustion, ::testing::Range(std::size_t{0}, takers().size()),
                         [](const auto& test) { return std::string(takers()[test.param].name); });

// With ever more small objects before it, so that the page ends behind each part of what is made.
TEST_P(Exhaustion, OfMetadataChangesNothing) {
  const Taker taker = takers()[GetParam()];
  PlatformConfig config = small_platform(true, 64);
  config.metadata_bytes = 0;
  config.max_owners = 400;
  TestSystem system(config);
  Memory& memory = system.memory();
  Owner& owner = system.pipeline(1);
  std::size_t refused = 0;
  std::size_t served = 0;
  for (std::uint32_t fill = 0; fill < 120; ++fill) {
    system.module(memory.system(), 100 + fill);
    const Figures before = figures(system);
    const std::uint64_t frees = owner.frees;
    system.port().host().fail_maps_after(0);
    const bool done = taker.call(system, owner);
    system.port().host().fail_maps_after(HostPort::kNever);
    ASSERT_TRUE(system.check()) << fill;
    if (done) {
      ++served;
      taker.undo(system, owner);
    } else {
      ++refused;
      if (owner.own == 0 && owner.frees == frees) {
        ASSERT_EQ(figures(system), before) << fill;
      }
      memory.release_all(owner);
    }
    ASSERT_EQ(system.pool_state().reserved, before.pool.reserved) << fill;
  }
  EXPECT_GT(served, 0U);
  EXPECT_TRUE(refused != 0 || std::string(taker.name) == "pin");
}

// A pin is refused where its note finds no page, and the block moves as before.
TEST(ExhaustionOfPins, LeavesTheBlockFree) {
  PlatformConfig config = small_platform(true, 64);
  config.metadata_bytes = 0;
  TestSystem system(config);
  Memory& memory = system.memory();
  std::vector<void*> blocks;
  for (int i = 0; i < 600; ++i) {
    blocks.push_back(memory.allocate({nullptr, 16, 0, 0, {}}));
    ASSERT_NE(blocks.back(), nullptr);
  }
  system.port().host().fail_maps_after(0);
  std::size_t pinned = 0;
  while (pinned < blocks.size() && memory.pin(blocks[pinned])) {
    ++pinned;
  }
  ASSERT_LT(pinned, blocks.size());
  EXPECT_FALSE(memory.unpin(blocks[pinned])) << "it never was";
  EXPECT_TRUE(memory.pin(blocks[0])) << "one more of the same takes nothing";
  system.port().host().fail_maps_after(HostPort::kNever);
  EXPECT_TRUE(memory.pin(blocks[pinned]));
  EXPECT_TRUE(system.check());
}

// Sites that find no place in the table are not known, and all else is as ever.
TEST(ExhaustionOfSites, LeavesTheLaterOnesUnknown) {
  PlatformConfig config = small_platform(true, 64);
  config.max_sites = 2;
  TestSystem system(config);
  const Site sites[] = {{"a.c", 1}, {"a.c", 2}, {"a.c", 3}, {"a.c", 1}};
  for (const Site& site : sites) {
    ASSERT_NE(system.memory().allocate({nullptr, 10, 0, 0, site}), nullptr);
  }
  EXPECT_TRUE(system.check());
  EXPECT_EQ(system.shutdown(), 4U);
  ASSERT_EQ(system.seen().leaks.size(), 4U);
  EXPECT_EQ(system.seen().leaks[0].site, sites[0]);
  EXPECT_EQ(system.seen().leaks[1].site, Site{});
  EXPECT_EQ(system.seen().leaks[2].site, sites[1]);
  EXPECT_EQ(system.seen().leaks[3].site, sites[0]);
}

// --- without an observer ---

class Unobserved : public ::testing::Test {
 protected:
  Unobserved() : config_(dsp()), port_(config_) { boot(); }
  ~Unobserved() override {
    EXPECT_TRUE(memory_->check(CheckDepth::deep));
    memory_->shutdown();
  }

  static PlatformConfig dsp() {
    PlatformConfig config = small_platform(true, 64);
    config.l3_bytes = 16 * kPage;
    return config;
  }
  void boot() {
    arena_ = std::make_unique<ArenaMemory>(Memory::arena_bytes(config_, port_));
    memory_ = std::make_unique<Memory>();
    ASSERT_TRUE(memory_->boot(config_, kElasticPolicy, port_, nullptr, arena_->span()));
  }
  unsigned char* take(std::size_t bytes, Flags flags = 0) {
    return static_cast<unsigned char*>(memory_->allocate({nullptr, bytes, 0, flags, MODMEM_HERE}));
  }

  PlatformConfig config_;
  CachedL3Port port_;
  std::unique_ptr<ArenaMemory> arena_;
  std::unique_ptr<Memory> memory_;
};

TEST_F(Unobserved, FailuresAreCountedAllTheSame) {
  Owner& system = memory_->system();
  EXPECT_EQ(take(100 * kPage), nullptr);
  EXPECT_EQ(system.failures, 1U);
  EXPECT_EQ(memory_->create_owner(
                system, {.kind = OwnerKind::pipeline, .name = "p", .guarantee = 100 * kPage}),
            nullptr);
  EXPECT_EQ(system.failures, 2U);
  EXPECT_FALSE(memory_->premap(system, 100));
  EXPECT_EQ(system.failures, 3U);
  const Need need{.bytes = 70 * kPage, .blocks = 70};
  PlanEntry entry;
  entry.owner = &system;
  entry.needs = {&need, 1};
  Shortage shortage;
  EXPECT_FALSE(memory_->admit({&entry, 1}, &shortage));
  EXPECT_EQ(system.failures, 4U);
  EXPECT_NE(shortage.reason, FailureReason::none);
  EXPECT_EQ(memory_->pool().reserved(), 0U);
}

TEST_F(Unobserved, LeaksAndFaultsAreToldByTheCallAlone) {
  Owner* owner = memory_->create_owner(memory_->system(), {.kind = OwnerKind::module, .name = "m"});
  ASSERT_NE(owner, nullptr);
  void* block = memory_->allocate({owner, 100, 0, 0, MODMEM_HERE});
  EXPECT_EQ(memory_->free(block, &memory_->system()), PointerStatus::foreign);
  memory_->report_leak({.owner_name = "m", .bytes = 3, .site = {}});
  EXPECT_EQ(memory_->destroy_owner(*owner), 1U);
  EXPECT_EQ(memory_->free(block), PointerStatus::not_live);
}

TEST_F(Unobserved, WhatWasDamagedIsNotUsedEither) {
  unsigned char* block = take(300, flag::kL3);
  ASSERT_NE(block, nullptr);
  std::fill_n(block, 300, static_cast<unsigned char>(9));
  const auto offset =
      static_cast<std::size_t>(reinterpret_cast<std::byte*>(block) - port_.cached_l3().window());
  ASSERT_TRUE(memory_->save_l3());
  port_.cached_l3().memory()[offset] ^= std::byte{1};
  port_.power_cycle();
  memory_.reset();
  boot();
  EXPECT_TRUE(memory_->restore_l3());
  EXPECT_EQ(memory_->status(block), PointerStatus::damaged);
  EXPECT_EQ(memory_->free(block), PointerStatus::live);
  // And a header that is damaged itself.
  ASSERT_NE(take(300, flag::kL3), nullptr);
  ASSERT_TRUE(memory_->save_l3());
  std::vector<std::byte>& image = port_.cached_l3().memory();
  for (std::size_t at = image.size() - kPage; at < image.size(); at += kPage / 2) {
    image[at + 20] ^= std::byte{1};
  }
  port_.power_cycle();
  memory_.reset();
  boot();
  EXPECT_FALSE(memory_->restore_l3());
  EXPECT_EQ(memory_->system().tree, 0U);
}

}  // namespace
}  // namespace modmem
