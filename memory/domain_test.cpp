// Domains: what lies in an isolated heap can be reached while its owner is entered, and by the
// library, and at no other time.

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "base/line.hpp"
#include "memory/stray_access.hpp"
#include "memory/testing/access_probe.hpp"
#include "memory/testing/test_system.hpp"

namespace modmem {
namespace {

using testing::AccessProbe;
using testing::preset;
using testing::TestSystem;

constexpr std::size_t kPage = config::kPageBytes;

class Domains : public ::testing::TestWithParam<const char*> {
 protected:
  Owner& domain(const char* name) {
    Owner* owner =
        memory_.create_owner(memory_.system(), {OwnerKind::heap, 0x21, name}, {.isolated = true});
    if (owner == nullptr) {
      throw std::runtime_error("no domain");
    }
    return *owner;
  }
  std::byte* allocate(Owner& owner, std::size_t bytes, Flags flags = 0) {
    auto* block = static_cast<std::byte*>(memory_.allocate({&owner, bytes, 0, flags, MODMEM_HERE}));
    EXPECT_NE(block, nullptr);
    EXPECT_TRUE(system_.check());
    return block;
  }
  void enter(Owner* owner) {
    memory_.enter_domain(owner);
    EXPECT_TRUE(system_.check());
  }

  TestSystem system_{preset(GetParam())};
  Memory& memory_ = system_.memory();
  testing::NotingObserver& seen_ = system_.seen();
  const testing::PoolState boot_ = system_.pool_state();
  AccessProbe probe_;
};

INSTANTIATE_TEST_SUITE_P(Platforms, Domains, ::testing::Values("mtl", "mcu"));

TEST_P(Domains, AreOpenWhileTheyAreEntered) {
  Owner& first = domain("first");
  Owner& second = domain("second");
  std::byte* mine = allocate(first, 3 * kPage);
  std::byte* other = allocate(second, 100);
  EXPECT_FALSE(probe_.reaches(mine));
  EXPECT_FALSE(probe_.reaches(mine + 3 * kPage - 1));
  EXPECT_FALSE(probe_.reaches(other));

  EXPECT_EQ(memory_.enter_domain(&first), nullptr);
  EXPECT_EQ(memory_.entered_domain(), &first);
  std::memset(mine, 0x5a, 3 * kPage);
  EXPECT_FALSE(probe_.reaches(other));
  // What is mapped meanwhile is open as well.
  std::byte* more = allocate(first, 2 * kPage);
  EXPECT_TRUE(probe_.reaches(more + kPage));

  EXPECT_EQ(memory_.enter_domain(&second), &first);
  EXPECT_FALSE(probe_.reaches(mine));
  EXPECT_FALSE(probe_.reaches(more));
  EXPECT_TRUE(probe_.reaches(other));
  EXPECT_EQ(memory_.enter_domain(nullptr), &second);
  EXPECT_FALSE(probe_.reaches(other));

  enter(&first);
  EXPECT_EQ(mine[0], std::byte{0x5a});
  EXPECT_EQ(mine[3 * kPage - 1], std::byte{0x5a});
  enter(nullptr);
  EXPECT_EQ(memory_.destroy_owner(first), 2U);
  EXPECT_EQ(memory_.destroy_owner(second), 1U);
  EXPECT_EQ(system_.pool_state(), boot_);
}

TEST_P(Domains, CloseBothAliases) {
  if (system_.port().alias_offset() == 0) {
    GTEST_SKIP() << "the platform has no alias";
  }
  Owner& owner = domain("domain");
  std::byte* block = allocate(owner, 100);
  EXPECT_FALSE(probe_.reaches(block + system_.port().alias_offset()));
  enter(&owner);
  EXPECT_TRUE(probe_.reaches(block + system_.port().alias_offset()));
}

TEST_P(Domains, LeaveOtherHeapsOpen) {
  Owner& owner = domain("domain");
  std::byte* block = allocate(system_.pipeline(), 100);
  EXPECT_TRUE(probe_.reaches(block));
  enter(&owner);
  EXPECT_TRUE(probe_.reaches(block));
  // What is the kernel's, or shared with others, does not lie where the domain can write.
  std::byte* kernel =
      allocate(system_.owner(owner, {OwnerKind::module, 1, "module"}), 100, flag::kKernel);
  enter(nullptr);
  EXPECT_TRUE(probe_.reaches(kernel));
}

TEST_P(Domains, AreServedByTheLibraryFromOutside) {
  Owner& owner = domain("domain");
  auto* block =
      static_cast<std::byte*>(memory_.allocate_zeroed({&owner, kPage + 100, 0, 0, MODMEM_HERE}));
  ASSERT_NE(block, nullptr);
  EXPECT_TRUE(system_.check());
  EXPECT_FALSE(probe_.reaches(block));
  enter(&owner);
  EXPECT_EQ(block[kPage + 99], std::byte{0});
  std::memset(block, 0x33, kPage + 100);
  enter(nullptr);
  allocate(owner, 64);  // in the way of growing where it is
  auto* moved =
      static_cast<std::byte*>(memory_.reallocate(block, {&owner, 4 * kPage, 0, 0, MODMEM_HERE}));
  ASSERT_NE(moved, nullptr);
  EXPECT_TRUE(system_.check());
  EXPECT_FALSE(probe_.reaches(moved));
  enter(&owner);
  EXPECT_EQ(moved[kPage + 99], std::byte{0x33});
  enter(nullptr);
  EXPECT_EQ(memory_.free(moved), PointerStatus::live);
  EXPECT_TRUE(system_.check());
  memory_.release_owner(owner);
  EXPECT_EQ(system_.pool_state(), boot_);
}

TEST_P(Domains, KeepTheirContentWhenTheirPagesMove) {
  Owner& before = system_.pipeline();
  Owner& owner = domain("domain");
  std::vector<std::byte*> blocks;
  std::vector<std::byte*> others;
  for (std::size_t i = 0; i < 48; ++i) {
    others.push_back(allocate(before, kPage));
    blocks.push_back(allocate(owner, kPage));
  }
  enter(&owner);
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    std::memset(blocks[i], static_cast<int>(i), kPage);
  }
  enter(nullptr);
  for (std::byte* block : others) {
    memory_.free(block);
  }
  const std::uint32_t moved = memory_.compact(1000).moved;
  EXPECT_EQ(moved != 0, system_.config().has_mmu);
  EXPECT_TRUE(system_.check());
  EXPECT_FALSE(probe_.reaches(blocks[0]));
  enter(&owner);
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    EXPECT_EQ(blocks[i][kPage - 1], static_cast<std::byte>(i));
  }
}

TEST_P(Domains, StayAsTheyWereWhenAMoveFails) {
  if (!system_.config().has_mmu) {
    GTEST_SKIP() << "nothing moves";
  }
  Owner& before = system_.pipeline();
  Owner& owner = domain("domain");
  std::vector<std::byte*> others;
  std::vector<std::byte*> blocks;
  for (std::size_t i = 0; i < 48; ++i) {
    others.push_back(allocate(before, kPage));
    blocks.push_back(allocate(owner, kPage));
  }
  for (std::byte* block : others) {
    memory_.free(block);
  }
  for (const std::uint64_t works : {0U, 1U}) {
    system_.port().host().fail_maps_after(works);
    EXPECT_EQ(memory_.compact(1000).moved, 0U);
    EXPECT_TRUE(system_.check());
  }
  system_.port().host().fail_maps_after(HostPort::kNever);
  for (std::byte* block : blocks) {
    EXPECT_FALSE(probe_.reaches(block));
  }
}

TEST_P(Domains, ThatEndAreLeft) {
  Owner& first = domain("first");
  Owner& second = domain("second");
  allocate(first, 100);
  std::byte* block = allocate(second, 100);
  EXPECT_EQ(memory_.enter_domain(&second), nullptr);
  EXPECT_EQ(memory_.enter_domain(&first), &second);
  EXPECT_EQ(memory_.destroy_owner(first), 1U);
  EXPECT_TRUE(system_.check());
  EXPECT_EQ(memory_.entered_domain(), nullptr);
  EXPECT_FALSE(probe_.reaches(block));
  // One that has ended, and an owner that is no domain, count as none.
  EXPECT_EQ(memory_.enter_domain(&second), nullptr);
  memory_.destroy_owner(second);
  EXPECT_EQ(memory_.enter_domain(&second), nullptr);
  EXPECT_EQ(memory_.enter_domain(&system_.pipeline()), nullptr);
  EXPECT_EQ(memory_.entered_domain(), nullptr);
  EXPECT_TRUE(system_.check());
}

TEST_P(Domains, ArePrivateHeaps) {
  const testing::Figures before = figures(system_);
  for (const OwnerKind kind : {OwnerKind::module, OwnerKind::pipeline, OwnerKind::region}) {
    EXPECT_EQ(memory_.create_owner(memory_.system(), {kind, 1, "no"}, {.isolated = true}), nullptr);
    ASSERT_FALSE(seen_.failures.empty());
    EXPECT_EQ(seen_.failures.back().reason, FailureReason::unsupported);
  }
  EXPECT_EQ(figures(system_), before);
}

TEST_P(Domains, AreNamedWhereAnAccessFails) {
  Owner& owner = domain("domain");
  std::byte* block = allocate(owner, 3 * kPage);
  const auto text = [&](const std::byte* address) {
    Line line;
    return std::string(describe_stray_access(line, memory_, address).text());
  };
  const std::string where = "in heap domain of heap domain (id 0x21)";
  EXPECT_EQ(text(block), "page closed, as its domain is not entered, " + where);
  enter(&owner);
  EXPECT_EQ(text(block), "page open, " + where);
  memory_.free(block);
  // Without an MMU a page is a heap's while it is mapped, and has a bank of its own.
  EXPECT_EQ(text(block + kPage), system_.config().has_mmu
                                     ? "page not mapped, " + where
                                     : "page not mapped, its bank off, last " + where);
  memory_.destroy_owner(owner);
  EXPECT_EQ(text(block + kPage), "in no heap");
  EXPECT_EQ(text(nullptr), "in no heap");
}

// A limit in frames is one of pages, and bounds the metadata of what fits into them.
TEST_P(Domains, KeepToTheirQuota) {
  constexpr std::uint32_t kFrames = 4;
  Owner* owner = memory_.create_owner(memory_.system(), {OwnerKind::heap, 0x21, "small"},
                                      {.frame_limit = kFrames, .isolated = true});
  ASSERT_NE(owner, nullptr);
  const std::size_t before = memory_.metadata_use().live;
  std::size_t blocks = 0;
  while (memory_.allocate({owner, 1, 0, flag::kSilent, MODMEM_HERE}) != nullptr) {
    ++blocks;
  }
  EXPECT_EQ(blocks, kFrames * kPage / config::kGranuleBytes);
  EXPECT_EQ(memory_.heap_report(*owner).mapped_bytes, kFrames * kPage);
  EXPECT_LE(memory_.metadata_use().live - before, kFrames * (kPage + kPage / 8));
  EXPECT_EQ(memory_.allocate({owner, 1, 0, flag::kSilent, MODMEM_HERE}), nullptr);
  // Nor does anybody below it get more, and the others get theirs.
  Owner& below = system_.owner(*owner, {OwnerKind::module, 1, "module"});
  EXPECT_EQ(memory_.allocate({&below, 1, 0, flag::kSilent, MODMEM_HERE}), nullptr);
  EXPECT_NE(memory_.allocate({nullptr, kPage, 0, 0, MODMEM_HERE}), nullptr);
  memory_.release_owner(*owner);
  EXPECT_TRUE(system_.check());
}

TEST_P(Domains, FaultForOthers) {
  Owner& owner = domain("domain");
  std::byte* block = allocate(owner, 100);
  EXPECT_DEATH(*static_cast<volatile char*>(static_cast<void*>(block)) = 1, "");
}

}  // namespace
}  // namespace modmem
