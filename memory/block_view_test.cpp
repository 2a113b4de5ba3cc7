// Memory on a host that has a say in what blocks look like: stand-ins, and poison in builds with
// AddressSanitizer.

#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <vector>

#include "memory/testing/test_system.hpp"
#include "port/posix/plain_port.hpp"

namespace modmem {
namespace {

using testing::is_aligned;

class BlockViews : public ::testing::TestWithParam<PlainPort::Blocks> {
 protected:
  BlockViews() : config_(testing::preset("mtl")) {
    EXPECT_TRUE(port_.open(config_, GetParam()));
    arena_ = std::make_unique<testing::ArenaMemory>(Memory::arena_bytes(config_, port_));
    EXPECT_TRUE(memory_.boot(config_, kElasticPolicy, port_, &seen_, arena_->span()));
  }
  ~BlockViews() override {
    EXPECT_TRUE(memory_.check(CheckDepth::deep));
    memory_.shutdown();
    EXPECT_EQ(port_.stand_ins(), 0U);
  }

  bool has_stand_ins() const { return GetParam() == PlainPort::Blocks::stand_ins; }
  bool in_window(const void* pointer) const { return memory_.space().page_of(pointer).has_value(); }
  void* allocate(std::size_t bytes, std::size_t alignment = 0, Flags flags = 0) {
    return memory_.allocate({nullptr, bytes, alignment, flags, MODMEM_HERE});
  }

  PlatformConfig config_;
  PlainPort port_;
  std::unique_ptr<testing::ArenaMemory> arena_;
  testing::NotingObserver seen_;
  Memory memory_;
};

INSTANTIATE_TEST_SUITE_P(Hosts, BlockViews,
                         ::testing::Values(PlainPort::Blocks::in_window,
                                           PlainPort::Blocks::stand_ins),
                         [](const auto& test) {
                           return test.param == PlainPort::Blocks::stand_ins ? "libc" : "plain";
                         });

TEST_P(BlockViews, EveryBlockHasAStandInOfItsAlignment) {
  for (const Flags flags : {Flags{0}, flag::kCoherent, flag::kDma, flag::kL3, flag::kLowPower}) {
    void* block = allocate(100, 256, flags);
    ASSERT_NE(block, nullptr);
    EXPECT_TRUE(is_aligned(block, 256));
    EXPECT_FALSE(has_stand_ins() && in_window(block));
    EXPECT_EQ(port_.stand_ins(), has_stand_ins() ? 1U : 0U);
    std::memset(block, 0x77, 100);
    EXPECT_EQ(memory_.free(block), PointerStatus::live);
  }
}

TEST_P(BlockViews, APointerIsToldByItsStandIn) {
  auto* block = static_cast<std::byte*>(allocate(100));
  EXPECT_EQ(memory_.free(block + 1), PointerStatus::interior);
  EXPECT_EQ(seen_.faults.back().pointer, block + 1);
  EXPECT_EQ(memory_.free(&config_), PointerStatus::foreign);
  EXPECT_EQ(memory_.free(block), PointerStatus::live);
  EXPECT_EQ(memory_.free(block),
            has_stand_ins() ? PointerStatus::foreign : PointerStatus::not_live);
}

TEST_P(BlockViews, ReallocatingKeepsTheContentAndFailsWithoutATrace) {
  auto* block = static_cast<unsigned char*>(allocate(100));
  std::memset(block, 0x31, 100);
  auto* larger =
      static_cast<unsigned char*>(memory_.reallocate(block, {nullptr, 5000, 0, 0, MODMEM_HERE}));
  ASSERT_NE(larger, nullptr);
  EXPECT_EQ(larger[99], 0x31);
  larger[4999] = 0x32;
  // Far beyond the window: whoever asks the view first marks what is not the block's.
  EXPECT_EQ(memory_.reallocate(larger, {nullptr, std::size_t{1} << 30, 0, 0, MODMEM_HERE}),
            nullptr);
  EXPECT_EQ(larger[4999], 0x32);
  auto* smaller =
      static_cast<unsigned char*>(memory_.reallocate(larger, {nullptr, 50, 0, 0, MODMEM_HERE}));
  ASSERT_NE(smaller, nullptr);
  EXPECT_EQ(smaller[49], 0x31);
  EXPECT_EQ(memory_.usable_size(smaller), has_stand_ins() || kAddressSanitizer ? 50U : 64U);
  EXPECT_EQ(memory_.free(smaller), PointerStatus::live);
}

TEST_P(BlockViews, RegionsAndOwnersEndWithTheirStandIns) {
  Owner* region = memory_.create_owner(memory_.system(), {OwnerKind::region, 0, "region"},
                                       {.kind = HeapKind::region, .bytes = 8192});
  ASSERT_NE(region, nullptr);
  for (int i = 0; i < 10; ++i) {
    void* block = memory_.allocate({region, 200, 0, 0, MODMEM_HERE});
    std::memset(block, i, 200);
    EXPECT_TRUE(is_aligned(block, config_.cache_line_bytes));
  }
  EXPECT_EQ(memory_.put_region(*region), RegionPut::last);
  EXPECT_EQ(port_.stand_ins(), 0U);
  void* block = allocate(200);
  EXPECT_EQ(memory_.release_all(memory_.system()), 1U);
  EXPECT_NE(block, nullptr);
}

// --- a host that has no memory for its view ---

// Hands blocks out as the host's own view does, where it has one, or not at all.
class RefusingView final : public BlockView {
 public:
  // Has the memories of `port` watched by this one before its own.
  explicit RefusingView(HostPort& port) : next_(port.blocks()) { port.set_block_view(this); }

  void start(std::byte* window, std::size_t bytes) override {
    if (next_ != nullptr) {
      next_->start(window, bytes);
    }
  }
  void stop(std::byte* window, std::size_t bytes) override {
    if (next_ != nullptr) {
      next_->stop(window, bytes);
    }
  }
  void expose(std::byte* address, std::size_t bytes) override {
    if (next_ != nullptr) {
      next_->expose(address, bytes);
    }
  }
  void cover(std::byte* address, std::size_t bytes) override {
    if (next_ != nullptr) {
      next_->cover(address, bytes);
    }
  }
  std::byte* hand_out(std::byte* block, std::size_t bytes, std::size_t alignment) override {
    if (refuses) {
      return nullptr;
    }
    ++out;
    return next_ != nullptr ? next_->hand_out(block, bytes, alignment) : block;
  }
  bool resize(std::byte* block, std::size_t old_bytes, std::size_t bytes) override {
    return !refuses_sizes && (next_ == nullptr || next_->resize(block, old_bytes, bytes));
  }
  void take_back(std::byte* block, std::size_t bytes) override {
    --out;
    if (next_ != nullptr) {
      next_->take_back(block, bytes);
    }
  }
  std::byte* user_of(std::byte* block) const override {
    return next_ != nullptr ? next_->user_of(block) : block;
  }
  const void* block_of(const void* user) const override {
    return next_ != nullptr ? next_->block_of(user) : user;
  }

  bool refuses = false;
  bool refuses_sizes = false;
  int out = 0;  // blocks

 private:
  BlockView* next_;
};

class RefusedView : public ::testing::Test {
 protected:
  RefusedView() : config_(testing::preset("mtl")), port_(config_), view_(port_) { boot(); }
  ~RefusedView() override {
    EXPECT_TRUE(memory_->check(CheckDepth::deep));
    memory_->shutdown();
    EXPECT_EQ(view_.out, 0);
  }
  void boot() {
    arena_ = std::make_unique<testing::ArenaMemory>(Memory::arena_bytes(config_, port_));
    memory_ = std::make_unique<Memory>();
    ASSERT_TRUE(memory_->boot(config_, kElasticPolicy, port_, &seen_, arena_->span()));
  }
  unsigned char* allocate(std::size_t bytes, Flags flags = 0) {
    return static_cast<unsigned char*>(memory_->allocate({nullptr, bytes, 0, flags, MODMEM_HERE}));
  }

  PlatformConfig config_;
  HostPort port_;
  RefusingView view_;
  std::unique_ptr<testing::ArenaMemory> arena_;
  testing::NotingObserver seen_;
  std::unique_ptr<Memory> memory_;
};

TEST_F(RefusedView, ABlockThatIsNotHandedOutIsNone) {
  const std::uint32_t taken = memory_->pool().taken();
  view_.refuses = true;
  EXPECT_EQ(allocate(5000), nullptr);
  EXPECT_EQ(memory_->allocate_range({nullptr, 100, 0, 0, {}}, 5000).pointer, nullptr);
  EXPECT_EQ(memory_->system().failures, 2U);
  EXPECT_EQ(memory_->system().own, 0U);
  EXPECT_EQ(memory_->pool().taken(), taken);
  EXPECT_TRUE(memory_->check(CheckDepth::deep));
  view_.refuses = false;
  EXPECT_EQ(memory_->free(allocate(5000)), PointerStatus::live);
}

TEST_F(RefusedView, ABlockThatCanNotBeResizedInPlaceMoves) {
  unsigned char* block = allocate(100);
  std::memset(block, 0x41, 100);
  view_.refuses_sizes = true;
  for (const std::size_t bytes : {300U, 40U}) {
    auto* moved =
        static_cast<unsigned char*>(memory_->reallocate(block, {nullptr, bytes, 0, 0, {}}));
    ASSERT_NE(moved, nullptr);
    EXPECT_NE(moved, block);
    EXPECT_EQ(moved[39], 0x41);
    EXPECT_EQ(memory_->status(block), PointerStatus::not_live);
    EXPECT_EQ(memory_->system().own, bytes);
    EXPECT_TRUE(memory_->check(CheckDepth::deep));
    block = moved;
  }
  // And where nothing else is handed out, it stays as it was.
  view_.refuses = true;
  EXPECT_EQ(memory_->reallocate(block, {nullptr, 400, 0, 0, {}}), nullptr);
  EXPECT_EQ(block[39], 0x41);
  EXPECT_EQ(memory_->system().own, 40U);
  EXPECT_EQ(memory_->free(block), PointerStatus::live);
}

TEST_F(RefusedView, WhatL3SavedStaysSavedWhereItIsNotHandedOut) {
  unsigned char* block = allocate(500, flag::kL3);
  ASSERT_NE(block, nullptr);
  std::memset(block, 0x42, 500);
  ASSERT_NE(allocate(40, flag::kL3), nullptr);
  ASSERT_TRUE(memory_->save_l3());
  port_.power_cycle();
  memory_.reset();
  view_.out = 0;
  boot();
  view_.refuses = true;
  EXPECT_FALSE(memory_->restore_l3());
  EXPECT_EQ(memory_->system().tree, 0U);
  EXPECT_TRUE(memory_->check(CheckDepth::deep));
  view_.refuses = false;
  ASSERT_TRUE(memory_->restore_l3());
  EXPECT_EQ(memory_->system().tree, 540U);
  EXPECT_EQ(block[499], 0x42);
}

}  // namespace
}  // namespace modmem
