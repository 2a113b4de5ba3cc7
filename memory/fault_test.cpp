// Misuse: every pointer that is not the start of a live block is refused, reported, and changes
// nothing; and every address is located.

#include <gtest/gtest.h>

#include <string>

#include "memory/testing/test_system.hpp"

namespace modmem {
namespace {

using testing::figures;
using testing::preset;
using testing::TestSystem;

constexpr std::size_t kPage = config::kPageBytes;

struct Platform {
  const char* name;
  const Policy* policy;
};

class MemoryFault : public ::testing::TestWithParam<Platform> {
 protected:
  std::byte* allocate(std::size_t bytes, Flags flags = 0, Owner* owner = nullptr) {
    return static_cast<std::byte*>(
        memory_.allocate({owner != nullptr ? owner : &module_, bytes, 0, flags, MODMEM_HERE}));
  }
  // One heap for all owners, which is there as long as the system.
  bool one_heap() const { return GetParam().policy->pipeline == HeapKind::none; }
  bool has_mmu() const { return system_.config().has_mmu; }
  std::string heap_name() const { return one_heap() ? "system" : "pipeline"; }

  // Frees, reallocates and measures `pointer`: each must refuse it as `status`, name that and
  // `heap`, and change nothing.
  void expect_fault(void* pointer, PointerStatus status, const std::string& heap,
                    const Owner* owner = nullptr) {
    const auto before = figures(system_);
    seen_.faults.clear();
    EXPECT_EQ(memory_.free(pointer, owner), status);
    expect_report(pointer, status, heap, owner);
    if (owner == nullptr) {
      seen_.faults.clear();
      EXPECT_EQ(memory_.reallocate(pointer, {&module_, 100, 0, 0, MODMEM_HERE}), nullptr);
      expect_report(pointer, status, heap, &module_);
      EXPECT_EQ(memory_.usable_size(pointer), 0U);
    }
    EXPECT_TRUE(seen_.failures.empty());
    EXPECT_EQ(figures(system_), before);
    EXPECT_TRUE(system_.check());
  }

  void expect_report(const void* pointer, PointerStatus status, const std::string& heap,
                     const Owner* who) {
    ASSERT_EQ(seen_.faults.size(), 1U);
    const Fault& fault = seen_.faults[0];
    EXPECT_EQ(fault.pointer, pointer);
    EXPECT_EQ(fault.status, status) << to_string(fault.status);
    EXPECT_EQ(fault.heap, heap);
    const Owner* owner = who != nullptr ? who : owner_of_heap(heap);
    if (owner != nullptr) {
      EXPECT_EQ(fault.owner_kind, owner->spec.kind);
      EXPECT_EQ(fault.owner_id, owner->spec.id);
      EXPECT_STREQ(fault.owner_name, owner->spec.name);
    } else {
      EXPECT_STREQ(fault.owner_name, "");
    }
  }

  const Owner* owner_of_heap(const std::string& heap) {
    return heap == "pipeline" ? &pipeline_ : heap.empty() ? nullptr : &memory_.system();
  }

  TestSystem system_{preset(GetParam().name), *GetParam().policy};
  Memory& memory_ = system_.memory();
  Owner& pipeline_ = system_.pipeline();
  Owner& module_ = system_.module(pipeline_, 0x10001);
  Owner& other_ = system_.module(pipeline_, 0x10002);
  testing::NotingObserver& seen_ = system_.seen();
};

INSTANTIATE_TEST_SUITE_P(
    Platforms, MemoryFault,
    ::testing::Values(Platform{"mtl", &kElasticPolicy}, Platform{"mtl", &kSinglePolicy},
                      Platform{"mtl", &kSlotsPolicy}, Platform{"mtl", &kSlotsModulesPolicy},
                      Platform{"mtl", &kSlotsAllPolicy}, Platform{"mcu", &kElasticPolicy},
                      Platform{"mcu", &kSinglePolicy}),
    [](const auto& test) {
      return testing::test_name(std::string(test.param.name) + "_" + test.param.policy->name);
    });

TEST_P(MemoryFault, PointersIntoABlock) {
  std::byte* block = allocate(3 * kPage + 100);
  for (const std::size_t offset :
       {std::size_t{1}, std::size_t{16}, kPage - 1, kPage, 2 * kPage, 3 * kPage, 3 * kPage + 99}) {
    expect_fault(block + offset, PointerStatus::interior, heap_name());
  }
  std::byte* small = allocate(40);
  expect_fault(small + 16, PointerStatus::interior, heap_name());
  expect_fault(small + 1, PointerStatus::interior, heap_name());
  EXPECT_EQ(memory_.free(block), PointerStatus::live);
}

TEST_P(MemoryFault, DoubleFreeOfASmallBlock) {
  std::byte* keeps_the_page = allocate(40);
  std::byte* block = allocate(40);
  EXPECT_EQ(memory_.free(block), PointerStatus::live);
  expect_fault(block, PointerStatus::not_live, heap_name());
  EXPECT_EQ(memory_.free(keeps_the_page), PointerStatus::live);
}

TEST_P(MemoryFault, DoubleFreeOfABlockWhosePagesAreGone) {
  for (const std::size_t bytes : {std::size_t{40}, 5 * kPage, 40 * kPage}) {
    for (const Flags flags : {Flags{0}, flag::kCoherent}) {
      std::byte* block = allocate(bytes, flags);
      ASSERT_NE(block, nullptr);
      EXPECT_EQ(memory_.free(block), PointerStatus::live);
      // Without an MMU, and in a span that went with the block, the page is nobody's now.
      const HeapReport heap = memory_.locate(block);
      expect_fault(block, PointerStatus::not_live, heap.name != nullptr ? heap.name : "");
      if (bytes == 40 && (has_mmu() || one_heap())) {
        EXPECT_EQ(heap.name, heap_name());
      }
    }
  }
}

TEST_P(MemoryFault, BlocksOfADestroyedOwner) {
  Owner& pipeline = system_.pipeline(2);
  std::byte* block = allocate(40, 0, &pipeline);
  EXPECT_EQ(memory_.destroy_owner(pipeline), 1U);
  seen_.leaks.clear();
  expect_fault(block, PointerStatus::not_live, one_heap() ? "system" : "");
}

TEST_P(MemoryFault, NeverAllocated) {
  std::byte* block = allocate(40);
  // In the same page, and behind it on a line of its own.
  expect_fault(block + 128, PointerStatus::not_live, heap_name());
  expect_fault(block + 129, PointerStatus::not_live, heap_name());
}

TEST_P(MemoryFault, PointersThatAreNoneOfOurs) {
  int local = 0;
  static int global;
  auto heap = std::make_unique<int>(0);
  expect_fault(&local, PointerStatus::foreign, "");
  expect_fault(&global, PointerStatus::foreign, "");
  expect_fault(heap.get(), PointerStatus::foreign, "");
  std::byte* window = system_.port().window();
  const std::size_t bytes = system_.port().host().window_bytes();
  expect_fault(window - 1, PointerStatus::foreign, "");
  expect_fault(window + bytes, PointerStatus::foreign, "");
  if (has_mmu()) {
    expect_fault(window + system_.port().alias_offset() - 1, PointerStatus::foreign, "");
    expect_fault(window + system_.port().alias_offset() + bytes, PointerStatus::foreign, "");
  }
  // NOLINTNEXTLINE(performance-no-int-to-ptr): any bit pattern may be given back.
  expect_fault(reinterpret_cast<void*>(~std::uintptr_t{0}), PointerStatus::foreign, "");
  // NOLINTNEXTLINE(performance-no-int-to-ptr)
  expect_fault(reinterpret_cast<void*>(std::uintptr_t{16}), PointerStatus::foreign, "");
}

TEST_P(MemoryFault, PointersIntoMetadata) {
  ASSERT_NE(allocate(40), nullptr);
  const AddressSpace& space = memory_.space();
  std::size_t pages = 0;
  for (std::uint32_t page = 0; page < space.window_pages(); ++page) {
    std::byte* address = space.address_of(page);
    if (std::string("metadata") == std::string(system_.heap_of(address).kind) &&
        space.is_mapped(page)) {
      ++pages;
      expect_fault(address, PointerStatus::foreign, "metadata");
      expect_fault(address + 64, PointerStatus::foreign, "metadata");
      expect_fault(space.to_uncached(address), PointerStatus::foreign, "metadata");
    }
  }
  EXPECT_EQ(pages * kPage, system_.heap("metadata").mapped_bytes);
}

TEST_P(MemoryFault, AnotherOwnersBlock) {
  for (const Flags flags : {Flags{0}, flag::kShared, flag::kCoherent}) {
    std::byte* block = allocate(40, flags);
    const std::string heap = system_.heap_of(block).name;
    expect_fault(block, PointerStatus::foreign, heap, &other_);
    expect_fault(block, PointerStatus::foreign, heap, &pipeline_);
    expect_fault(block, PointerStatus::foreign, heap, &memory_.system());
    EXPECT_EQ(memory_.free(block, &module_), PointerStatus::live);
  }
}

TEST_P(MemoryFault, EveryKindThroughTheUncachedAlias) {
  if (!has_mmu()) {
    return;
  }
  std::byte* block = allocate(100);
  std::byte* alias = memory_.space().to_uncached(block);
  expect_fault(alias + 1, PointerStatus::interior, heap_name());
  expect_fault(alias, PointerStatus::foreign, heap_name(), &other_);
  ASSERT_NE(allocate(100), nullptr);
  EXPECT_EQ(memory_.free(alias), PointerStatus::live);
  expect_fault(alias, PointerStatus::not_live, heap_name());
}

TEST_P(MemoryFault, MisuseWithoutAnObserver) {
  const PlatformConfig config = preset(GetParam().name);
  testing::CheckingPort port(config);
  const testing::ArenaMemory arena(Memory::arena_bytes(config, port));
  Memory memory;
  ASSERT_TRUE(memory.boot(config, *GetParam().policy, port, nullptr, arena.span()));
  int local = 0;
  EXPECT_EQ(memory.free(&local), PointerStatus::foreign);
  EXPECT_EQ(memory.allocate({nullptr, SIZE_MAX / 2, 0, 0, {}}), nullptr);
  Owner* owner = memory.create_owner(memory.system(), {});
  ASSERT_NE(memory.allocate({owner, 10, 0, 0, {}}), nullptr);
  EXPECT_EQ(memory.destroy_owner(*owner), 1U);
  EXPECT_EQ(memory.shutdown(), 0U);
}

TEST_P(MemoryFault, LocateNamesHeapAndOwnerOfAnyAddress) {
  std::byte* block = allocate(2 * kPage);
  std::byte* kernel = allocate(10, flag::kKernel);
  for (std::byte* address : {block, block + 1, block + kPage, memory_.space().to_uncached(block)}) {
    const HeapReport heap = memory_.locate(address);
    EXPECT_EQ(heap.name, heap_name());
    EXPECT_EQ(heap.owner, one_heap() ? &memory_.system() : &pipeline_);
    EXPECT_STREQ(heap.kind, to_string(GetParam().policy->system));
  }
  EXPECT_STREQ(memory_.locate(kernel).name, "system");
  EXPECT_EQ(memory_.locate(&block).name, nullptr);
  EXPECT_EQ(memory_.locate(nullptr).name, nullptr);
  EXPECT_EQ(memory_.locate(system_.port().window() - 1).name, nullptr);
  // An overrun into a page that is not mapped is still the heap's, where that has a span.
  if (has_mmu() && !one_heap()) {
    EXPECT_EQ(memory_.locate(block + 10 * kPage).name, heap_name());
  }
}

TEST_P(MemoryFault, LocateTakesNoLock) {
  std::byte* block = allocate(10);
  const LockGuard held(system_.port());
  EXPECT_EQ(memory_.locate(block).name, heap_name());
}

}  // namespace
}  // namespace modmem
