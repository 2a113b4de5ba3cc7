// Module memory in C: what a module holds is its own, named in every report, and gone with it.

#include <modmem/module.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <new>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "capi/capi_testing.hpp"

namespace modmem {
namespace {

class CModuleTest : public QuietTest,
                    public testing::WithParamInterface<std::tuple<const char*, const char*>> {
 protected:
  void SetUp() override {
    boot(std::get<0>(GetParam()), std::get<1>(GetParam()));
    module_.dev_id = 0x10001;
    mod_resource_init(&module_);
    other_.dev_id = 0x10002;
    mod_resource_init(&other_);
  }

  static std::size_t usage(processing_module& module) {
    return module_adapter_heap_usage(&module, nullptr);
  }
  static std::size_t most(processing_module& module) {
    std::size_t mark = 0;
    module_adapter_heap_usage(&module, &mark);
    return mark;
  }
  bool is_libc() const { return std::string(std::get<0>(GetParam())) == "libc"; }

  processing_module module_{};
  processing_module other_{};
};

std::string name_of(const testing::TestParamInfo<CModuleTest::ParamType>& test) {
  std::string name = std::string(std::get<0>(test.param)) + "_" + std::get<1>(test.param);
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(Hosts, CModuleTest,
                         testing::Combine(testing::Values("sim", "plain", "libc"),
                                          testing::Values("elastic", "module-heaps", "single",
                                                          "slots", "slots-modules", "slots-all")),
                         name_of);

TEST_P(CModuleTest, TakesNothingBeforeItsFirstBlock) {
  const auto before = info();
  mod_resource_init(&module_);
  EXPECT_EQ(usage(module_), 0U);
  mod_free_all(&module_);
  EXPECT_EQ(info().owners, before.owners);
  EXPECT_EQ(info().mapped_bytes, before.mapped_bytes);
}

TEST_P(CModuleTest, CountsWhatWasAskedFor) {
  void* one = mod_alloc(&module_, 1000);
  void* two = mod_balloc(&module_, 5000);
  void* three = mod_alloc_align(&module_, 10, 256);
  void* four = mod_alloc_ext(&module_, SOF_MEM_FLAG_COHERENT, 100, 0);
  void* five = mod_balloc_align(&module_, 10, 4);
  ASSERT_TRUE(one != nullptr && two != nullptr && three != nullptr && four != nullptr &&
              five != nullptr);
  const std::size_t line = info().cache_line_bytes;
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(one) % alignof(std::max_align_t), 0U);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(two) % line, 0U);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(three) % 256, 0U);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(four) % line, 0U);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(five) % line, 0U);
  std::memset(one, 1, 1000);
  std::memset(two, 2, 5000);
  EXPECT_EQ(usage(module_), 6120U);
  EXPECT_EQ(mod_free(&module_, two), 0);
  EXPECT_EQ(usage(module_), 1120U);
  EXPECT_EQ(most(module_), 6120U);
  EXPECT_EQ(usage(other_), 0U);
  mod_free_all(&module_);
  EXPECT_EQ(usage(module_), 0U);
  EXPECT_EQ(most(module_), 6120U);
  mod_free_all(&module_);
  ASSERT_NE(mod_alloc(&module_, 10), nullptr);
  EXPECT_EQ(usage(module_), 10U);
  EXPECT_EQ(most(module_), 6120U);
  mod_free_all(&module_);
  mod_resource_init(&module_);
  EXPECT_EQ(most(module_), 0U);
}

TEST_P(CModuleTest, ZeroesOnRequest) {
  std::memset(mod_alloc(&module_, 3000), 0xff, 3000);
  mod_free_all(&module_);
  const auto* block = static_cast<const unsigned char*>(mod_zalloc(&module_, 3000));
  ASSERT_NE(block, nullptr);
  EXPECT_EQ(std::count(block, block + 3000, 0), 3000);
  mod_free_all(&module_);
}

TEST_P(CModuleTest, RefusesNoBytesAndNoPowersOfTwo) {
  EXPECT_EQ(mod_alloc(&module_, 0), nullptr);
  EXPECT_EQ(mod_zalloc(&module_, 0), nullptr);
  EXPECT_EQ(mod_balloc(&module_, 0), nullptr);
  EXPECT_EQ(mod_alloc_ext(&module_, SOF_MEM_FLAG_COHERENT, 0, 0), nullptr);
  EXPECT_EQ(said("requested allocation of 0 bytes, module 0x10001, from "), 4U);
  EXPECT_EQ(mod_alloc_align(&module_, 100, 24), nullptr);
  EXPECT_EQ(said("mod_alloc_align: no power of two to align 100 bytes, alignment 24 bytes, "
                 "module 0x10001"),
            1U);
  EXPECT_EQ(info().owners, start_.owners);
}

TEST_P(CModuleTest, NamesItselfEachTimeMemoryRunsOut) {
  ASSERT_NE(mod_alloc(&module_, 10), nullptr);
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(mod_alloc_align(&module_, std::size_t{1} << 30, 128), nullptr);
  }
  EXPECT_EQ(said("1073741824 bytes, alignment 128 bytes"), 100U);
  EXPECT_EQ(usage(module_), 10U);
  EXPECT_EQ(mod_alloc_ext(&module_, static_cast<std::uint32_t>(MODMEM_MEM_FLAG_SILENT),
                          std::size_t{1} << 30, 0),
            nullptr);
  mod_free_all(&module_);
}

TEST_P(CModuleTest, FreesItsOwnOnly) {
  void* mine = mod_alloc(&module_, 100);
  void* others = mod_alloc(&other_, 100);
  void* kernels = rmalloc(SOF_MEM_FLAG_KERNEL, 100);
  int local = 0;
  EXPECT_EQ(mod_free(&module_, nullptr), 0);
  for (const void* pointer : {static_cast<const void*>(others), static_cast<const void*>(kernels),
                              static_cast<const void*>(&local)}) {
    EXPECT_EQ(mod_free(&module_, pointer), -EINVAL);
    const SeenFault seen = fault();
    EXPECT_EQ(seen.kind, MODMEM_FAULT_FOREIGN);
    EXPECT_EQ(seen.function, "mod_free");
    EXPECT_EQ(seen.pointer, pointer);
    EXPECT_EQ(seen.owner_id, 0x10001U);
    EXPECT_NE(seen.site, nullptr);
    EXPECT_FALSE(seen.fatal);
  }
  EXPECT_EQ(mod_free(&module_, static_cast<char*>(mine) + 8), -EINVAL);
  EXPECT_EQ(fault().kind, MODMEM_FAULT_INTERIOR);
  EXPECT_EQ(said("owner module 0x10001, from "), 4U);
  EXPECT_EQ(usage(module_), 100U);
  EXPECT_EQ(mod_free(&module_, mine), 0);
  EXPECT_EQ(mod_free(&module_, mine), -EINVAL);
  EXPECT_EQ(fault().owner_id, 0x10001U);
  mod_free_all(&module_);
  EXPECT_EQ(mod_free(&module_, mine), -EINVAL);  // without an account, too
  EXPECT_EQ(fault().owner_id, 0x10001U);
  EXPECT_EQ(said("mod_free: "), 2U);
  rfree(kernels);
  mod_free_all(&other_);
}

TEST_P(CModuleTest, WorksZeroedWithoutInit) {
  processing_module zeroed{};
  zeroed.dev_id = 7;
  void* block = mod_alloc(&zeroed, 100);
  ASSERT_NE(block, nullptr);
  EXPECT_EQ(usage(zeroed), 100U);
  EXPECT_EQ(mod_free(&zeroed, block), 0);
  ASSERT_NE(mod_alloc(&zeroed, 200), nullptr);
  mod_free_all(&zeroed);
}

TEST_P(CModuleTest, InitTakesGarbage) {
  alignas(processing_module) unsigned char garbage[sizeof(processing_module)];
  std::memset(garbage, 0xa5, sizeof garbage);
  auto* module = reinterpret_cast<processing_module*>(garbage);
  module->dev_id = 9;
  mod_resource_init(module);
  EXPECT_EQ(usage(*module), 0U);
  EXPECT_EQ(most(*module), 0U);
  ASSERT_NE(mod_alloc(module, 100), nullptr);
  mod_free_all(module);
}

TEST_P(CModuleTest, InitReportsWhatWasHeld) {
  ASSERT_NE(mod_alloc(&module_, 1234), nullptr);
  ASSERT_NE(mod_data_blob_handler_new(&module_), nullptr);
  mod_resource_init(&module_);
  EXPECT_EQ(said("leak: 1234 bytes"), 1U);
  EXPECT_EQ(said("owner module 0x10001, from "), 1U);  // the handler
  EXPECT_EQ(usage(module_), 0U);
}

// A module that dies without mod_free_all(): the next one at its address finds it.
TEST_P(CModuleTest, DeadModulesAreFound) {
  for (int cycle = 0; cycle < 100; ++cycle) {
    alignas(processing_module) static unsigned char place[sizeof(processing_module)];
    std::memset(place, cycle % 3 == 0 ? 0xa5 : 0, sizeof place);
    auto* module = reinterpret_cast<processing_module*>(place);
    module->dev_id = 0x100 + static_cast<std::uint32_t>(cycle);
    if (cycle % 3 == 0) {
      mod_resource_init(module);
    }
    ASSERT_NE(mod_alloc(module, 100), nullptr);
    EXPECT_EQ(info().owners, start_.owners + 1);
    EXPECT_EQ(said("leak: 100 bytes"), cycle > 0 ? 1U : 0U);
    if (cycle == 99) {
      mod_free_all(module);
    }
  }
}

TEST_P(CModuleTest, OutlivesTheSystem) {
  ASSERT_NE(mod_alloc(&module_, 100), nullptr);
  ASSERT_NE(comp_data_blob_handler_new(nullptr), nullptr);
  EXPECT_EQ(modmem_shutdown(), 2);
  EXPECT_EQ(said("leak: 100 bytes"), 1U);
  EXPECT_EQ(said("owner blobs 0x0"), 1U);
  boot(std::get<0>(GetParam()), std::get<1>(GetParam()));
  EXPECT_EQ(usage(module_), 0U);
  ASSERT_NE(mod_alloc(&module_, 50), nullptr);
  EXPECT_EQ(usage(module_), 50U);
  mod_free_all(&module_);
}

// --- handlers and copies ---

TEST_P(CModuleTest, HandlersAndCopiesAreNotUsage) {
  static const std::array<char, 1000> kData{1, 2, 3};
  const auto before = info();
  comp_data_blob_handler* handler = mod_data_blob_handler_new(&module_);
  const void* copy = mod_fast_get(&module_, kData.data(), kData.size());
  ASSERT_NE(handler, nullptr);
  ASSERT_NE(copy, nullptr);
  EXPECT_EQ(std::memcmp(copy, kData.data(), kData.size()), 0);
  EXPECT_EQ(mod_fast_get(&other_, kData.data(), kData.size()), copy);
  EXPECT_EQ(usage(module_), 0U);
  EXPECT_EQ(comp_init_data_blob(handler, 100, nullptr), 0);
  EXPECT_EQ(usage(module_), 100U);
  mod_data_blob_handler_free(&module_, handler);
  mod_fast_put(&module_, copy);
  EXPECT_EQ(usage(module_), 0U);
  mod_data_blob_handler_free(&module_, handler);
  EXPECT_EQ(fault().function, "mod_data_blob_handler_free");
  mod_fast_put(&module_, copy);  // the other one's
  EXPECT_EQ(fault().function, "mod_fast_put");
  mod_data_blob_handler_free(&module_, nullptr);
  mod_fast_put(&module_, nullptr);
  EXPECT_EQ(lines_.size(), 2U);
  lines_.clear();
  mod_free_all(&module_);
  mod_free_all(&other_);
  EXPECT_EQ(info().mapped_bytes, before.mapped_bytes);
}

TEST_P(CModuleTest, FreeTakesHandlersAndCopiesToo) {
  static const std::array<char, 100> kData{1, 2, 3};
  const void* copy = mod_fast_get(&module_, kData.data(), kData.size());
  comp_data_blob_handler* handler = mod_data_blob_handler_new(&module_);
  EXPECT_EQ(mod_free(&module_, copy), 0);
  EXPECT_EQ(mod_free(&module_, handler), 0);
  EXPECT_EQ(mod_free(&module_, handler), -EINVAL);
  fault();
  handler = mod_data_blob_handler_new(&module_);
  comp_data_blob_handler_free(handler);
  EXPECT_EQ(said("mod_free"), 1U);
  EXPECT_EQ(mod_fast_get(&module_, nullptr, 10), nullptr);
  EXPECT_EQ(mod_fast_get(&module_, kData.data(), 0), nullptr);
  EXPECT_NE(mod_fast_get(&module_, kData.data(), 100), nullptr);
  EXPECT_EQ(mod_fast_get(&module_, kData.data(), 99), nullptr);
  EXPECT_EQ(said("mod_fast_get: no copy of 99 bytes"), 1U);
  EXPECT_EQ(said("mod_fast_get: no copy of "), 2U);
  EXPECT_EQ(mod_fast_get(&module_, kData.data() + 1, std::size_t{1} << 30), nullptr);
  EXPECT_EQ(said("mod_fast_get: no copy of 1073741824 bytes"), 1U);  // and nothing else
  mod_free_all(&module_);
}

TEST_P(CModuleTest, SaysOnceThatThereIsNoRoomForAModule) {
  static const std::array<char, 5000> kData{};
  constexpr auto kSilent = static_cast<std::uint32_t>(MODMEM_MEM_FLAG_SILENT);
  std::vector<void*> all;
  for (std::size_t bytes = std::size_t{1} << 22; bytes >= 8; bytes /= 2) {
    for (const auto flags : {SOF_MEM_FLAG_KERNEL, SOF_MEM_FLAG_LARGE_BUFFER}) {
      while (void* block = rmalloc(static_cast<std::uint32_t>(flags) | kSilent, bytes)) {
        all.push_back(block);
      }
    }
  }
  EXPECT_EQ(mod_alloc(&module_, 5000), nullptr);
  EXPECT_EQ(mod_data_blob_handler_new(&module_), nullptr);
  EXPECT_EQ(mod_fast_get(&module_, kData.data(), kData.size()), nullptr);
  EXPECT_EQ(lines_.size(), 3U);
  EXPECT_EQ(said("module 0x10001"), 3U);
  for (void* block : all) {
    rfree(block);
  }
  mod_free_all(&module_);
}

// --- heaps and regions of a module ---

TEST_P(CModuleTest, MayHaveAHeapOfItsOwn) {
  k_heap* heap = modmem_heap_create("mine", 10000);
  ASSERT_NE(heap, nullptr);
  mod_alloc_ctx ctx{};
  ctx.heap = heap;
  void* before = mod_alloc(&module_, 10);
  EXPECT_EQ(modmem_module_set_ctx(&module_, &ctx), -EBUSY);
  EXPECT_EQ(mod_free(&module_, before), 0);
  EXPECT_EQ(modmem_module_set_ctx(&module_, &ctx), 0);
  void* block = mod_alloc(&module_, 1000);
  ASSERT_NE(block, nullptr);
  ASSERT_NE(mod_balloc(&module_, 1000), nullptr);
  EXPECT_EQ(mod_alloc(&module_, 9000), nullptr);
  EXPECT_EQ(said("9000 bytes"), 1U);
  EXPECT_EQ(usage(module_), 2000U);
  EXPECT_EQ(mod_free(&module_, block), 0);
  EXPECT_EQ(modmem_heap_destroy(heap), 1);
  EXPECT_EQ(said("leak: 1000 bytes"), 1U);
  EXPECT_EQ(usage(module_), 0U);
  EXPECT_EQ(modmem_module_set_ctx(&module_, nullptr), 0);
  ASSERT_NE(mod_alloc(&module_, 1000), nullptr);
  mod_free_all(&module_);
}

TEST_P(CModuleTest, KeepsItsRegion) {
  vregion* region = vregion_create(3 * 4096);
  if (region == nullptr) {
    GTEST_SKIP() << "no regions here";
  }
  mod_alloc_ctx ctx{};
  ctx.vreg = region;
  EXPECT_EQ(modmem_module_set_ctx(&module_, &ctx), 0);
  void* block = mod_alloc(&module_, 1000);
  ASSERT_NE(block, nullptr);
  std::size_t bytes = 0;
  std::uintptr_t start = 0;
  vregion_mem_info(region, &bytes, &start);
  if (!is_libc()) {
    EXPECT_LT(reinterpret_cast<std::uintptr_t>(block) - start, bytes);
  }
  EXPECT_NE(vregion_put(region), nullptr);  // the module holds it
  std::memset(block, 1, 1000);
  mod_free_all(&module_);
}

// --- the cycles of the field ---

TEST_P(CModuleTest, AThousandFaultyCyclesAreAllReportedOnAFlatLine) {
  static const std::array<char, 500> kData{1};
  const auto before = info();
  for (int cycle = 0; cycle < 1000; ++cycle) {
    processing_module module{};
    module.dev_id = 0x20000;
    mod_resource_init(&module);
    void* block = mod_alloc(&module, 300);
    ASSERT_NE(block, nullptr);
    ASSERT_NE(mod_data_blob_handler_new(&module), nullptr);
    ASSERT_NE(mod_fast_get(&module, kData.data(), kData.size()), nullptr);
    switch (cycle % 3) {
      case 0:  // leaks: its struct is gone, and another comes
        mod_resource_init(&module);
        ASSERT_EQ(said("leak: 300 bytes"), 1U);
        ASSERT_EQ(said("leak: 500 bytes"), 1U);
        ASSERT_EQ(said("owner module 0x20000, from "), 1U);
        break;
      case 1:  // fails to start, as there is too little memory
        ASSERT_EQ(mod_alloc(&module, std::size_t{1} << 30), nullptr);
        ASSERT_EQ(said("owner module 0x20000, "), 1U);
        mod_free_all(&module);
        break;
      default:  // frees twice
        ASSERT_EQ(mod_free(&module, block), 0);
        ASSERT_EQ(mod_free(&module, block), -EINVAL);
        ASSERT_EQ(fault().owner_id, 0x20000U);
        ASSERT_EQ(said("owner module 0x20000, from "), 1U);
        mod_free_all(&module);
        break;
    }
    ASSERT_EQ(info().mapped_bytes, before.mapped_bytes) << cycle;
    ASSERT_EQ(info().owners, before.owners) << cycle;
  }
}

}  // namespace
}  // namespace modmem
