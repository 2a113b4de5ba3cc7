// Platforms by name and by file name, and what a system says of its memory.
#include "testbench/system.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <set>

#include "modmem/presets.hpp"
#include "testbench/input_error.hpp"
#include "testbench/modules/call_site.hpp"
#include "testbench/testing/system_state.hpp"

namespace modmem::testbench {
namespace {

Owner& pipeline(System& system, std::uint32_t id, const char* name,
                std::size_t limit = OwnerSpec::kNoLimit) {
  Owner* owner = system.memory().create_owner(system.memory().system(),
                                              {OwnerKind::pipeline, id, name, limit});
  EXPECT_NE(owner, nullptr);
  return *owner;
}

// A block for `owner`; the line of the call is its site.
std::byte* allocate(System& system, Owner& owner, std::size_t bytes, std::size_t alignment = 0,
                    Flags flags = 0, Site site = MODMEM_HERE) {
  return static_cast<std::byte*>(system.memory().allocate({&owner, bytes, alignment, flags, site}));
}

// --- names ---

TEST(PlatformTest, EveryPresetIsFoundByItsName) {
  std::set<std::string> names;
  for (const PlatformConfig& preset : config::kPresets) {
    EXPECT_EQ(&find_platform(preset.name), &preset);
    names.insert(preset.name);
  }
  EXPECT_EQ(names, (std::set<std::string>{"mtl", "lnl", "ptl", "wcl", "tgl", "mcu"}));
}

TEST(PlatformTest, AnUnknownNameIsRefusedWithThoseThereAre) {
  for (const char* name : {"", "x", "MTL", "mtl ", "mt", "mtll", "host"}) {
    try {
      find_platform(name);
      ADD_FAILURE() << name;
    } catch (const InputError& error) {
      const std::string message = error.what();
      EXPECT_EQ(message.rfind("platform " + std::string(name) + ": ", 0), 0U) << message;
      for (const PlatformConfig& preset : config::kPresets) {
        EXPECT_NE(message.find(preset.name), std::string::npos) << message;
      }
    }
  }
}

TEST(PlatformTest, ATopologysNameSaysWhatItIsFor) {
  const std::pair<const char*, const char*> rules[] = {
      {"sof-mtl-rt712-l0-4ch.tplg", "mtl"},
      {"sof-arl-dmic-2ch-id5.tplg", "mtl"},
      {"sof-hda-generic-ace1-idisp-4ch.tplg", "mtl"},
      {"sof-lnl-rt722-l0.tplg", "lnl"},
      {"sof-ptl-rt721.tplg", "ptl"},
      {"sof-hda-generic-ace3-idisp-4ch.tplg", "ptl"},
      {"sof-wcl-rt721.tplg", "wcl"},
      {"sof-tgl-rt712.tplg", "tgl"},
      {"sof-adl-cs42l43-l0-cs35l56-l23.tplg", "tgl"},
      {"sof-rpl-cs42l43-l0.tplg", "tgl"},
      {"sof-hda-generic-cavs25-idisp-4ch.tplg", "tgl"},
      {"x-ace1-y", "mtl"},
      {"x-ace3-y", "ptl"},
      {"x-cavs25-y", "tgl"}};
  for (const auto& [file, preset] : rules) {
    EXPECT_STREQ(platform_of_topology(file).name, preset) << file;
  }
}

TEST(PlatformTest, AnyOtherNameIsTheDefaults) {
  EXPECT_STREQ(config::kDefaultPlatform.name, "mtl");
  for (const char* file :
       {"", "x.tplg", "sof-hda-generic-4ch.tplg", "sof-hdmi-pcm5-id5.tplg", "sof-lnl",
        "sof-lnl.tplg", "SOF-LNL-x.tplg", "my-sof-lnl-x.tplg", "x-lnl-y.tplg", "ace3.tplg",
        "x-ace3.tplg", "x-ace30-y.tplg", "ace3-x.tplg", "sof-mcu-x.tplg"}) {
    EXPECT_EQ(&platform_of_topology(file), &config::kDefaultPlatform) << file;
  }
}

// --- booting ---

TEST(SystemTest, BootsEveryPresetUnderEveryPolicy) {
  for (const PlatformConfig& preset : config::kPresets) {
    EXPECT_TRUE(boots(preset, kElasticPolicy)) << preset.name;
    for (const Policy* policy : kPolicies) {
      if (!preset.has_mmu &&
          (policy->slots == HeapKind::slots || policy->system == HeapKind::slots)) {
        EXPECT_THROW(System(preset, *policy), InputError) << policy->name;
        continue;
      }
      System system(preset, *policy);
      EXPECT_EQ(system.mapped_bytes(), system.boot_mapped_bytes()) << preset.name;
      EXPECT_TRUE(system.memory().check(CheckDepth::deep)) << preset.name;
      EXPECT_FALSE(system.first_failure()) << preset.name;
    }
  }
}

// The error of booting `config`: one line that names the platform.
std::string boot_error(const PlatformConfig& config) {
  try {
    const System system(config, kElasticPolicy);
  } catch (const InputError& error) {
    std::string message = error.what();
    EXPECT_EQ(message.rfind("platform mtl: ", 0), 0U) << message;
    return message;
  }
  ADD_FAILURE() << "no error";
  return {};
}

TEST(SystemTest, AConfigurationThatDoesNotHoldIsRefusedBeforeAnythingIsReserved) {
  PlatformConfig config = find_platform("mtl");
  config.reserve_bytes = config.sram_bytes + 4096;
  EXPECT_NE(boot_error(config).find("reserve"), std::string::npos);
  config = find_platform("mtl");
  config.sram_bytes = SIZE_MAX & ~std::size_t{0xfff};
  EXPECT_NE(boot_error(config).find("pages"), std::string::npos);
  config = find_platform("mtl");
  config.bank_bytes = 0;
  EXPECT_NE(boot_error(config), "");
}

TEST(SystemTest, APlatformThatHoldsNotEvenTheHeapsIsRefused) {
  PlatformConfig config = find_platform("mtl");
  config.max_heaps = 1;  // elastic has one for what is shared besides
  EXPECT_NE(boot_error(config).find("do not fit"), std::string::npos);
}

// --- what it notes ---

TEST(SystemTest, TheFirstFailureIsKeptBeyondItsOwner) {
  System system(find_platform("mtl"), kElasticPolicy);
  Memory& memory = system.memory();
  {
    const std::string name = "short-lived";
    Owner& owner = pipeline(system, 7, name.c_str(), 1000);
    EXPECT_NE(allocate(system, owner, 600), nullptr);
    EXPECT_EQ(allocate(system, owner, 500), nullptr);
    EXPECT_EQ(allocate(system, owner, 900), nullptr);
    memory.release_all(owner);
    memory.destroy_owner(owner);
  }
  ASSERT_TRUE(system.first_failure());
  const FailureNote& note = *system.first_failure();
  EXPECT_EQ(note.owner, "short-lived");
  EXPECT_EQ(note.owner_id, 7U);
  EXPECT_EQ(note.figures.bytes, 500U);
  EXPECT_EQ(note.figures.reason, FailureReason::limit);
  EXPECT_EQ(note.figures.largest_request, 400U);
  ASSERT_FALSE(note.top_owners.empty());
  EXPECT_EQ(note.top_owners[0].name, "short-lived");
  EXPECT_EQ(note.top_owners[0].bytes, 600U);
}

TEST(SystemTest, LeaksAndFaultsAreNotedWithTheirOwner) {
  System system(find_platform("mtl"), kElasticPolicy);
  Memory& memory = system.memory();
  Owner& owner = pipeline(system, 9, "leaky");
  std::byte* block = allocate(system, owner, 123, 64);
  EXPECT_NE(memory.free(block + 64, &owner), PointerStatus::live);
  memory.destroy_owner(owner);
  ASSERT_EQ(system.faults().size(), 1U);
  EXPECT_EQ(system.faults()[0].owner, "leaky");
  EXPECT_EQ(system.faults()[0].owner_id, 9U);
  ASSERT_EQ(system.leaks().size(), 1U);
  EXPECT_EQ(system.leaks()[0].owner, "leaky");
  EXPECT_EQ(system.leaks()[0].owner_id, 9U);
  EXPECT_EQ(system.leaks()[0].bytes, 123U);
  EXPECT_EQ(system.leaks()[0].alignment, 64U);
  EXPECT_EQ(system.leaks()[0].site.rfind("testbench/system_test.cpp:", 0), 0U)
      << system.leaks()[0].site;
  EXPECT_EQ(system.mapped_bytes(), system.boot_mapped_bytes());
}

TEST(SystemTest, ASiteIsALineOrAnAddress) {
  EXPECT_EQ(to_text(Site{"a/b.cpp", 12}), "a/b.cpp:12");
  EXPECT_EQ(to_text(Site{reinterpret_cast<const void*>(0x1234), 0}), "0x1234");
}

// --- stray accesses ---

using StrayAccessDeathTest = ::testing::Test;

void touch(std::byte* address) { *static_cast<volatile std::byte*>(address) = std::byte{1}; }

TEST(StrayAccessDeathTest, IsReportedWithHeapAndOwner) {
  System system(find_platform("mtl"), kElasticPolicy);
  Owner& owner = pipeline(system, 0x21, "music");
  std::byte* kept = allocate(system, owner, 100);
  touch(kept);
  // Behind the heap's only page there is none.
  EXPECT_DEATH(touch(kept + 4096),
               "modmem: stray access to 0x[0-9a-f]+: page not mapped, in heap "
               "music of pipeline music \\(id 0x21\\)");
  EXPECT_DEATH(touch(kept + 4096 + system.port().alias_offset()), "stray access.*music");
}

TEST(StrayAccessDeathTest, MemoryThatWasFreedIsNotReadable) {
  System system(find_platform("mtl"), kElasticPolicy);
  Owner& owner = pipeline(system, 0x22, "speech");
  std::byte* block = allocate(system, owner, 8192, 0, flag::kCoherent);
  touch(block);
  system.memory().free(block);
  EXPECT_DEATH(touch(block), "stray access to 0x[0-9a-f]+: .*heap speech of pipeline speech");
}

TEST(StrayAccessDeathTest, OutsideOfAllHeapsIsSaidToo) {
  System system(find_platform("mtl"), kElasticPolicy);
  // Spans lie at the start of the window, metadata at its end.
  std::byte* middle = system.port().window() + find_platform("mtl").window_bytes / 2;
  EXPECT_DEATH(touch(middle), "stray access to 0x[0-9a-f]+: in no heap");
}

TEST(StrayAccessDeathTest, WithoutAnMmuAFreePageIsWhoseItWas) {
  System system(find_platform("mcu"), kElasticPolicy);
  Owner& owner = pipeline(system, 0x23, "beep");
  std::byte* block = allocate(system, owner, 4096);
  touch(block);
  system.memory().free(block);
  EXPECT_DEATH(touch(block),
               "stray access to 0x[0-9a-f]+: page not mapped, its bank off, last in "
               "heap beep of pipeline beep");
  system.memory().destroy_owner(owner);
  EXPECT_DEATH(touch(block), "stray access to 0x[0-9a-f]+: in no heap");
}

}  // namespace
}  // namespace modmem::testbench
