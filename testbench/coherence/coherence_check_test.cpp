// Planted mistakes between cores whose caches are not coherent, each of which is to be found
// whatever is evicted when, and the same done right, which is to be clean.
#include "testbench/coherence/coherence_check.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "module/module_memory.hpp"
#include "module/shared_copies.hpp"
#include "port/host/single_step.hpp"
#include "testbench/input_error.hpp"
#include "testbench/system.hpp"

namespace modmem::testbench {
namespace {

constexpr std::size_t kLine = 64;
constexpr std::size_t kBytes = 16 * kLine;  // so many that not all of them are evicted by chance
constexpr std::uint64_t kSeeds = 10;

// A system whose cores have caches, and programs on its cores.
class CachedSystem {
 public:
  explicit CachedSystem(std::uint64_t seed, const Policy& policy = kElasticPolicy)
      : check_(seed),
        system_(find_platform("mtl"), policy, nullptr, std::nullopt, nullptr, &check_) {}
  ~CachedSystem() { set_host_core(0); }
  CachedSystem(const CachedSystem&) = delete;
  CachedSystem& operator=(const CachedSystem&) = delete;

  Memory& memory() { return system_.memory(); }
  Port& port() { return memory().space().port(); }
  CoherenceCheck& check() { return check_; }

  // Has the core do it in a turn of its own.
  void on(std::uint32_t core, const std::function<void()>& work) {
    check_.begin_turn(core);
    set_host_core(core);
    work();
    set_host_core(0);
    check_.begin_turn(0);
  }
  std::byte* allocate(std::uint32_t core, std::size_t bytes, Flags flags = flag::kLargeBuffer,
                      Owner* owner = nullptr) {
    std::byte* block = nullptr;
    on(core, [&] {
      block = static_cast<std::byte*>(memory().allocate({owner, bytes, kLine, flags, MODMEM_HERE}));
    });
    EXPECT_NE(block, nullptr);
    return block;
  }
  void write(std::uint32_t core, std::byte* block, std::size_t bytes, int value) {
    on(core, [&] { std::memset(block, value, bytes); });
  }
  // How many of the bytes the core sees as `value`.
  std::size_t seen(std::uint32_t core, const std::byte* block, std::size_t bytes, int value) {
    std::size_t count = 0;
    on(core, [&] {
      count =
          static_cast<std::size_t>(std::count(block, block + bytes, static_cast<std::byte>(value)));
    });
    return count;
  }
  void write_back(std::uint32_t core, std::byte* block, std::size_t bytes) {
    on(core, [&] { port().cache_writeback(block, bytes); });
  }
  void invalidate(std::uint32_t core, std::byte* block, std::size_t bytes) {
    on(core, [&] { port().cache_invalidate(block, bytes); });
  }

  // Ends the system; what was found.
  std::vector<CoherenceFinding> findings() {
    system_.shut_down();
    return check_.report().findings;
  }

 private:
  CoherenceCheck check_;
  System system_;
};

std::string text_of(const std::vector<CoherenceFinding>& findings) {
  std::string text;
  for (const CoherenceFinding& finding : findings) {
    text += std::string(to_string(finding.kind)) + ": " + finding.what + ", core " +
            std::to_string(finding.core) + ", " + finding.owner + " " + finding.site + "\n";
  }
  return text;
}

// Whether there is one of that kind, about a block of this file; and none of another kind.
void expect_only(CachedSystem& system, CoherenceKind kind, bool has_block = true) {
  const std::vector<CoherenceFinding> findings = system.findings();
  ASSERT_FALSE(findings.empty());
  for (const CoherenceFinding& finding : findings) {
    EXPECT_EQ(to_string(finding.kind), std::string(to_string(kind))) << text_of(findings);
    EXPECT_GT(finding.count, 0U);
    if (has_block) {
      EXPECT_NE(finding.site.find("coherence_check_test.cpp:"), std::string::npos)
          << text_of(findings);
      EXPECT_FALSE(finding.owner.empty());
    }
  }
}

void expect_clean(CachedSystem& system) {
  const std::vector<CoherenceFinding> findings = system.findings();
  EXPECT_TRUE(findings.empty()) << text_of(findings);
}

class CoherenceCheckTest : public ::testing::TestWithParam<std::uint64_t> {
 protected:
  void SetUp() override {
    if (!kCanSingleStep) {
      GTEST_SKIP() << "reads are not seen on this machine";
    }
  }
};

INSTANTIATE_TEST_SUITE_P(Seeds, CoherenceCheckTest, ::testing::Range(std::uint64_t{0}, kSeeds));

TEST_P(CoherenceCheckTest, WhatIsHandedOverByTheBookIsSeenAndClean) {
  CachedSystem system(GetParam());
  std::byte* const block = system.allocate(0, kBytes, flag::kShared);
  for (const int value : {1, 2, 3}) {
    system.write(0, block, kBytes, value);
    system.write_back(0, block, kBytes);
    system.invalidate(1, block, kBytes);
    EXPECT_EQ(system.seen(1, block, kBytes, value), kBytes);
  }
  std::byte* const coherent = system.allocate(0, kBytes, flag::kShared | flag::kCoherent);
  for (const int value : {1, 2, 3}) {
    system.write(0, coherent, kBytes, value);
    EXPECT_EQ(system.seen(1, coherent, kBytes, value), kBytes);
  }
  system.on(0, [&] {
    EXPECT_EQ(system.memory().free(block), PointerStatus::live);
    EXPECT_EQ(system.memory().free(coherent), PointerStatus::live);
  });
  expect_clean(system);
}

TEST_P(CoherenceCheckTest, AMissingWriteBackIsFoundWhereAnotherCoreReads) {
  CachedSystem system(GetParam());
  std::byte* const block = system.allocate(0, kBytes, flag::kShared);
  system.write(0, block, kBytes, 1);
  EXPECT_LT(system.seen(1, block, kBytes, 1), kBytes) << "as if caches were coherent";
  system.write_back(0, block, kBytes);  // too late
  expect_only(system, CoherenceKind::missing_write_back);
}

TEST_P(CoherenceCheckTest, AMissingWriteBackIsFoundWhereMemoryIsUsedAnew) {
  CachedSystem system(GetParam());
  Owner* pipeline = nullptr;
  system.on(1, [&] {
    pipeline = system.memory().create_owner(
        system.memory().system(),
        {.kind = OwnerKind::pipeline, .id = 7, .name = "music", .core = 1});
  });
  ASSERT_NE(pipeline, nullptr);
  std::byte* const block = system.allocate(1, kBytes, flag::kLargeBuffer, pipeline);
  system.write(1, block, kBytes, 1);
  system.on(0, [&] { system.memory().release_owner(*pipeline); });  // of core 1's lines it has none
  expect_only(system, CoherenceKind::missing_write_back);
}

TEST_P(CoherenceCheckTest, EndingAHeapOnItsOwnCoreIsClean) {
  CachedSystem system(GetParam());
  Owner* pipeline = nullptr;
  system.on(1, [&] {
    pipeline = system.memory().create_owner(
        system.memory().system(),
        {.kind = OwnerKind::pipeline, .id = 7, .name = "music", .core = 1});
  });
  ASSERT_NE(pipeline, nullptr);
  std::byte* const block = system.allocate(1, kBytes, flag::kLargeBuffer, pipeline);
  system.write(1, block, kBytes, 1);
  system.on(1, [&] { system.memory().release_owner(*pipeline); });
  // Another core's memory, at the same place or not.
  std::byte* const next = system.allocate(0, kBytes);
  system.write(0, next, kBytes, 2);
  EXPECT_EQ(system.seen(0, next, kBytes, 2), kBytes);
  system.on(0, [&] { system.memory().free(next); });
  expect_clean(system);
}

TEST_P(CoherenceCheckTest, ABlockThatAnotherCoreFreesWaitsForItsOwn) {
  CachedSystem system(GetParam());
  std::byte* const stays = system.allocate(1, kBytes);
  for (int i = 0; i < 20; ++i) {
    std::byte* const block = system.allocate(1, kBytes);
    system.write(1, block, kBytes, i + 1);
    system.on(0, [&] { EXPECT_EQ(system.memory().free(block), PointerStatus::live); });
    system.on(1, [&] { system.memory().drain(UINT32_MAX); });
  }
  system.on(1, [&] { system.memory().free(stays); });
  expect_clean(system);
}

TEST_P(CoherenceCheckTest, ACoherentBlockWrittenThroughTheCacheIsFound) {
  CachedSystem system(GetParam());
  std::byte* const block = system.allocate(0, kBytes, flag::kCoherent);
  system.write(0, system.memory().space().to_cached(block), kBytes, 1);
  expect_only(system, CoherenceKind::missing_write_back);
}

TEST_P(CoherenceCheckTest, AStaleReadIsFound) {
  CachedSystem system(GetParam());
  std::byte* const block = system.allocate(0, kBytes, flag::kShared);
  system.write(0, block, kBytes, 1);
  system.write_back(0, block, kBytes);
  EXPECT_EQ(system.seen(1, block, kBytes, 1), kBytes);
  system.write(0, block, kBytes, 2);
  system.write_back(0, block, kBytes);
  EXPECT_LT(system.seen(1, block, kBytes, 2), kBytes) << "as if caches were coherent";
  expect_only(system, CoherenceKind::stale_read);
}

TEST_P(CoherenceCheckTest, WhatIsWrittenPastTheCacheMakesItStaleToo) {
  CachedSystem system(GetParam());
  std::byte* const block = system.allocate(0, kBytes, flag::kDma);
  system.write(0, block, kBytes, 1);
  system.write_back(0, block, kBytes);
  std::memset(system.memory().space().to_uncached(block), 2, kBytes);  // as a device does
  EXPECT_LT(system.seen(0, block, kBytes, 2), kBytes);
  expect_only(system, CoherenceKind::stale_read);
}

TEST_P(CoherenceCheckTest, ALineThatTwoCoresWriteIsFound) {
  CachedSystem system(GetParam());
  std::byte* const block = system.allocate(0, kBytes, flag::kShared);
  const auto write_own = [&](std::uint32_t core) {
    system.on(core, [&] {
      for (std::size_t at = std::size_t{core} * 8; at < kBytes; at += kLine) {
        std::memset(block + at, static_cast<int>(core) + 1, 8);
      }
    });
  };
  write_own(0);
  write_own(1);
  system.write_back(0, block, kBytes);
  system.write_back(1, block, kBytes);
  expect_only(system, CoherenceKind::shared_line);
}

TEST_P(CoherenceCheckTest, ALineThatIsInvalidatedUnderAnotherOwnerIsFound) {
  CachedSystem system(GetParam());
  Memory& memory = system.memory();
  ModuleMemory one;
  ModuleMemory other;
  ASSERT_TRUE(
      one.open(memory, memory.system(), {.kind = OwnerKind::module, .id = 1, .name = "one"}));
  ASSERT_TRUE(
      other.open(memory, memory.system(), {.kind = OwnerKind::module, .id = 2, .name = "other"}));
  std::vector<std::byte*> blocks;
  for (int i = 0; i < 32; ++i) {
    blocks.push_back(
        static_cast<std::byte*>((i % 2 == 0 ? one : other).allocate(32, 8, 0, MODMEM_HERE)));
    ASSERT_NE(blocks.back(), nullptr);
    std::memset(blocks.back(), i + 1, 32);
  }
  // What a driver does before DMA writes to its buffer, which is 32 B and not a line.
  for (int i = 0; i < 32; i += 2) {
    const std::size_t into =
        reinterpret_cast<std::uintptr_t>(blocks[static_cast<std::size_t>(i)]) % kLine;
    system.port().cache_invalidate(blocks[static_cast<std::size_t>(i)] - into, kLine);
  }
  one.close();
  other.close();
  const std::vector<CoherenceFinding> findings = system.findings();
  ASSERT_EQ(findings.size(), 1U) << text_of(findings);
  EXPECT_EQ(findings[0].kind, CoherenceKind::shared_line);
  EXPECT_EQ(findings[0].owner, "one");
  EXPECT_EQ(findings[0].other_owner, "other");
  EXPECT_GE(findings[0].count, 8U);
}

TEST_P(CoherenceCheckTest, AnAccessToMetadataThroughACacheIsFound) {
  for (const bool writes : {false, true}) {
    CachedSystem system(GetParam());
    Memory& memory = system.memory();
    std::vector<void*> blocks(3000);
    for (void*& block : blocks) {
      block = memory.allocate({nullptr, 16, 0, 0, {}});
    }
    const AddressSpace& space = memory.space();
    std::byte* metadata = nullptr;
    for (std::uint32_t page = 0; page < space.window_pages() && metadata == nullptr; ++page) {
      const std::string kind = memory.locate(space.address_of(page)).kind;
      metadata = kind == "metadata" && space.is_mapped(page) ? space.address_of(page) : nullptr;
    }
    ASSERT_NE(metadata, nullptr);
    system.on(1, [&] {
      auto* const byte = reinterpret_cast<volatile unsigned char*>(metadata);
      if (writes) {
        byte[100] = static_cast<unsigned char>(~byte[100]);
      } else {
        static_cast<void>(byte[100]);
      }
    });
    for (void* block : blocks) {
      EXPECT_EQ(memory.free(block), PointerStatus::live);
    }
    EXPECT_TRUE(memory.check(CheckDepth::deep));
    expect_only(system, CoherenceKind::allocator_state, false);
  }
}

TEST_P(CoherenceCheckTest, SharedCopiesAreSeenOnAllCores) {
  CachedSystem system(GetParam());
  {
    SharedCopies copies(system.memory());
    alignas(kLine) static std::byte source[kBytes];
    for (int round = 1; round < 6; ++round) {
      std::memset(source, round, kBytes);
      const void* copy[3] = {};
      for (const std::uint32_t core : {1U, 0U, 2U}) {
        system.on(core, [&] { copy[core] = copies.get(source, kBytes).copy; });
        ASSERT_NE(copy[core], nullptr);
        EXPECT_EQ(system.seen(core, static_cast<const std::byte*>(copy[core]), kBytes, round),
                  kBytes);
      }
      for (const std::uint32_t core : {2U, 1U, 0U}) {
        system.on(core, [&] { copies.put(copy[core]); });
      }
    }
  }
  expect_clean(system);
}

TEST(CoherenceCheckRunTest, TheSameSeedFindsTheSame) {
  const auto found = [](std::uint64_t seed) {
    CachedSystem system(seed);
    std::byte* const block = system.allocate(0, kBytes, flag::kShared);
    system.write(0, block, kBytes, 1);
    system.seen(1, block, kBytes, 1);
    const std::vector<CoherenceFinding> findings = system.findings();
    return std::pair(text_of(findings), findings.empty() ? 0 : findings[0].count);
  };
  EXPECT_EQ(found(4), found(4));
}

TEST(CoherenceCheckRunTest, PlatformsWithoutAnUncachedAliasAreRefused) {
  CoherenceCheck check(1);
  EXPECT_THROW(System(find_platform("mcu"), kElasticPolicy, nullptr, std::nullopt, nullptr, &check),
               InputError);
}

}  // namespace
}  // namespace modmem::testbench
