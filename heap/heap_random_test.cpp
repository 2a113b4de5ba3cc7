// The long random run: 12 million operations in all (a tenth under a sanitizer), on elastic heaps,
// fixed arenas and heaps of slots, with an MMU and without, one heap and several over one pool.
//
// MODMEM_RANDOM_OPERATIONS sets another number, MODMEM_RANDOM_SEED another seed than the fixed one.

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "heap/testing/heap_driver.hpp"
#include "heap/testing/random.hpp"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define MODMEM_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define MODMEM_SANITIZED 1
#endif
#endif

namespace modmem {
namespace {

#ifdef MODMEM_SANITIZED
constexpr std::uint64_t kOperations = 1'000'000;
#else
constexpr std::uint64_t kOperations = 10'000'000;
#endif
constexpr std::uint64_t kSeed = 20'251'122;
// One command in so many is looked at with all that is known.
constexpr std::uint32_t kThoroughIn = 500;

std::uint64_t number_from(const char* variable, std::uint64_t otherwise) {
  const char* text = std::getenv(variable);
  return text != nullptr ? std::strtoull(text, nullptr, 0) : otherwise;
}

template <typename Driver>
struct Scenario {
  const char* name;
  std::uint32_t percent;  // of all operations
  typename Driver::Options options;

  friend std::ostream& operator<<(std::ostream& out, const Scenario& scenario) {
    return out << scenario.name;
  }
};

template <typename Driver>
std::string scenario_name(const ::testing::TestParamInfo<Scenario<Driver>>& info) {
  return info.param.name;
}

template <typename Driver>
void keep_the_contract(const Scenario<Driver>& scenario) {
  const std::uint64_t seed = number_from("MODMEM_RANDOM_SEED", kSeed);
  const std::uint64_t operations =
      number_from("MODMEM_RANDOM_OPERATIONS", kOperations) * scenario.percent / 100;
  Driver driver(scenario.options);
  Random random(seed);
  HeapCommand command;
  try {
    while (driver.steps() < operations) {
      command = random_command(random, driver, kThoroughIn);
      driver.apply(command);
    }
    driver.finish(seed % 2 == 0);
  } catch (const ContractBroken& broken) {
    FAIL() << broken.what() << "\n  after " << driver.steps() << " operations: " << command
           << "\n  again with MODMEM_RANDOM_SEED=" << seed;
  }
  std::printf("seed %llu: %llu operations, %llu of them refused\n",
              static_cast<unsigned long long>(seed),
              static_cast<unsigned long long>(driver.steps()),
              static_cast<unsigned long long>(driver.failures()));
  // A run that is never refused anything has not come to what is hard.
  EXPECT_GT(driver.failures(), operations / 1000);
}

// --- elastic heaps and fixed arenas ---

constexpr ElasticHeapOptions kElastic{.span_pages = 32};
constexpr ElasticHeapOptions kRetaining{.span_pages = 32, .retained_pages = 4};
constexpr ElasticHeapOptions kArena{.fixed_pages = 24};

constexpr Scenario<ElasticDriver> kScenarios[] = {
    {"ElasticMmu", 18, {.heap = kElastic}},
    {"ElasticNoMmu", 13, {.has_mmu = false, .heap = kElastic}},
    {"ThreeElasticMmu", 15, {.heaps = 3, .heap = kElastic}},
    {"ThreeElasticNoMmu", 10, {.has_mmu = false, .heaps = 3, .heap = kElastic}},
    {"RetainingMmu", 9, {.heaps = 2, .heap = kRetaining}},
    {"RetainingNoMmu", 9, {.has_mmu = false, .heaps = 2, .heap = kRetaining}},
    {"PremappedMmu", 2, {.heaps = 2, .premaps = true, .heap = kRetaining}},
    {"PremappedNoMmu", 2, {.has_mmu = false, .heaps = 2, .premaps = true, .heap = kElastic}},
    {"FixedMmu", 8, {.heaps = 2, .heap = kArena}},
    {"FixedNoMmu", 8, {.has_mmu = false, .heaps = 2, .heap = kArena}},
    {"LargePoolMmu", 3, {.frames = 448, .heaps = 4, .heap = kElastic}},
    {"SimulatorMmu", 2, {.port = PortKind::host, .heaps = 2, .heap = kElastic}},
    {"SimulatorNoMmu", 1, {.has_mmu = false, .port = PortKind::host, .heaps = 2, .heap = kElastic}},
};

class HeapRandom : public ::testing::TestWithParam<Scenario<ElasticDriver>> {};
INSTANTIATE_TEST_SUITE_P(Scenarios, HeapRandom, ::testing::ValuesIn(kScenarios),
                         scenario_name<ElasticDriver>);
TEST_P(HeapRandom, KeepsTheContract) { keep_the_contract(GetParam()); }

// --- slots ---

constexpr std::size_t kPage = config::kPageBytes;
// Not in the order of sizes: it is the table that counts.
constexpr SlotBundle kTable[] = {{8, 1024},  {64, 128}, {1024, 32}, {512, 32},
                                 {16384, 4}, {4096, 8}, {65536, 3}};
constexpr SlotBundle kSmallTable[] = {{16, 512}, {128, 64}, {2048, 8}, {8192, 4}};
constexpr SlotHeapOptions kSingle{.region_bytes = 100 * kPage, .bundles = kTable};
constexpr SlotHeapOptions kContiguous{
    .region_bytes = 100 * kPage, .bundles = kTable, .contiguous = true};
constexpr SlotHeapOptions kSmallSingle{.region_bytes = 20 * kPage, .bundles = kSmallTable};
constexpr SlotHeapOptions kSmallContiguous{
    .region_bytes = 20 * kPage, .bundles = kSmallTable, .contiguous = true};
constexpr SlotHeapOptions kEqual{.region_bytes = 101 * kPage, .contiguous = true};

constexpr Scenario<SlotDriver> kSlotScenarios[] = {
    {"SingleMmu", 4, {.heap = kSingle}},
    {"ContiguousMmu", 4, {.heap = kContiguous}},
    {"EqualBundlesMmu", 2, {.heap = kEqual}},
    {"TwoSingleMmu", 2, {.heaps = 2, .heap = kSingle}},
    {"TwoContiguousMmu", 2, {.frames = 56, .heaps = 2, .heap = kContiguous}},
    // Frames enough for the region of a heap that is opened again while the other has its own.
    {"SingleNoMmu", 2, {.has_mmu = false, .frames = 96, .heaps = 2, .heap = kSmallSingle}},
    {"ContiguousNoMmu", 2, {.has_mmu = false, .frames = 96, .heaps = 2, .heap = kSmallContiguous}},
    {"SimulatorMmu", 1, {.port = PortKind::host, .heap = kContiguous}},
};

class SlotHeapRandom : public ::testing::TestWithParam<Scenario<SlotDriver>> {};
INSTANTIATE_TEST_SUITE_P(Scenarios, SlotHeapRandom, ::testing::ValuesIn(kSlotScenarios),
                         scenario_name<SlotDriver>);
TEST_P(SlotHeapRandom, KeepsTheContract) { keep_the_contract(GetParam()); }

}  // namespace
}  // namespace modmem
