// Bringing the system up and down: every preset, every policy.

#include <gtest/gtest.h>

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "memory/testing/test_system.hpp"
#include "port/forwarding_port.hpp"

namespace modmem {
namespace {

using testing::ArenaMemory;
using testing::CheckingPort;
using testing::needs_mmu;
using testing::preset;
using testing::small_platform;
using testing::TestSystem;

struct Platform {
  PlatformConfig config;
  const Policy* policy;
};

class MemoryBoot : public ::testing::TestWithParam<Platform> {};

std::vector<Platform> all_platforms() {
  std::vector<Platform> platforms;
  for (const PlatformConfig& config : config::kPresets) {
    for (const Policy* policy : kPolicies) {
      if (config.has_mmu || !needs_mmu(*policy)) {
        platforms.push_back({config, policy});
      }
    }
  }
  return platforms;
}

INSTANTIATE_TEST_SUITE_P(Presets, MemoryBoot, ::testing::ValuesIn(all_platforms()),
                         [](const auto& test) {
                           return testing::test_name(std::string(test.param.config.name) + "_" +
                                                     test.param.policy->name);
                         });

// Whether a system of this platform comes up in an arena of `spare` bytes more than it needs; where
// it does not, everything must be as before.
bool boots(const PlatformConfig& config, const Policy& policy, std::ptrdiff_t spare = 0) {
  CheckingPort port(config);
  const std::size_t needed = Memory::arena_bytes(config, port);
  const ArenaMemory arena(needed + static_cast<std::size_t>(spare));
  Memory memory;
  const bool done = memory.boot(config, policy, port, nullptr, arena.span());
  if (done) {
    EXPECT_TRUE(memory.check(CheckDepth::deep));
    EXPECT_EQ(memory.shutdown(), 0U);
  }
  EXPECT_EQ(memory.pool().taken(), 0U);
  EXPECT_EQ(memory.pool().reserved(), 0U);
  EXPECT_EQ(port.mapped_pages(), 0U);
  EXPECT_EQ(port.banks_on(), 0U);
  return done;
}

TEST_P(MemoryBoot, ServesAndReturnsEverything) {
  TestSystem system(GetParam().config, *GetParam().policy);
  Memory& memory = system.memory();
  ASSERT_TRUE(system.check());
  const auto boot = system.pool_state();
  Owner& pipeline = system.pipeline();
  Owner& module = system.module(pipeline);
  std::vector<void*> blocks;
  for (const Flags flags : {Flags{0}, flag::kUser, flag::kKernel, flag::kShared, flag::kCoherent,
                            flag::kDma, flag::kLargeBuffer, flag::kLowPower, flag::kNoCopy}) {
    for (const std::size_t bytes : {1U, 100U, 4096U, 10000U}) {
      void* block = memory.allocate({&module, bytes, 0, flags, MODMEM_HERE});
      ASSERT_NE(block, nullptr) << flags << " " << bytes;
      static_cast<char*>(block)[0] = 1;
      static_cast<char*>(block)[bytes - 1] = 1;
      blocks.push_back(block);
      ASSERT_TRUE(system.check());
    }
  }
  for (void* block : blocks) {
    EXPECT_EQ(memory.free(block, &module), PointerStatus::live);
    ASSERT_TRUE(system.check());
  }
  EXPECT_EQ(memory.destroy_owner(pipeline), 0U);
  EXPECT_TRUE(system.check());
  EXPECT_EQ(system.pool_state(), boot);
  EXPECT_EQ(system.shutdown(), 0U);
  EXPECT_EQ(memory.pool().taken(), 0U);
  EXPECT_EQ(system.port().mapped_pages(), 0U);
}

TEST_P(MemoryBoot, NeedsExactlyTheArenaItAsksFor) {
  EXPECT_TRUE(boots(GetParam().config, *GetParam().policy));
  EXPECT_FALSE(boots(GetParam().config, *GetParam().policy, -1));
}

TEST_P(MemoryBoot, IsAcceptedByConfigError) {
  EXPECT_EQ(Memory::config_error(GetParam().config), nullptr);
}

TEST_P(MemoryBoot, ShutdownReportsAndReleasesWhatIsHeld) {
  TestSystem system(GetParam().config, *GetParam().policy);
  Memory& memory = system.memory();
  Owner& pipeline = system.pipeline();
  Owner& module = system.module(pipeline);
  ASSERT_NE(memory.allocate({nullptr, 10, 0, 0, MODMEM_HERE}), nullptr);
  ASSERT_NE(memory.allocate({&pipeline, 20, 0, 0, MODMEM_HERE}), nullptr);
  ASSERT_NE(memory.allocate({&module, 9000, 0, 0, MODMEM_HERE}), nullptr);
  ASSERT_NE(memory.allocate({&module, 40, 0, flag::kCoherent | flag::kShared, MODMEM_HERE}),
            nullptr);
  EXPECT_EQ(system.shutdown(), 4U);
  EXPECT_EQ(system.seen().leaks.size(), 4U);
  EXPECT_EQ(memory.pool().taken(), 0U);
  EXPECT_EQ(memory.pool().reserved(), 0U);
  EXPECT_EQ(system.port().mapped_pages(), 0U);
  EXPECT_EQ(system.port().banks_on(), 0U);
}

TEST_P(MemoryBoot, CountsItsMetadata) {
  for (const bool in_arena : {true, false}) {
    PlatformConfig config = GetParam().config;
    config.metadata_bytes = in_arena ? config.metadata_bytes : 0;
    TestSystem system(config, *GetParam().policy);
    const std::size_t arena = Memory::arena_bytes(system.config(), system.port());
    const std::size_t pages = system.heap("metadata").mapped_bytes;
    EXPECT_EQ(pages == 0, in_arena);
    EXPECT_EQ(system.memory().metadata_bytes(), arena + pages);
  }
}

// However much of the arena is set aside, what is fixed is as large.
TEST(MemoryBootMetadata, CountsTablesWithoutWhatIsSetAside) {
  PlatformConfig config = small_platform(true, 16);
  config.metadata_bytes = 0;
  TestSystem none(config, kElasticPolicy);
  const std::size_t tables = none.memory().metadata_use().tables;
  EXPECT_GT(tables, 16 * sizeof(FrameInfo));
  for (const std::size_t pages : {1U, 8U, MetadataHeap::kMostPages - 16}) {
    for (const std::size_t more : {std::size_t{0}, std::size_t{config::kGranuleBytes},
                                   MetadataHeap::kChunkBytes, 3 * MetadataHeap::kChunkBytes}) {
      config.metadata_bytes = (pages - 1) * config::kPageBytes + more;
      TestSystem system(config, kElasticPolicy);
      EXPECT_EQ(system.memory().metadata_use().tables, tables) << config.metadata_bytes;
    }
  }
}

TEST(MemoryBootRefuses, SlotsWithoutAnMmu) {
  for (const Policy* policy : kPolicies) {
    EXPECT_EQ(boots(preset("mcu"), *policy), !needs_mmu(*policy)) << policy->name;
  }
}

TEST(MemoryBootRefuses, EveryRuleOfAConfiguration) {
  constexpr std::size_t kPage = config::kPageBytes;
  struct Rule {
    const char* what;
    const char* part;  // of the message
    std::function<void(PlatformConfig&)> breach;
  };
  const Rule rules[] = {
      {"sram", "multiples of the page", [](auto& c) { c.sram_bytes += 1; }},
      {"bank", "multiples of the page", [](auto& c) { c.bank_bytes = kPage / 2; }},
      {"reserve", "multiples of the page", [](auto& c) { c.reserve_bytes += kPage / 2; }},
      {"arena", "multiples of the page", [](auto& c) { c.arena_bytes += 16; }},
      {"bank 0", "powers of two", [](auto& c) { c.bank_bytes = 0; }},
      {"bank 3 pages", "powers of two", [](auto& c) { c.bank_bytes = 3 * kPage; }},
      {"line 0", "powers of two", [](auto& c) { c.cache_line_bytes = 0; }},
      {"line 48", "powers of two", [](auto& c) { c.cache_line_bytes = 48; }},
      {"dma 96", "powers of two", [](auto& c) { c.dma_alignment = 96; }},
      {"dma 0", "powers of two", [](auto& c) { c.dma_alignment = 0; }},
      {"line 8", "between granule and page",
       [](auto& c) { c.cache_line_bytes = config::kGranuleBytes / 2; }},
      {"line 2 pages", "between granule and page", [](auto& c) { c.cache_line_bytes = 2 * kPage; }},
      {"dma 2 pages", "within a page", [](auto& c) { c.dma_alignment = 2 * kPage; }},
      {"no pool", "reserve", [](auto& c) { c.reserve_bytes = c.sram_bytes; }},
      {"less than none", "reserve", [](auto& c) { c.reserve_bytes = c.sram_bytes + kPage; }},
      {"large pool", "too many pages",
       [](auto& c) { c.sram_bytes = c.reserve_bytes + 65535 * kPage; }},
      {"large arena", "arena",
       [](auto& c) { c.arena_bytes = c.sram_bytes - c.reserve_bytes + kPage; }},
      {"window", "window", [](auto& c) { c.window_bytes += 1; }},
      {"large window", "window", [](auto& c) { c.window_bytes = 65535 * kPage; }},
      {"small window", "window", [](auto& c) { c.window_bytes = c.span_bytes - kPage; }},
      {"span", "span", [](auto& c) { c.span_bytes += 1; }},
      {"span 0", "span", [](auto& c) { c.span_bytes = 0; }},
      {"low-power", "low-power SRAM", [](auto& c) { c.lp_sram_bytes += 1; }},
      {"large low-power", "low-power SRAM", [](auto& c) { c.lp_sram_bytes = 65535 * kPage; }},
      {"l3", "L3", [](auto& c) { c.l3_bytes += 1; }},
      {"large l3", "L3", [](auto& c) { c.l3_bytes = 65535 * kPage; }},
      {"cores 0", "cores", [](auto& c) { c.cores = 0; }},
      {"cores 17", "cores", [](auto& c) { c.cores = 17; }},
      {"heaps 0", "heaps", [](auto& c) { c.max_heaps = 0; }},
      {"heaps 255", "heaps", [](auto& c) { c.max_heaps = 255; }},
      {"owners 0", "owners", [](auto& c) { c.max_owners = 0; }},
      {"owners 65535", "owners", [](auto& c) { c.max_owners = 65535; }},
      {"sites 0", "sites", [](auto& c) { c.max_sites = 0; }},
      {"sites 65535", "sites", [](auto& c) { c.max_sites = 65535; }},
      {"metadata", "metadata", [](auto& c) { c.metadata_bytes += 1; }},
      {"large metadata", "metadata",
       [](auto& c) { c.metadata_bytes = MetadataHeap::kReachBytes + config::kGranuleBytes; }},
  };
  for (const Rule& rule : rules) {
    SCOPED_TRACE(rule.what);
    PlatformConfig config = preset("mtl");
    rule.breach(config);
    const char* error = Memory::config_error(config);
    ASSERT_NE(error, nullptr);
    EXPECT_NE(std::string(error).find(rule.part), std::string::npos) << error;
    CheckingPort port(preset("mtl"));
    const ArenaMemory arena(Memory::arena_bytes(preset("mtl"), port));
    Memory memory;
    EXPECT_FALSE(memory.boot(config, kElasticPolicy, port, nullptr, arena.span()));
    EXPECT_EQ(port.mapped_pages(), 0U);
  }
}

TEST(MemoryBootRefuses, NothingOfAWindowThatIsNotUsed) {
  PlatformConfig config = preset("mcu");
  config.window_bytes = 1;
  config.span_bytes = 3;
  EXPECT_EQ(Memory::config_error(config), nullptr);
  EXPECT_TRUE(boots(config, kElasticPolicy));
}

TEST(MemoryBootRefuses, APolicyWhoseHeapsDoNotFit) {
  PlatformConfig config = preset("mtl");
  config.max_heaps = 1;  // elastic has a system heap and a shared one
  EXPECT_FALSE(boots(config, kElasticPolicy));
  EXPECT_TRUE(boots(config, kSinglePolicy));
  config.max_heaps = 2;
  EXPECT_TRUE(boots(config, kElasticPolicy));

  for (const char* name : {"mtl", "mcu"}) {
    config = preset(name);
    config.metadata_bytes = 0;
    config.arena_bytes = config.sram_bytes - config.reserve_bytes;  // nothing left for metadata
    EXPECT_FALSE(boots(config, kSinglePolicy)) << name;
    EXPECT_TRUE(boots(config, kElasticPolicy)) << name;
  }

  config = preset("mtl");
  config.window_bytes = config.span_bytes = config::kPageBytes;  // metadata takes all of it
  EXPECT_FALSE(boots(config, kElasticPolicy));
}

TEST(MemoryBootRefuses, PoolsTooSmallForTheirOwnMetadata) {
  for (const bool has_mmu : {true, false}) {
    for (const Policy* policy : kPolicies) {
      if (!has_mmu && needs_mmu(*policy)) {
        continue;
      }
      bool booted = false;
      for (std::size_t frames = 1; frames <= 24; ++frames) {
        SCOPED_TRACE(std::string(policy->name) + " " + std::to_string(frames));
        PlatformConfig config = small_platform(has_mmu, frames);
        config.span_bytes = has_mmu ? config::kPageBytes : 0;
        config.window_bytes = has_mmu ? std::size_t{2} << 20 : 0;  // room for all slots
        const bool now = boots(config, *policy);
        EXPECT_TRUE(now || !booted) << "a smaller pool was enough";
        booted = now;
        if (now) {
          TestSystem system(config, *policy);
          EXPECT_STREQ(system.heap("system").kind, to_string(policy->system));
        }
      }
      EXPECT_TRUE(booted);
    }
  }
}

TEST(MemoryBootRefuses, APlatformThatDoesNotMapOrPower) {
  for (const char* name : {"mtl", "mcu"}) {
    for (const Policy* policy : kPolicies) {
      for (std::uint64_t maps = 0; maps < 4; ++maps) {
        PlatformConfig config = preset(name);
        config.metadata_bytes = 0;
        CheckingPort port(config);
        const ArenaMemory arena(Memory::arena_bytes(config, port));
        port.host().fail_maps_after(maps);
        Memory memory;
        const bool done = memory.boot(config, *policy, port, nullptr, arena.span());
        EXPECT_TRUE(!done || (maps >= 1 && policy->system != HeapKind::fixed));
        if (done) {
          memory.shutdown();
        }
        EXPECT_EQ(memory.pool().taken(), 0U);
        EXPECT_EQ(port.mapped_pages(), 0U);
        EXPECT_EQ(port.banks_on(), 0U);
      }
    }
  }
}

TEST(MemoryBootFixedArena, TakesAllButWhatMetadataNeeds) {
  for (const char* name : {"mtl", "mcu"}) {
    PlatformConfig config = preset(name);
    config.arena_bytes = 0;
    TestSystem system(config, kSinglePolicy);
    const std::size_t arena = system.heap("system").mapped_bytes;
    EXPECT_GE(arena, (config.sram_bytes - config.reserve_bytes) / 8 * 7) << name;

    config.arena_bytes = 20 * config::kPageBytes;
    TestSystem other(config, kSinglePolicy);
    EXPECT_EQ(other.heap("system").mapped_bytes, 20 * config::kPageBytes) << name;
  }
}

// --- with memories beside the SRAM ---

// L3 on a port that says which of its pages are mapped, and maps only so many.
class CountedL3 final : public ForwardingPort {
 public:
  CountedL3(Port& l3, std::size_t maps) : ForwardingPort(&l3), left_(maps) {}

  bool map(Page page, Frame frame) override {
    if (left_ == 0 || !ForwardingPort::map(page, frame)) {
      return false;
    }
    --left_;
    mapped_.insert(number(page));
    return true;
  }
  void unmap(Page page) override {
    EXPECT_EQ(mapped_.erase(number(page)), 1U);
    ForwardingPort::unmap(page);
  }
  std::size_t mapped() const { return mapped_.size(); }

 private:
  std::size_t left_;
  std::set<std::uint16_t> mapped_;
};

class CountedL3Port final : public ForwardingPort {
 public:
  CountedL3Port(HostPort& host, std::size_t maps) : ForwardingPort(&host), l3_(*host.l3(), maps) {}
  ~CountedL3Port() = default;
  Port* l3() override { return &l3_; }
  std::size_t mapped() const { return l3_.mapped(); }

 private:
  CountedL3 l3_;
};

PlatformConfig with_side_memories() {
  PlatformConfig config = small_platform(true, 64);
  config.lp_sram_bytes = 8 * config::kPageBytes;
  config.l3_bytes = std::size_t{4} << 20;
  return config;
}

// Whether it comes up with `maps` pages of L3 to be mapped and `bytes` of arena; where it does not,
// nothing may be left.
bool boots_beside(const PlatformConfig& config, std::size_t maps, std::size_t bytes = SIZE_MAX) {
  HostPort host(config);
  CountedL3Port port(host, maps);
  const std::size_t needed = Memory::arena_bytes(config, port);
  const ArenaMemory arena(bytes < needed ? bytes : needed);
  Memory memory;
  const bool done = memory.boot(config, kElasticPolicy, port, nullptr, arena.span());
  if (done) {
    EXPECT_GT(port.mapped(), 0U) << "L3 holds its own tables";
    EXPECT_TRUE(memory.check(CheckDepth::deep));
    EXPECT_EQ(memory.shutdown(), 0U);
  }
  EXPECT_EQ(port.mapped(), 0U);
  EXPECT_EQ(memory.pool().taken(), 0U);
  return done;
}

TEST(MemoryBootBeside, NeedsThePagesThatL3HoldsItsTablesIn) {
  const PlatformConfig config = with_side_memories();
  std::size_t maps = 0;
  while (!boots_beside(config, maps)) {
    ASSERT_LT(++maps, 100U);
  }
  EXPECT_GT(maps, 2U);
  EXPECT_TRUE(boots_beside(config, maps + 1));
}

TEST(MemoryBootBeside, NeedsAHeapForEachMemory) {
  PlatformConfig config = with_side_memories();
  for (config.max_heaps = 1; config.max_heaps < 4; ++config.max_heaps) {
    EXPECT_FALSE(boots_beside(config, SIZE_MAX)) << config.max_heaps;
  }
  EXPECT_TRUE(boots_beside(config, SIZE_MAX)) << "the system's, the shared one, and two beside";
}

TEST(MemoryBootBeside, NeedsAllOfItsArena) {
  const PlatformConfig config = with_side_memories();
  HostPort port(config);
  const std::size_t needed = Memory::arena_bytes(config, port);
  for (std::size_t bytes = 0; bytes < needed; bytes += 16 + needed / 150) {
    ASSERT_FALSE(boots_beside(config, SIZE_MAX, bytes)) << bytes;
  }
  EXPECT_FALSE(boots_beside(config, SIZE_MAX, needed - 1));
}

TEST(MemoryBootBeside, AnL3TooSmallForItsOwnTablesIsNotUsed) {
  PlatformConfig config = with_side_memories();
  config.l3_bytes = 2 * config::kPageBytes;
  HostPort port(config);
  const ArenaMemory arena(Memory::arena_bytes(config, port));
  Memory memory;
  ASSERT_TRUE(memory.boot(config, kElasticPolicy, port, nullptr, arena.span()));
  EXPECT_EQ(memory.allocate({nullptr, 16, 0, flag::kL3, {}}), nullptr);
  EXPECT_FALSE(memory.save_l3());
  EXPECT_FALSE(memory.restore_l3());
  EXPECT_TRUE(memory.check(CheckDepth::deep));
  memory.shutdown();
}

}  // namespace
}  // namespace modmem
