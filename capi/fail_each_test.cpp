// Each failure in turn, for what is done with the C functions: under every policy, each request for
// memory, each mapping and each power-up of a bank of a scenario fails once, and no other with it.
// Whatever that was, each function says so or does without, nothing is a fault, and when the
// scenario has given back what it got, there is what there was before.

#include <modmem/module.h>
#include <rtos/alloc.h>
#include <sof/audio/data_blob.h>
#include <sof/lib/regions_mm.h>
#include <sof/lib/vpage.h>
#include <sof/lib/vregion.h>
#include <sof/objpool.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <string>
#include <tuple>

#include "capi/lent_testing.hpp"

namespace modmem::testing {
namespace {

constexpr std::size_t kBank = 131072;

// A scenario returns whether it got all that it wanted. Content that is not what it has to be is a
// failure of the test at once.
using Scenario = bool (*)();

bool filled(void* block, std::size_t bytes) {
  if (block == nullptr) {
    return false;
  }
  std::memset(block, 0x3c, bytes);
  return true;
}

void expect_filled(const void* block, std::size_t bytes) {
  const auto* byte = static_cast<const std::uint8_t*>(block);
  EXPECT_TRUE(bytes == 0 ||
              (byte[0] == 0x3c && byte[bytes / 2] == 0x3c && byte[bytes - 1] == 0x3c));
}

bool zeroed(const void* block, std::size_t bytes) {
  const auto* byte = static_cast<const std::uint8_t*>(block);
  for (std::size_t i = 0; block != nullptr && i < bytes; ++i) {
    EXPECT_EQ(byte[i], 0) << i;
  }
  return block != nullptr;
}

bool plain_blocks() {
  const std::array<void*, 6> blocks{
      rmalloc(SOF_MEM_FLAG_KERNEL, 100),
      rzalloc(SOF_MEM_FLAG_USER, 300),
      rmalloc_align(SOF_MEM_FLAG_USER, 500, 256),
      rballoc(SOF_MEM_FLAG_USER, 5000),
      rballoc_align(SOF_MEM_FLAG_COHERENT, 3000, 4096),
      rballoc(SOF_MEM_FLAG_USER, 2 * kBank),
  };
  bool all = zeroed(blocks[1], 300);
  for (void* block : blocks) {
    all = filled(block, 100) && all;
  }
  for (void* block : blocks) {
    if (block != nullptr) {
      expect_filled(block, 100);
    }
    rfree(block);
  }
  return all;
}

bool a_block_that_changes() {
  void* block = rballoc(SOF_MEM_FLAG_USER, 200);
  bool all = filled(block, 200);
  std::size_t bytes = all ? 200 : 0;
  for (const std::size_t want : {std::size_t{900}, std::size_t{9000}, kBank + 5, std::size_t{40}}) {
    void* moved = rbrealloc(block, SOF_MEM_FLAG_USER, want, bytes);
    all = moved != nullptr && all;
    if (moved != nullptr) {
      expect_filled(moved, std::min(bytes, want));
      filled(moved, want);
      block = moved;
      bytes = want;
    } else if (block != nullptr) {
      expect_filled(block, bytes);  // as it was
    }
  }
  rfree(block);
  return all;
}

bool a_heap() {
  struct k_heap* heap = modmem_heap_create("scenario", 4 * kBank);
  if (heap == nullptr) {
    return false;
  }
  void* small = sof_heap_alloc(heap, SOF_MEM_FLAG_USER, 700, 0);
  void* large = sof_heap_alloc(heap, SOF_MEM_FLAG_USER, kBank, 64);
  const bool all = filled(small, 700) && filled(large, kBank);
  sof_heap_free(heap, large);
  sof_heap_free(heap, small);
  EXPECT_EQ(modmem_heap_destroy(heap), 0);
  return all;
}

// Where the policy has private heaps: others have no pages to map for one.
bool a_heap_mapped_before() {
  struct k_heap* heap = modmem_heap_create("scenario", 4 * kBank);
  if (heap == nullptr) {
    return false;
  }
  bool all = true;
  if (booted()->memory.policy().own != HeapKind::none) {
    const int mapped = modmem_heap_premap(heap, 6, 40);
    EXPECT_TRUE(mapped == 0 || mapped == -ENOMEM) << mapped;
    all = mapped == 0;
  }
  void* block = sof_heap_alloc(heap, SOF_MEM_FLAG_USER, 3 * 4096, 0);
  all = filled(block, 3 * 4096) && all;
  sof_heap_free(heap, block);
  EXPECT_EQ(modmem_heap_destroy(heap), 0);
  return all;
}

bool a_range() {
  struct k_heap* heap = modmem_heap_create("range", 2 * kBank);
  if (heap == nullptr) {
    return false;
  }
  struct mod_alloc_ctx context = {heap, nullptr};
  std::size_t actual = 1;
  void* range =
      modmem_alloc_range(&context, SOF_MEM_FLAG_USER, kBank, std::size_t{1000}, 0, &actual);
  EXPECT_EQ(actual % 1000, 0U);
  EXPECT_EQ(range == nullptr, actual == 0);
  const bool all = filled(range, actual);  // shorter where a page was not to be had
  void* other = sof_ctx_zalloc(&context, SOF_MEM_FLAG_USER, 60, 0);
  const bool both = zeroed(other, 60) && all;
  sof_ctx_free(&context, other);
  sof_ctx_free(&context, range);
  EXPECT_EQ(modmem_heap_destroy(heap), 0);
  return both;
}

bool modules() {
  processing_module modules[2] = {};
  bool all = true;
  std::uint32_t id = 0x10001;
  for (processing_module& module : modules) {
    module.dev_id = id++;
    mod_resource_init(&module);
    void* zeros = mod_zalloc(&module, 200);
    all = zeroed(zeros, 200) && all;
    all = filled(mod_alloc(&module, 40), 40) && all;
    all = filled(mod_alloc_align(&module, 500, 128), 500) && all;
    all = filled(mod_balloc(&module, 20000), 20000) && all;
    struct comp_data_blob_handler* handler = mod_data_blob_handler_new(&module);
    all = handler != nullptr && all;
    if (handler != nullptr) {
      std::array<char, 3000> data{};
      data.fill(7);
      const int set = comp_init_data_blob(handler, data.size(), data.data());
      EXPECT_TRUE(set == 0 || set == -ENOMEM) << set;
      all = set == 0 && all;
    }
    if (zeros != nullptr) {
      EXPECT_EQ(mod_free(&module, zeros), 0);
    }
  }
  static const std::array<char, 2000> kTable{1, 2, 3};
  const void* first = mod_fast_get(&modules[0], kTable.data(), kTable.size());
  const void* second = mod_fast_get(&modules[1], kTable.data(), kTable.size());
  all = first != nullptr && second != nullptr && all;
  for (const void* copy : {first, second}) {
    EXPECT_TRUE(copy == nullptr || std::memcmp(copy, kTable.data(), kTable.size()) == 0);
  }
  if (first != nullptr) {
    mod_fast_put(&modules[0], first);
  }
  mod_free_all(&modules[1]);
  mod_free_all(&modules[0]);
  return all;
}

bool regions() {
  struct vregion* fixed = vregion_create(3 * 4096);
  struct vregion* growing = modmem_vregion_create_growing(2 * kBank);
  bool all = fixed != nullptr && growing != nullptr;
  for (struct vregion* region : {fixed, growing}) {
    if (region == nullptr) {
      continue;
    }
    void* life = vregion_alloc(region, 2000);
    all = filled(life, 2000) && all;
    vregion_set_interim(region);
    void* interim = vregion_alloc_align(region, 3000, 256);
    all = filled(interim, 3000) && all;
    void* coherent = vregion_alloc_coherent(region, 100);
    all = filled(coherent, 100) && all;
    vregion_free(region, coherent);
    vregion_free(region, interim);
    EXPECT_EQ(vregion_put(region), nullptr);
  }
  return all;
}

bool virtual_pages() {
  std::array<void*, 3> runs{vpage_alloc(1), vpage_alloc(40), vpage_alloc(2)};
  bool all = true;
  for (void* run : runs) {
    all = filled(run, 4096) && all;
  }
  for (void* run : runs) {
    if (run != nullptr) {
      vpage_free(run);
    }
  }
  return all;
}

bool slots(bool continuous) {
  struct vmh_heap* heap = vmh_init_heap(nullptr, continuous);
  if (heap == nullptr) {
    return false;
  }
  bool all = true;
  std::array<void*, 40> blocks{};
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    blocks[i] = vmh_alloc(heap, static_cast<std::uint32_t>(30 + 25 * i));
    all = filled(blocks[i], 30 + 25 * i) && all;
  }
  for (void* block : blocks) {
    EXPECT_TRUE(block == nullptr || vmh_free(heap, block) == 0);
  }
  EXPECT_EQ(vmh_free_heap(heap), 0);
  return all;
}
bool fixed_slots() { return slots(false); }
bool slots_in_a_row() { return slots(true); }

bool a_pool_of_objects() {
  objpool_head pool{};
  bool all = true;
  std::array<void*, 100> objects{};
  for (void*& object : objects) {
    object = objpool_alloc(&pool, 72, SOF_MEM_FLAG_USER);
    all = zeroed(object, 72) && all;
  }
  for (std::size_t i = 0; i < objects.size(); i += 2) {
    EXPECT_EQ(objpool_free(&pool, objects.at(i)), 0);
  }
  objpool_prune(&pool);
  return all;
}

bool shared_copies() {
  static const std::array<char, 5000> kTable{1, 2, 3};
  const void* first = fast_get(nullptr, kTable.data(), kTable.size());
  const void* second = fast_get(nullptr, kTable.data(), kTable.size());
  EXPECT_TRUE(first == nullptr || second == first);
  for (const void* copy : {first, second}) {
    if (copy != nullptr) {
      EXPECT_EQ(std::memcmp(copy, kTable.data(), kTable.size()), 0);
      fast_put(nullptr, nullptr, copy);
    }
  }
  return first != nullptr && second != nullptr;
}

bool blobs() {
  struct comp_data_blob_handler* handler = comp_data_blob_handler_new(nullptr);
  if (handler == nullptr) {
    return false;
  }
  std::array<char, 9000> data{};
  data.fill(5);
  bool all = true;
  for (int round = 0; round < 2; ++round) {
    const int first = ipc4_comp_data_blob_set(handler, true, false, 9000, data.data());
    EXPECT_TRUE(first == 0 || first == -ENOMEM) << first;
    all = first == 0 && all;
    if (first == 0) {
      constexpr std::uint32_t kSent = 4096;  // in a fragment
      for (std::uint32_t at = kSent; at < 9000; at += kSent) {
        EXPECT_EQ(ipc4_comp_data_blob_set(handler, false, at + kSent >= 9000, at, data.data() + at),
                  0);
      }
    }
    std::size_t bytes = 0;
    const void* now = comp_get_data_blob(handler, &bytes, nullptr);
    EXPECT_EQ(now != nullptr, bytes != 0);
    EXPECT_TRUE(now == nullptr || (bytes == 9000 && std::memcmp(now, data.data(), bytes) == 0));
    all = now != nullptr && all;
  }
  comp_data_blob_handler_free(handler);
  return all;
}

struct NamedScenario {
  const char* name;
  Scenario play;
};
constexpr NamedScenario kScenarios[] = {
    {"plain_blocks", plain_blocks},
    {"a_block_that_changes", a_block_that_changes},
    {"a_heap", a_heap},
    {"a_heap_mapped_before", a_heap_mapped_before},
    {"a_range", a_range},
    {"modules", modules},
    {"regions", regions},
    {"virtual_pages", virtual_pages},
    {"fixed_slots", fixed_slots},
    {"slots_in_a_row", slots_in_a_row},
    {"a_pool_of_objects", a_pool_of_objects},
    {"shared_copies", shared_copies},
    {"blobs", blobs},
};

enum class Kind : std::uint8_t { request, mapping, power };

class CFailEach : public HooksTest,
                  public ::testing::WithParamInterface<std::tuple<NamedScenario, const Policy*>> {
 protected:
  void SetUp() override {
    HooksTest::SetUp();
    modmem_set_request_filter(
        [](std::size_t, void* self) {
          auto& test = *static_cast<CFailEach*>(self);
          return ++test.requests_ != test.refused_;
        },
        this);
  }
  void TearDown() override {
    modmem_set_request_filter(nullptr, nullptr);
    HooksTest::TearDown();
  }

  struct State {
    std::size_t live = 0;
    std::size_t mapped = 0;
    std::uint32_t banks_on = 0;
    std::uint32_t owners = 0;
    bool operator==(const State&) const = default;
  };
  static State state_of(LentSystem& lent) {
    while (modmem_drain(UINT32_MAX) != 0) {
    }
    lent.memory().trim();
    struct modmem_info now {};
    EXPECT_EQ(modmem_info(&now), 0);
    return {now.live_bytes, now.mapped_bytes, now.banks_on, now.owners};
  }

  // Plays once, in a system of its own, with the `nth` of a kind failing. Returns how many there
  // were of each kind.
  std::array<std::uint64_t, 3> play(Kind kind, std::uint64_t nth) {
    LentSystem lent(preset("mtl"), *std::get<1>(GetParam()));
    // What a system takes with its first block, and keeps, is there.
    refused_ = 0;
    rfree(rmalloc(SOF_MEM_FLAG_KERNEL, 16));
    rfree(rmalloc(SOF_MEM_FLAG_USER, 16));
    vpage_free(vpage_alloc(1));
    const State before = state_of(lent);

    requests_ = 0;
    refused_ = kind == Kind::request ? nth : 0;
    lent.port().refuse_map(kind == Kind::mapping ? nth : 0);
    lent.port().refuse_power(kind == Kind::power ? nth : 0);
    const bool all = std::get<0>(GetParam()).play();
    const std::array<std::uint64_t, 3> counts{requests_, lent.port().maps(), lent.port().powers()};
    EXPECT_GE(counts.at(static_cast<std::size_t>(kind)), nth);
    lent.port().refuse_map(0);
    lent.port().refuse_power(0);
    refused_ = 0;

    if (nth == 0) {
      EXPECT_TRUE(all);
      EXPECT_EQ(lines_, std::vector<std::string>());
    } else if (!all) {
      EXPECT_FALSE(lines_.empty()) << "nobody said that there is no memory";
    }
    lines_.clear();
    EXPECT_TRUE(state_of(lent) == before);
    EXPECT_TRUE(lent.memory().check(CheckDepth::deep));
    EXPECT_EQ(lent.end(), 0U);
    EXPECT_EQ(lines_, std::vector<std::string>());
    EXPECT_TRUE(faults_.empty());
    return counts;
  }

 private:
  std::uint64_t requests_ = 0;
  std::uint64_t refused_ = 0;
};

INSTANTIATE_TEST_SUITE_P(Scenarios, CFailEach,
                         ::testing::Combine(::testing::ValuesIn(kScenarios),
                                            ::testing::ValuesIn(kPolicies)),
                         [](const auto& test) {
                           return std::string(std::get<0>(test.param).name) + "_" +
                                  test_name(std::get<1>(test.param)->name);
                         });

TEST_P(CFailEach, LeavesWhatWasThere) {
  const std::array<std::uint64_t, 3> counts = play(Kind::request, 0);
  EXPECT_GT(counts[0] + counts[1], 0U);
  for (const Kind kind : {Kind::request, Kind::mapping, Kind::power}) {
    for (std::uint64_t nth = 1; nth <= counts.at(static_cast<std::size_t>(kind)); ++nth) {
      play(kind, nth);
      if (HasFailure()) {
        FAIL() << "failure " << nth << " of kind " << static_cast<int>(kind);
      }
    }
  }
}

}  // namespace
}  // namespace modmem::testing
