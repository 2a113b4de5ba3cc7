// The C functions on a system that somebody lends: who may, what happens where memory, records or
// another thread get in between, and what the lines about it say.

#include <modmem/module.h>
#include <rtos/alloc.h>
#include <rtos/cache.h>
#include <sof/audio/data_blob.h>
#include <sof/lib/regions_mm.h>
#include <sof/lib/vpage.h>
#include <sof/lib/vregion.h>
#include <sof/objpool.h>

#include <cerrno>

#include "capi/lent_testing.hpp"
#include "capi/pages.hpp"

namespace modmem::testing {

namespace {

class LentSystemTest : public HooksTest {
 protected:
  // A platform with room for so many owners.
  static PlatformConfig with_owners(std::uint32_t count) {
    PlatformConfig config = preset("mtl");
    config.max_owners = count;
    return config;
  }

  static struct modmem_info info() {
    struct modmem_info now {};
    EXPECT_EQ(modmem_info(&now), 0);
    return now;
  }

  // Fails the requests of these numbers, from 1, of those that follow.
  void refuse(std::size_t first, std::size_t last) {
    first_ = first;
    last_ = last;
    requests_ = 0;
    modmem_set_request_filter(
        [](std::size_t, void* self) {
          auto& test = *static_cast<LentSystemTest*>(self);
          const std::size_t number = ++test.requests_;
          return number < test.first_ || number > test.last_;
        },
        this);
  }
  void TearDown() override {
    modmem_set_request_filter(nullptr, nullptr);
    HooksTest::TearDown();
  }

 private:
  std::size_t first_ = 0;
  std::size_t last_ = 0;
  std::size_t requests_ = 0;
};

TEST_F(LentSystemTest, OneAtATime) {
  LentSystem first;
  EXPECT_EQ(current_system(), &first.system());
  EXPECT_FALSE(adopt(first.system()));
  SharedCopies copies(first.memory());
  CSystem second(first.memory(), copies, "second");
  EXPECT_FALSE(adopt(second));
  leave(second);  // it is not the one
  EXPECT_EQ(booted(), &first.system());
  EXPECT_STREQ(info().host, "test");
  EXPECT_EQ(take_boots(), 0);
  EXPECT_EQ(first.end(), 0U);
  EXPECT_EQ(booted(), nullptr);
  EXPECT_EQ(take_boots(), 1);
}

TEST_F(LentSystemTest, APoolWhoseSystemIsGoneIsEmptiedWithoutIt) {
  LentSystem lent;
  objpool_head pool{};
  ASSERT_NE(objpool_alloc(&pool, 16, 0), nullptr);
  leave(lent.system());
  objpool_prune(&pool);
  EXPECT_TRUE(list_is_empty(&pool.list));
  ASSERT_TRUE(adopt(lent.system()));
  EXPECT_EQ(lent.end(), 1U);
  EXPECT_EQ(line().find("leak: "), 0U);
}

TEST_F(LentSystemTest, L3IsNotSavedWhereThereIsNone) {
  const LentSystem lent;
  l3_heap_save();
  EXPECT_EQ(line().find("l3_heap_save: nothing was saved: no L3"), 0U);
}

// --- what there is too little of ---

TEST_F(LentSystemTest, AnAccountThatCannotBeOpenedLeavesNothing) {
  LentSystem lent(with_owners(1));  // the system
  const struct modmem_info before = info();
  processing_module module{};
  module.dev_id = 0x10001;
  mod_resource_init(&module);
  EXPECT_EQ(mod_alloc(&module, 100), nullptr);
  const std::string said = line();
  EXPECT_NE(said.find("module 0x10001"), std::string::npos) << said;
  EXPECT_NE(said.find("reason limit"), std::string::npos) << said;
  EXPECT_EQ(info().live_bytes, before.live_bytes);
  EXPECT_EQ(info().owners, before.owners);
  EXPECT_EQ(module.resources.account, nullptr);
  EXPECT_EQ(comp_data_blob_handler_new(nullptr), nullptr);
  line();
  EXPECT_EQ(vpage_alloc(1), nullptr);
  line();
  EXPECT_EQ(info().live_bytes, before.live_bytes);
  EXPECT_EQ(lent.end(), 0U);
}

TEST_F(LentSystemTest, AHandlerNeedsAnAccountAndItself) {
  LentSystem lent;
  processing_module module{};
  module.dev_id = 0x10001;
  mod_resource_init(&module);
  refuse(1, 1);
  EXPECT_EQ(comp_data_blob_handler_new(nullptr), nullptr);
  EXPECT_EQ(line().find("no memory: "), 0U);
  refuse(1, 1);
  EXPECT_EQ(mod_data_blob_handler_new(&module), nullptr);
  EXPECT_EQ(line().find("no memory: "), 0U);
  EXPECT_EQ(info().owners, 1U);
  refuse(2, 9);
  EXPECT_EQ(comp_data_blob_handler_new(nullptr), nullptr);
  EXPECT_EQ(line().find("comp_data_blob_handler_new_ext: no memory for a handler, from "), 0U);
  EXPECT_EQ(info().owners, 1U);  // nobody needs that account
  refuse(2, 9);
  EXPECT_EQ(mod_data_blob_handler_new(&module), nullptr);
  EXPECT_EQ(line().find("mod_data_blob_handler_new: no memory for a handler, module 0x10001"), 0U);
  refuse(0, 0);
  mod_free_all(&module);
  EXPECT_EQ(info().owners, 1U);
  EXPECT_EQ(info().live_bytes, 0U);
}

TEST_F(LentSystemTest, NothingIsZeroedWhereThereIsNoMemory) {
  LentSystem lent;
  processing_module module{};
  mod_resource_init(&module);
  refuse(1, 9);
  EXPECT_EQ(mod_zalloc(&module, 100), nullptr);
  line();
  EXPECT_EQ(rzalloc(0, 100), nullptr);
  line();
}

// --- modules that are not what their struct says ---

TEST_F(LentSystemTest, AModuleWhoseStructWasClearedHoldsNothing) {
  LentSystem lent;
  processing_module module{};
  mod_resource_init(&module);
  ASSERT_NE(mod_alloc(&module, 100), nullptr);
  module.resources = {};
  mod_free_all(&module);  // of somebody who was there before
  EXPECT_EQ(info().owners, 2U);
  EXPECT_EQ(module_adapter_heap_usage(&module, nullptr), 0U);
  ASSERT_NE(mod_alloc(&module, 30), nullptr);
  EXPECT_EQ(line().find("leak: 100 bytes"), 0U);
  EXPECT_EQ(module_adapter_heap_usage(&module, nullptr), 30U);
  mod_free_all(&module);
  EXPECT_EQ(info().owners, 1U);
}

TEST_F(LentSystemTest, AHandlerIsFoundInWhateverAccountItIs) {
  LentSystem lent;
  processing_module modules[3] = {};
  comp_data_blob_handler* handlers[3] = {};
  for (int i = 0; i < 3; ++i) {
    mod_resource_init(&modules[i]);
    handlers[i] = mod_data_blob_handler_new(&modules[i]);
    ASSERT_NE(handlers[i], nullptr);
  }
  comp_data_blob_handler* nobodys = comp_data_blob_handler_new(nullptr);
  comp_data_blob_handler* kept = comp_data_blob_handler_new(nullptr);
  ASSERT_TRUE(nobodys != nullptr && kept != nullptr);
  for (comp_data_blob_handler* handler : {handlers[0], handlers[2], handlers[1], nobodys}) {
    comp_data_blob_handler_free(handler);
    comp_data_blob_handler_free(handler);  // is in none any more
    EXPECT_EQ(fault().function, "comp_data_blob_handler_free");
  }
  EXPECT_EQ(info().owners, 5U);
  comp_data_blob_handler_free(kept);
  EXPECT_EQ(info().owners, 4U);
  for (processing_module& module : modules) {
    mod_free_all(&module);
  }
}

// --- another thread in between ---

TEST_F(LentSystemTest, TwoThreadsThatOpenAnAccountShareIt) {
  int step = 0;
  for (bool more = true; more; ++step) {
    LentSystem lent;
    processing_module module{};
    mod_resource_init(&module);
    void* others = nullptr;
    lent.port().interrupt_after(step, [&] { others = mod_alloc(&module, 50); });
    EXPECT_NE(mod_alloc(&module, 100), nullptr) << step;
    more = !lent.port().never_interrupted();
    EXPECT_EQ(others != nullptr, more) << step;
    EXPECT_EQ(module_adapter_heap_usage(&module, nullptr), more ? 150U : 100U) << step;
    EXPECT_EQ(info().owners, 2U) << step;
    mod_free_all(&module);
    EXPECT_EQ(info().owners, 1U) << step;
    EXPECT_EQ(info().live_bytes, 0U) << step;
    EXPECT_EQ(lent.end(), 0U) << step;
  }
  EXPECT_GT(step, 3);
}

TEST_F(LentSystemTest, TwoThreadsThatMakeTheFirstHandlersShareTheirAccount) {
  int step = 0;
  for (bool more = true; more; ++step) {
    LentSystem lent;
    comp_data_blob_handler* others = nullptr;
    lent.port().interrupt_after(step, [&] { others = comp_data_blob_handler_new(nullptr); });
    comp_data_blob_handler* mine = comp_data_blob_handler_new(nullptr);
    more = !lent.port().never_interrupted();
    EXPECT_EQ(others != nullptr, more) << step;
    EXPECT_EQ(info().owners, 2U) << step;
    comp_data_blob_handler_free(mine);
    EXPECT_EQ(info().owners, more ? 2U : 1U) << step;
    comp_data_blob_handler_free(others);
    EXPECT_EQ(info().owners, 1U) << step;
    EXPECT_EQ(lent.end(), 0U) << step;
  }
  EXPECT_GT(step, 3);
}

TEST_F(LentSystemTest, TwoThreadsThatTakeTheFirstPagesShareTheirHeap) {
  int step = 0;
  for (bool more = true; more; ++step) {
    LentSystem lent;
    void* others = nullptr;
    lent.port().interrupt_after(step, [&] { others = vpage_alloc(1); });
    void* mine = vpage_alloc(2);
    more = !lent.port().never_interrupted();
    EXPECT_NE(mine, nullptr) << step;
    EXPECT_EQ(others != nullptr, more) << step;
    EXPECT_EQ(info().owners, 2U) << step;
    struct modmem_heap_info pages {};
    EXPECT_EQ(modmem_named_heap_info("pages", &pages), 0) << step;
    EXPECT_EQ(pages.live_bytes, (more ? 3U : 2U) * config::kPageBytes) << step;
    vpage_free(mine);
    vpage_free(others);
    EXPECT_EQ(lent.end(), 0U) << step;
  }
  EXPECT_GT(step, 3);
}

// --- handles and ranges ---

TEST_F(LentSystemTest, OnlyPrivateHeapsAreDestroyed) {
  LentSystem lent;
  void* page = vpage_alloc(1);
  vregion* region = vregion_create(4096);
  ASSERT_TRUE(page != nullptr && region != nullptr);
  auto* pages = reinterpret_cast<k_heap*>(pages_below(lent.memory().system()));
  ASSERT_NE(pages, nullptr);
  for (k_heap* none : {pages, reinterpret_cast<k_heap*>(region), static_cast<k_heap*>(nullptr)}) {
    EXPECT_EQ(modmem_heap_destroy(none), -EINVAL);
    EXPECT_EQ(fault().pointer, none);
  }
  EXPECT_EQ(info().owners, 3U);
  EXPECT_EQ(vregion_put(region), nullptr);
  vpage_free(page);
}

TEST_F(LentSystemTest, PagesThatNobodyTookAreNotFreed) {
  const LentSystem lent;
  int local = 0;
  vpage_free(&local);
  const SeenFault seen = fault();
  EXPECT_EQ(seen.kind, MODMEM_FAULT_FOREIGN);
  EXPECT_EQ(seen.function, "vpage_free");
  EXPECT_TRUE(seen.fatal);
  EXPECT_EQ(info().owners, 1U);  // nothing was made for it
}

TEST_F(LentSystemTest, AModuleThatNobodyManagesIsAnybodys) {
  const LentSystem lent;
  processing_module module{};
  module.resources.check_thread = 1;
  ASSERT_NE(mod_alloc(&module, 100), nullptr);
  module.resources.manager = 2;  // the port's thread is 1
  EXPECT_EQ(mod_alloc(&module, 100), nullptr);
  EXPECT_EQ(fault().kind, MODMEM_FAULT_THREAD);
  EXPECT_EQ(module_adapter_heap_usage(&module, nullptr), 0U);
  EXPECT_EQ(fault().kind, MODMEM_FAULT_THREAD);
  module.resources.manager = 1;
  EXPECT_EQ(module_adapter_heap_usage(&module, nullptr), 100U);
  mod_free_all(&module);
}

TEST_F(LentSystemTest, AHeapWithoutAName) {
  const LentSystem lent;
  k_heap* heap = modmem_heap_create(nullptr, 0);
  struct modmem_heap_info heap_info {};
  ASSERT_EQ(modmem_heap_info(heap, &heap_info), 0);
  EXPECT_STREQ(heap_info.name, "heap");
  EXPECT_EQ(modmem_heap_destroy(heap), 0);
}

TEST_F(LentSystemTest, NothingIsSaidAboutNothing) {
  const LentSystem lent;
  struct modmem_heap_info heap {};
  EXPECT_EQ(modmem_heap_info(nullptr, nullptr), -EINVAL);
  EXPECT_EQ(modmem_vregion_heap_info(nullptr, &heap), -EINVAL);
  EXPECT_EQ(modmem_vmh_heap_info(nullptr, &heap), -EINVAL);
  EXPECT_EQ(modmem_named_heap_info(nullptr, &heap), -EINVAL);
  EXPECT_EQ(modmem_named_heap_info("system", nullptr), -EINVAL);
  EXPECT_EQ(modmem_named_heap_info("none", &heap), -ENOENT);
  EXPECT_EQ(modmem_info(nullptr), -EINVAL);
  EXPECT_EQ(modmem_usable_size(nullptr), 0U);
  EXPECT_EQ(modmem_l3_check(nullptr), -EINVAL);
  EXPECT_EQ(modmem_largest_request(nullptr, 0, 3), 0U);
  EXPECT_EQ(line().find("modmem_largest_request: alignment 3 bytes is no power of two"), 0U);
  vmh_log_stats(nullptr);
}

TEST_F(LentSystemTest, RangesThatNoAddressEndsAreNoRanges) {
  const LentSystem lent;
  auto* block = static_cast<unsigned char*>(rmalloc(0, 100));
  ASSERT_NE(block, nullptr);
  block[0] = 5;
  dcache_invalidate_region(block, SIZE_MAX);       // with a line more
  dcache_invalidate_region(block, SIZE_MAX - 64);  // from there
  dcache_invalidate_region(block, 0);
  EXPECT_EQ(block[0], 5);
  rfree(block);
}

TEST_F(LentSystemTest, BundlesThatAreNone) {
  const LentSystem lent;
  vmh_heap_config config{};
  config.block_bundles_table[0] = {0, 64};
  config.block_bundles_table[1] = {64, 0};
  EXPECT_EQ(vmh_init_heap(&config, false), nullptr);
  EXPECT_EQ(line().find("vmh_init_heap: no bundle has blocks, from "), 0U);
  config.block_bundles_table[2] = {1, config::kPageBytes};
  EXPECT_EQ(vmh_init_heap(&config, false), nullptr);
  EXPECT_EQ(line().find("vmh_init_heap: a block size is too small, from "), 0U);
  config.block_bundles_table[2] = {64, config::kPageBytes / 64};
  vmh_heap* heap = vmh_init_heap(&config, false);
  ASSERT_NE(heap, nullptr);
  EXPECT_EQ(vmh_free_heap(heap), 0);
}

// --- what lines say ---

TEST_F(LentSystemTest, PlacesOfThePlatformsAreNamedAsTheyAreKnown) {
  LentSystem lent;
  int foreign = 0;
  rfree(&foreign);
  EXPECT_NE(lines_.at(0).find(", from 0x"), std::string::npos);  // the address itself
  fault();
  set_code_name("image+0x10");
  rfree(&foreign);
  EXPECT_NE(lines_.at(0).find(", from image+0x10"), std::string::npos);
  fault();
  EXPECT_EQ(lent.memory().allocate({nullptr, std::size_t{1} << 28, 0, 0, {"gain.c", 12}}), nullptr);
  EXPECT_NE(line().find(", from gain.c:12"), std::string::npos);
}

TEST_F(LentSystemTest, LongNamesAreCutInReportsOfMisuse) {
  const LentSystem lent;
  k_heap* heap = modmem_heap_create("a heap with a name that no report has room for", 0);
  auto* block = static_cast<char*>(sof_heap_alloc(heap, 0, 100, 0));
  ASSERT_NE(block, nullptr);
  sof_heap_free(heap, block + 16);
  const SeenFault seen = fault();
  EXPECT_EQ(seen.kind, MODMEM_FAULT_INTERIOR);
  EXPECT_EQ(seen.heap, "a heap with a name that no repo");
  sof_heap_free(heap, block);
  EXPECT_EQ(modmem_heap_destroy(heap), 0);
}

TEST_F(LentSystemTest, DamageToWhatWasSavedIsOneLine) {
  LentSystem lent;
  Fault fault;
  fault.status = PointerStatus::foreign;
  lent.reporter().on_fault(fault);  // whoever was misused says that
  fault.status = PointerStatus::damaged;
  fault.pointer = &fault;
  lent.reporter().on_fault(fault);
  EXPECT_EQ(
      line().find("l3: what was saved is damaged, or another image's, and not used, header 0x"),
      0U);
  fault.bytes = 100;
  fault.owner_kind = OwnerKind::module;
  fault.owner_id = 0x10001;
  fault.site = {"gain.c", 12};
  lent.reporter().on_fault(fault);
  const std::string said = line();
  EXPECT_EQ(said.find("l3: damaged while the power was off: 0x"), 0U);
  EXPECT_NE(said.find(", 100 bytes, owner module 0x10001, from gain.c:12"), std::string::npos);
}

// A place is a name and a line. Those that are not among the first of a second share a count.
TEST_F(LentSystemTest, FailuresAreCountedByPlace) {
  LentSystem lent;
  Failure failure;
  failure.owner_name = "system";
  const auto fail = [&](std::uint32_t place, std::uint32_t times) {
    for (std::uint32_t i = 0; i < times; ++i) {
      failure.site = {"gain.c", place + 1};
      lent.reporter().on_failure(failure);
    }
    return std::exchange(lines_, {}).size();
  };
  for (std::uint32_t place = 0; place < Reporter::kSites; ++place) {
    EXPECT_EQ(fail(place, Reporter::kFailuresASecond + 1), Reporter::kFailuresASecond);
  }
  EXPECT_EQ(fail(Reporter::kSites, 3), 3U);
  EXPECT_EQ(fail(Reporter::kSites + 1, 20), Reporter::kFailuresASecond - 3U);
  failure.site = {"mixer.c", 1};  // a line of another file
  lent.reporter().on_failure(failure);
  EXPECT_TRUE(lines_.empty());
  lent.fake().set_time_us(1000000);
  lent.reporter().on_failure(failure);
  ASSERT_EQ(lines_.size(), 2U);
  EXPECT_EQ(lines_[0], "no memory: 30 more failures were not logged");
  EXPECT_NE(lines_[1].find("mixer.c:1"), std::string::npos);
  lines_.clear();
}

}  // namespace

}  // namespace modmem::testing
