// A failure is explained: the reason, and figures that are true.

#include "memory/failure.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include "memory/testing/test_system.hpp"

namespace modmem {
namespace {

using testing::figures;
using testing::small_platform;
using testing::TestSystem;

constexpr std::size_t kPage = config::kPageBytes;

struct Platform {
  const char* name;
  bool has_mmu;
  const Policy* policy;
};

class MemoryFailure : public ::testing::TestWithParam<Platform> {
 protected:
  void* allocate(Owner& owner, std::size_t bytes, std::size_t alignment = 0, Flags flags = 0) {
    return memory_.allocate({&owner, bytes, alignment, flags, MODMEM_HERE});
  }
  bool fixed() const { return GetParam().policy->system == HeapKind::fixed; }
  std::size_t unit() const {
    return fixed() ? system_.config().cache_line_bytes : config::kGranuleBytes;
  }
  // Blocks of a page each until no more fit.
  std::vector<void*> fill_with_pages(Owner& owner) {
    std::vector<void*> pages;
    while (void* page = allocate(owner, kPage)) {
      pages.push_back(page);
    }
    return pages;
  }

  // Makes a request that must fail for `reason`, and holds every figure of the explanation against
  // what can be seen.
  Failure expect_failure(const Request& request, FailureReason reason) {
    const auto before = figures(system_);
    const std::uint64_t failures = request.owner->failures;
    system_.seen().failures.clear();
    EXPECT_EQ(memory_.allocate(request), nullptr);
    EXPECT_EQ(figures(system_), before);
    EXPECT_EQ(request.owner->failures, failures + 1);
    EXPECT_TRUE(system_.check());
    EXPECT_EQ(system_.seen().failures.size(), 1U);
    const Failure failure = system_.seen().failures.back();
    EXPECT_EQ(failure.reason, reason);
    EXPECT_EQ(failure.owner_kind, request.owner->spec.kind);
    EXPECT_EQ(failure.owner_id, request.owner->spec.id);
    EXPECT_STREQ(failure.owner_name, request.owner->spec.name);
    EXPECT_EQ(failure.bytes, request.bytes);
    EXPECT_EQ(failure.flags, request.flags);
    EXPECT_GE(failure.alignment, request.alignment);
    EXPECT_EQ(failure.site.line, request.site.line);
    EXPECT_EQ(failure.site.where, request.site.where);
    EXPECT_LE(failure.free_bytes, memory_.pool().frames() * kPage);
    EXPECT_GE(failure.free_bytes + unit(), failure.largest_request);
    expect_top_owners(failure);
    expect_largest(request, failure.largest_request);
    return failure;
  }

  // That much succeeds, a unit more fails, and so does a byte more.
  void expect_largest(Request request, std::size_t largest) {
    EXPECT_EQ(memory_.largest_request(request), largest);
    EXPECT_LT(largest, request.bytes);
    for (const std::size_t more : {std::size_t{1}, unit(), kPage}) {
      request.bytes = largest + more;
      EXPECT_EQ(memory_.allocate(request), nullptr) << largest << " + " << more;
    }
    if (largest != 0) {
      request.bytes = largest;
      void* block = memory_.allocate(request);
      EXPECT_NE(block, nullptr) << largest;
      EXPECT_EQ(memory_.free(block), PointerStatus::live);
    }
    EXPECT_TRUE(system_.check());
  }

  void expect_top_owners(const Failure& failure) {
    std::size_t holders = 0;
    std::size_t most = 0;
    const std::function<void(const Owner&)> look = [&](const Owner& owner) {
      holders += owner.own != 0 ? 1 : 0;
      most = std::max(most, owner.own);
      for (const Owner* child = owner.first_child; child != nullptr; child = child->next_sibling) {
        look(*child);
      }
    };
    look(memory_.system());
    ASSERT_EQ(failure.top_count, std::min(holders, Failure::kTopOwners));
    for (std::size_t i = 0; i < failure.top_count; ++i) {
      EXPECT_GT(failure.top_owners[i].bytes, 0U);
      EXPECT_LE(failure.top_owners[i].bytes, i == 0 ? most : failure.top_owners[i - 1].bytes);
    }
    EXPECT_EQ(failure.top_count == 0 ? 0 : failure.top_owners[0].bytes, most);
  }

  TestSystem system_{small_platform(GetParam().has_mmu, 64), *GetParam().policy};
  Memory& memory_ = system_.memory();
  Owner& pipeline_ = system_.pipeline(0x1);
  Owner& module_ = system_.module(pipeline_, 0x10001);
};

INSTANTIATE_TEST_SUITE_P(Platforms, MemoryFailure,
                         ::testing::Values(Platform{"mmu", true, &kElasticPolicy},
                                           Platform{"mmu_single", true, &kSinglePolicy},
                                           Platform{"mcu", false, &kElasticPolicy},
                                           Platform{"mcu_single", false, &kSinglePolicy}),
                         [](const auto& test) { return test.param.name; });

TEST_P(MemoryFailure, Pool) {
  expect_failure({&module_, 100 * kPage, 0, 0, MODMEM_HERE}, FailureReason::pool);
  const std::size_t taken = fill_with_pages(module_).size();
  EXPECT_GT(taken, 40U);
  const Failure failure =
      expect_failure({&module_, 2 * kPage, 0, 0, MODMEM_HERE}, FailureReason::pool);
  EXPECT_LT(failure.free_bytes, 2 * kPage);
  expect_failure({&module_, 2 * kPage, 0, flag::kCoherent, MODMEM_HERE}, FailureReason::pool);
}

TEST_P(MemoryFailure, PoolThatIsFullToTheLastGranule) {
  // Descending sizes fill every hole that there is.
  for (std::size_t bytes = 8 * kPage; bytes >= unit(); bytes /= 2) {
    while (allocate(module_, bytes) != nullptr) {
    }
  }
  const Failure failure = expect_failure({&module_, 1, 0, 0, MODMEM_HERE}, FailureReason::pool);
  EXPECT_EQ(failure.largest_request, 0U);
}

TEST_P(MemoryFailure, Limit) {
  Owner& limited = system_.pipeline(0x2, 0, 5000);
  Owner& module = system_.module(limited, 0x20001);
  ASSERT_NE(allocate(module, 1500), nullptr);
  const Failure failure = expect_failure({&module, 3501, 0, 0, MODMEM_HERE}, FailureReason::limit);
  EXPECT_EQ(failure.largest_request, 3500U);
  EXPECT_GT(failure.free_bytes, 3501U);  // it is not memory that is missing
  // Where both are missing, the limit is what would have to be changed first.
  expect_failure({&module, 100 * kPage, 0, 0, MODMEM_HERE}, FailureReason::limit);
}

TEST_P(MemoryFailure, Guarantee) {
  if (fixed()) {
    return;  // one arena, from which nothing is guaranteed
  }
  Owner& holder = system_.pipeline(0x2, 20 * kPage);
  const Failure failure =
      expect_failure({&module_, 55 * kPage, 0, 0, MODMEM_HERE}, FailureReason::guarantee);
  EXPECT_LT(failure.free_bytes, 55 * kPage);
  EXPECT_EQ(memory_.largest_request({&module_, 1, 0, 0, {}}), failure.largest_request);
  EXPECT_GT(memory_.largest_request({&holder, 1, 0, 0, {}}), failure.largest_request);
  fill_with_pages(module_);
  expect_failure({&module_, kPage, 0, 0, MODMEM_HERE}, FailureReason::guarantee);
  EXPECT_NE(allocate(holder, 20 * kPage), nullptr);
}

TEST_P(MemoryFailure, Alignment) {
  // All but pages that are not multiples of four.
  std::vector<void*> pages = fill_with_pages(module_);
  std::size_t freed = 0;
  for (void* page : pages) {
    if (reinterpret_cast<std::uintptr_t>(page) % (4 * kPage) != 0) {
      memory_.free(page);
      ++freed;
    }
  }
  ASSERT_GT(freed, 20U);
  if (GetParam().has_mmu && !fixed()) {
    // Frames are free and pages can be had anywhere: only so much is aligned that is more than all.
    expect_failure({&module_, kPage, 64 << 20, 0, MODMEM_HERE}, FailureReason::alignment);
    return;
  }
  const Failure failure =
      expect_failure({&module_, kPage, 4 * kPage, 0, MODMEM_HERE}, FailureReason::alignment);
  EXPECT_EQ(failure.alignment, 4 * kPage);
  EXPECT_GE(failure.free_bytes, kPage);
  EXPECT_GE(memory_.largest_request({&module_, 1, 0, 0, {}}), kPage);
}

TEST_P(MemoryFailure, Fragmentation) {
  std::vector<void*> pages;
  if (GetParam().has_mmu && !fixed()) {
    // Whole pages are never fragmented here: only what lies between small blocks of one page is.
    while (void* block = allocate(module_, 512)) {
      pages.push_back(block);
    }
  } else {
    pages = fill_with_pages(module_);
  }
  for (std::size_t i = 0; i < pages.size(); i += 2) {
    memory_.free(pages[i]);
  }
  const Failure failure =
      expect_failure({&module_, 4 * kPage, 0, 0, MODMEM_HERE}, FailureReason::fragmentation);
  EXPECT_GE(failure.free_bytes, 4 * kPage);
  EXPECT_LT(failure.largest_request, 4 * kPage);
}

TEST_P(MemoryFailure, MemoryThatThePlatformLacks) {
  const Failure failure =
      expect_failure({&module_, 100, 0, flag::kL3, MODMEM_HERE}, FailureReason::unsupported);
  EXPECT_EQ(failure.free_bytes, 0U);
  EXPECT_EQ(failure.largest_request, 0U);
}

TEST_P(MemoryFailure, NamesTheLargestOwnersInOrder) {
  // Eight owners of different size, created in no order, at all levels.
  const std::size_t sizes[] = {300, 800, 100, 700, 500, 200, 600, 400};
  std::vector<Owner*> owners;
  for (std::size_t i = 0; i < std::size(sizes); ++i) {
    Owner& parent = i % 3 == 0 ? memory_.system() : i % 3 == 1 ? pipeline_ : *owners.front();
    owners.push_back(
        &system_.owner(parent, {OwnerKind::buffer, static_cast<std::uint32_t>(sizes[i]), "buffer",
                                OwnerSpec::kNoLimit, 0}));
    ASSERT_NE(allocate(*owners.back(), sizes[i]), nullptr);
  }
  const Failure failure =
      expect_failure({&module_, 100 * kPage, 0, 0, MODMEM_HERE}, FailureReason::pool);
  ASSERT_EQ(failure.top_count, 5U);
  for (std::size_t i = 0; i < 5; ++i) {
    EXPECT_EQ(failure.top_owners[i].bytes, 800 - 100 * i);
    EXPECT_EQ(failure.top_owners[i].id, 800 - 100 * i);
    EXPECT_EQ(failure.top_owners[i].kind, OwnerKind::buffer);
    EXPECT_STREQ(failure.top_owners[i].name, "buffer");
  }
}

TEST_P(MemoryFailure, IsCountedByOwnerAndHeap) {
  const std::string heap = fixed() ? "system" : "pipeline";
  const std::uint64_t before = system_.heap(heap).failures;
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(allocate(module_, 100 * kPage), nullptr);
  }
  EXPECT_EQ(system_.heap(heap).failures, before + 3);
  EXPECT_EQ(module_.failures, 3U);
  EXPECT_EQ(pipeline_.failures, 0U);
}

TEST_P(MemoryFailure, LargestRequestIsExactAtAnyTime) {
  // Through a day of small and large blocks, for a few kinds of request.
  std::vector<void*> blocks;
  std::uint32_t random = 1;
  const auto next = [&random] { return random = random * 1664525U + 1013904223U, random >> 8; };
  for (int i = 0; i < 400; ++i) {
    void* block =
        next() % 3 != 0 ? allocate(module_, 1 + next() % (next() % 4 ? 2000 : 30000)) : nullptr;
    if (block != nullptr) {
      blocks.push_back(block);
    } else if (!blocks.empty()) {
      const std::size_t at = next() % blocks.size();
      memory_.free(blocks[at]);
      blocks[at] = blocks.back();
      blocks.pop_back();
    }
    static constexpr Flags kFlags[] = {0, flag::kCoherent, flag::kDma, flag::kShared};
    Request request{&module_, SIZE_MAX / 2, std::size_t{1} << next() % 15, kFlags[next() % 4],
                    MODMEM_HERE};
    expect_largest(request, memory_.largest_request(request));
    ASSERT_FALSE(HasFailure()) << "after " << i;
  }
}

// --- words ---

// Each value of an enumeration has the words that belong to it; what is no value is not known.
template <typename Value>
void expect_words(const std::vector<const char*>& words) {
  for (std::size_t i = 0; i < words.size(); ++i) {
    EXPECT_STREQ(to_string(static_cast<Value>(i)), words[i]) << i;
  }
  EXPECT_STREQ(to_string(static_cast<Value>(words.size())), "unknown");
}

TEST(FailureWords, SayWhatWasShort) {
  expect_words<FailureReason>({"none", "pool", "limit", "guarantee", "alignment", "slots",
                               "fragmentation", "unsupported", "injected"});
}

TEST(FailureWords, SayWhatAPointerIs) {
  expect_words<PointerStatus>({"start of a live block", "not a block of this owner",
                               "inside a live block, not at its start",
                               "not a live block: freed already, or never allocated",
                               "a block of L3 whose content was damaged while the power was off"});
}

TEST(FailureWords, SayWhoAnOwnerIs) {
  expect_words<OwnerKind>({"system", "pipeline", "module", "buffer", "heap", "region", "slots"});
}

TEST(FailureWords, SayWhatKindOfHeapItIs) {
  expect_words<HeapKind>({"none", "elastic", "fixed", "slots", "region"});
}

TEST(FailureWords, SayWhatWasDamaged) {
  Fault fault;
  fault.heap = "music";
  fault.owner_kind = OwnerKind::module;
  fault.owner_id = 0x10001;
  fault.owner_name = "gain";
  fault.bytes = 100;
  fault.offset = 100;
  fault.length = 4;
  const auto words = [&](FaultKind kind) {
    fault.kind = kind;
    Line line;
    return std::string(describe_damage(line, fault).text());
  };
  EXPECT_EQ(words(FaultKind::pointer), "");
  EXPECT_EQ(
      words(FaultKind::overrun),
      "overrun: 4 bytes behind a block of 100 bytes of module gain (id 0x10001), in heap music");
  fault.offset = 16;
  EXPECT_EQ(words(FaultKind::write_after_free),
            "write after free: 4 bytes, 16 bytes into a block of 100 bytes of module gain "
            "(id 0x10001), in heap music");
}

TEST(FailureWords, SayWhatToDoAboutEachKindOfFault) {
  EXPECT_STREQ(advice(FaultKind::pointer), "give back what was taken, once");
  EXPECT_STREQ(advice(FaultKind::overrun), "write within the block, or ask for more");
  EXPECT_STREQ(advice(FaultKind::write_after_free),
               "use nothing that was freed, and forget its address");
  EXPECT_STREQ(advice(static_cast<FaultKind>(3)), "");
}

}  // namespace
}  // namespace modmem
