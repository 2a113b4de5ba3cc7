// What a domain gives to functions of the C interface: its own, and nobody else's.

#include <gtest/gtest.h>
#include <modmem/module.h>
#include <rtos/alloc.h>
#include <sof/audio/data_blob.h>
#include <sof/lib/vpage.h>
#include <sof/lib/vregion.h>

#include <cerrno>
#include <csetjmp>
#include <cstdint>
#include <cstring>
#include <vector>

#include "capi/capi_testing.hpp"
#include "capi/request.hpp"

namespace modmem {
namespace {

class CDomains : public BootedTest {
 protected:
  void SetUp() override {
    boot("sim");
    ASSERT_NE(memory(), nullptr);
    domain_ = make("domain");
    other_ = make("other");
    foreign_ = rmalloc(SOF_MEM_FLAG_USER, 100);
    ASSERT_NE(foreign_, nullptr);
    take_lines();
    memory()->enter_domain(domain_);
  }
  void TearDown() override {
    memory()->enter_domain(nullptr);
    rfree(foreign_);
    memory()->destroy_owner(*domain_);
    memory()->destroy_owner(*other_);
    BootedTest::TearDown();
  }

  static Memory* memory() { return &booted()->memory; }
  Owner* make(const char* name) {
    return memory()->create_owner(memory()->system(), {OwnerKind::heap, 0x21, name, kLimit},
                                  {.isolated = true});
  }
  static k_heap* heap_of(Owner* owner) { return reinterpret_cast<k_heap*>(owner); }

  // There was one misuse: the domain gave `pointer` to `function`.
  void expect_refused(const char* function, const void* pointer, const char* by = "domain") {
    const std::vector<SeenFault> seen = take_faults();
    ASSERT_EQ(seen.size(), 1U) << function;
    EXPECT_EQ(seen[0].kind, MODMEM_FAULT_FOREIGN);
    EXPECT_EQ(seen[0].function, function);
    EXPECT_EQ(seen[0].pointer, pointer);
    EXPECT_EQ(seen[0].owner, by);
    EXPECT_NE(seen[0].site, nullptr);
  }

  static constexpr std::size_t kLimit = 16384;
  Owner* domain_ = nullptr;
  Owner* other_ = nullptr;
  void* foreign_ = nullptr;
};

TEST_F(CDomains, EndTheirOwnBlocks) {
  void* own = rmalloc(SOF_MEM_FLAG_USER, 100);
  ASSERT_NE(own, nullptr);
  EXPECT_EQ(memory()->locate(own).owner, domain_);
  std::memset(own, 1, 100);
  void* longer = rbrealloc_align(own, SOF_MEM_FLAG_USER, 5000, 100, 0);
  ASSERT_NE(longer, nullptr);
  EXPECT_EQ(static_cast<const std::uint8_t*>(longer)[99], 1);
  rfree(longer);
  // What it takes for the kernel lies elsewhere.
  void* kernel = rmalloc(SOF_MEM_FLAG_KERNEL, 100);
  ASSERT_NE(kernel, nullptr);
  EXPECT_NE(memory()->locate(kernel).owner, domain_);
  rfree(kernel);
  EXPECT_TRUE(take_faults().empty());
  EXPECT_EQ(domain_->tree, 0U);
}

TEST_F(CDomains, DoNotEndOthersBlocks) {
  rfree(foreign_);
  expect_refused("rfree", foreign_);
  sof_heap_free(heap_of(domain_), foreign_);
  expect_refused("sof_heap_free", foreign_);
  EXPECT_EQ(rbrealloc_align(foreign_, SOF_MEM_FLAG_USER, 200, 100, 0), nullptr);
  expect_refused("rbrealloc_align", foreign_);
  EXPECT_EQ(memory()->status(foreign_), PointerStatus::live);
  EXPECT_EQ(memory()->usable_size(foreign_) >= 100, true);
}

TEST_F(CDomains, DoNotAskForOthers) {
  EXPECT_EQ(sof_heap_alloc(heap_of(other_), SOF_MEM_FLAG_USER, 100, 0), nullptr);
  expect_refused("sof_heap_alloc", other_);
  mod_alloc_ctx context{.heap = sof_sys_heap_get(), .vreg = nullptr};
  EXPECT_EQ(sof_ctx_alloc(&context, SOF_MEM_FLAG_USER, 100, 0), nullptr);
  expect_refused("sof_ctx_alloc", sof_sys_heap_get());
  EXPECT_EQ(other_->tree, 0U);
}

TEST_F(CDomains, DoNotMakeModulesOfOthers) {
  processing_module module{};
  mod_resource_init(&module);
  const mod_alloc_ctx context{.heap = heap_of(other_), .vreg = nullptr};
  EXPECT_EQ(modmem_module_set_ctx(&module, &context), -EINVAL);
  expect_refused("modmem_module_set_ctx", other_, "module");
  // Nor by a struct that says so all the same.
  module.resources.heap = heap_of(other_);
  EXPECT_EQ(mod_alloc(&module, 100), nullptr);
  EXPECT_EQ(other_->tree, 0U);
  // One that names nobody is the domain's own.
  module.resources.heap = nullptr;
  void* block = mod_alloc(&module, 100);
  ASSERT_NE(block, nullptr);
  EXPECT_EQ(memory()->locate(block).owner, domain_);
  mod_free_all(&module);
  take_faults();
}

TEST_F(CDomains, DoNotPassTheirLimits) {
  std::size_t held = 0;
  while (rmalloc(SOF_MEM_FLAG_USER, 1000) != nullptr) {
    held += 1000;
  }
  EXPECT_LE(held, kLimit);
  EXPECT_GT(held, kLimit / 2);
  EXPECT_NE(modmem_set_limit(heap_of(domain_), 0), 0);
  EXPECT_NE(modmem_set_limit(nullptr, 0), 0);
  EXPECT_EQ(rmalloc(SOF_MEM_FLAG_USER, 1000), nullptr);
  // What it makes for itself is below it.
  k_heap* heap = modmem_heap_create("private", 0);
  ASSERT_NE(heap, nullptr);
  EXPECT_EQ(sof_heap_alloc(heap, SOF_MEM_FLAG_USER, 2000, 0), nullptr);
  EXPECT_EQ(modmem_heap_destroy(heap), 0);
  memory()->enter_domain(nullptr);
  void* other = rmalloc(SOF_MEM_FLAG_USER, 1000);
  EXPECT_NE(other, nullptr);
  rfree(other);
  memory()->release_all(*domain_);
}

TEST_F(CDomains, AreRefusedSizesAndAlignmentsThatMakeNoSense) {
  for (const std::size_t bytes : {SIZE_MAX, SIZE_MAX - 15, SIZE_MAX / 2}) {
    EXPECT_EQ(rmalloc(SOF_MEM_FLAG_USER, bytes), nullptr);
    EXPECT_EQ(rballoc_align(SOF_MEM_FLAG_USER, bytes, 4096), nullptr);
  }
  for (const std::uint32_t alignment : {3U, 48U, 0x80000000U}) {
    EXPECT_EQ(rmalloc_align(SOF_MEM_FLAG_USER, 16, alignment), nullptr);
  }
  EXPECT_EQ(domain_->tree, 0U);
  EXPECT_TRUE(take_faults().empty());
}

TEST_F(CDomains, DoNotEndOthersHeaps) {
  memory()->enter_domain(nullptr);
  k_heap* heap = modmem_heap_create("kernel's", 0);
  ASSERT_NE(heap, nullptr);
  memory()->enter_domain(domain_);
  EXPECT_EQ(modmem_heap_destroy(heap), -EINVAL);
  EXPECT_EQ(take_faults().size(), 1U);
  EXPECT_EQ(modmem_heap_premap(heap, 1, 1), -EINVAL);
  memory()->enter_domain(nullptr);
  EXPECT_EQ(modmem_heap_destroy(heap), 0);
}

TEST_F(CDomains, DoNotUseOthersRegions) {
  memory()->enter_domain(nullptr);
  vregion* region = vregion_create(8192);
  ASSERT_NE(region, nullptr);
  memory()->enter_domain(domain_);
  EXPECT_EQ(vregion_get(region), nullptr);
  expect_refused("vregion_get", region);
  EXPECT_EQ(vregion_put(region), nullptr);
  expect_refused("vregion_put", region);
  EXPECT_EQ(vregion_alloc(region, 100), nullptr);
  expect_refused("vregion_alloc", region);
  memory()->enter_domain(nullptr);
  EXPECT_EQ(vregion_put(region), nullptr);
  EXPECT_TRUE(take_faults().empty());
}

TEST_F(CDomains, TakePagesOfTheirOwn) {
  auto* pages = static_cast<std::uint8_t*>(vpage_alloc(2));
  ASSERT_NE(pages, nullptr);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(pages) % config::kPageBytes, 0U);
  EXPECT_EQ(domain_->tree, 2 * config::kPageBytes);
  pages[2 * config::kPageBytes - 1] = 1;
  void* more = vpage_alloc(1);
  ASSERT_NE(more, nullptr);
  EXPECT_EQ(domain_->first_child->next_sibling, nullptr);  // the same account
  EXPECT_EQ(vpage_alloc(2), nullptr);                      // beyond the limit
  memory()->enter_domain(other_);
  vpage_free(pages);
  expect_refused("vpage_free", pages, "other");
  void* others = vpage_alloc(1);
  ASSERT_NE(others, nullptr);
  EXPECT_EQ(other_->tree, config::kPageBytes);
  vpage_free(others);
  memory()->enter_domain(domain_);
  EXPECT_EQ(modmem_heap_destroy(heap_of(domain_->first_child)), -EINVAL);
  EXPECT_EQ(take_faults().size(), 1U);
  vpage_free(pages);
  // The system frees what is a domain's.
  memory()->enter_domain(nullptr);
  vpage_free(more);
  EXPECT_TRUE(take_faults().empty());
  EXPECT_EQ(domain_->tree, 0U);
  void* block = memory()->allocate({domain_, 100, 0, SOF_MEM_FLAG_USER, MODMEM_HERE});
  vpage_free(block);  // but nothing else there
  EXPECT_EQ(take_faults().size(), 1U);
  memory()->free(block);
}

TEST_F(CDomains, HaveHandlersOfTheirOwn) {
  comp_data_blob_handler* own = comp_data_blob_handler_new(nullptr);
  ASSERT_NE(own, nullptr);
  ASSERT_NE(domain_->first_child, nullptr);
  memory()->enter_domain(other_);
  comp_data_blob_handler_free(own);
  expect_refused("comp_data_blob_handler_free", own, "other");
  comp_data_blob_handler* others = comp_data_blob_handler_new(nullptr);
  ASSERT_NE(others, nullptr);
  ASSERT_NE(other_->first_child, nullptr);
  // That one of them ends, or is stopped, is nothing to the other one.
  memory()->enter_domain(nullptr);
  comp_data_blob_handler* systems = comp_data_blob_handler_new(nullptr);
  ASSERT_NE(systems, nullptr);
  current_system()->modules.abandon_below(*domain_);
  EXPECT_EQ(domain_->first_child, nullptr);
  memory()->enter_domain(other_);
  EXPECT_EQ(comp_init_data_blob(others, 100, nullptr), 0);
  comp_data_blob_handler_free(others);
  EXPECT_EQ(other_->first_child, nullptr);
  ASSERT_NE(comp_data_blob_handler_new(nullptr), nullptr);
  memory()->enter_domain(nullptr);
  EXPECT_NE(current_system()->modules.close_below(*other_), 0U);
  EXPECT_EQ(other_->first_child, nullptr);
  comp_data_blob_handler_free(systems);
  EXPECT_TRUE(modmem_check(true));
}

int calls_of_free = 0;
jmp_buf way_back;

TEST_F(CDomains, AreAbandonedWithoutACallOfTheirModules) {
  comp_data_blob_handler* handler = comp_data_blob_handler_new_ext(
      nullptr, false, [](std::size_t bytes) { return rmalloc(SOF_MEM_FLAG_USER, bytes); },
      [](void* block) {
        ++calls_of_free;
        rfree(block);
      });
  ASSERT_NE(handler, nullptr);
  ASSERT_EQ(comp_init_data_blob(handler, 100, nullptr), 0);
  EXPECT_NE(domain_->tree, 0U);
  // Another one is stopped in the function that frees, and stays half ended.
  comp_data_blob_handler* half = comp_data_blob_handler_new_ext(
      nullptr, false, [](std::size_t bytes) { return rmalloc(SOF_MEM_FLAG_USER, bytes); },
      [](void* /*block*/) { longjmp(way_back, 1); });
  ASSERT_NE(half, nullptr);
  ASSERT_EQ(comp_init_data_blob(half, 100, nullptr), 0);
  if (setjmp(way_back) == 0) {
    comp_data_blob_handler_free(half);
    ADD_FAILURE() << "it was not stopped";
  }
  memory()->enter_domain(nullptr);
  current_system()->modules.abandon_below(*domain_);
  EXPECT_EQ(calls_of_free, 0);
  memory()->release_all(*domain_);
  EXPECT_EQ(domain_->tree, 0U);
}

TEST_F(CDomains, KeepWhatIsTheKernelsOutOfHeapsThatTheyMake) {
  k_heap* heap = modmem_heap_create("private", 0);
  ASSERT_NE(heap, nullptr);
  void* block = sof_heap_alloc(heap, SOF_MEM_FLAG_USER, 100, 0);
  void* kernel = sof_heap_alloc(heap, SOF_MEM_FLAG_KERNEL, 100, 0);
  ASSERT_TRUE(block != nullptr && kernel != nullptr);
  EXPECT_EQ(memory()->locate(block).owner, domain_);
  EXPECT_NE(memory()->locate(kernel).owner, domain_);
  sof_heap_free(heap, block);
  memory()->enter_domain(nullptr);
  sof_heap_free(heap, kernel);
  memory()->enter_domain(domain_);
  EXPECT_EQ(modmem_heap_destroy(heap), 0);
  EXPECT_TRUE(take_faults().empty());
}

TEST_F(CDomains, EndWithAModuleThatWasStoppedInACall) {
  static const std::uint8_t kTable[100] = {1};
  processing_module module{};
  mod_resource_init(&module);
  const mod_alloc_ctx context{.heap = heap_of(domain_), .vreg = nullptr};
  ASSERT_EQ(modmem_module_set_ctx(&module, &context), 0);
  ASSERT_NE(mod_fast_get(&module, kTable, sizeof(kTable)), nullptr);
  ASSERT_NE(mod_alloc(&module, 100), nullptr);
  CSystem& system = *current_system();
  EXPECT_EQ(mod_fast_get(&module, kTable + 1, std::size_t{1} << 40), nullptr);  // nor is it read
  take_lines();
  EXPECT_EQ(system.copies.copies(), 1U);
  // A call that does not come to its end.
  ModuleAccounts::keep(system.modules.find(*modmem_module_resources(&module)));
  system.modules.abandon_below(*domain_);
  EXPECT_EQ(system.copies.copies(), 0U);
  EXPECT_EQ(domain_->tree, 0U);
  EXPECT_EQ(domain_->first_child, nullptr);
  system.modules.abandon_below(*domain_);  // there is none
  EXPECT_TRUE(modmem_check(true));
}

}  // namespace
}  // namespace modmem
