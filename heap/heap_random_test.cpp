// The long random run: 10 million operations in all (1 million under a sanitizer), on elastic heaps
// and fixed arenas, with an MMU and without, one heap and several over one pool.
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

struct Scenario {
  const char* name;
  std::uint32_t percent;  // of all operations
  HeapDriverOptions options;
};
std::ostream& operator<<(std::ostream& out, const Scenario& scenario) {
  return out << scenario.name;
}

constexpr ElasticHeapOptions kElastic{.span_pages = 32};
constexpr ElasticHeapOptions kRetaining{.span_pages = 32, .retained_pages = 4};
constexpr ElasticHeapOptions kArena{.fixed_pages = 24};

constexpr Scenario kScenarios[] = {
    {"ElasticMmu", 20, {.heap = kElastic}},
    {"ElasticNoMmu", 15, {.has_mmu = false, .heap = kElastic}},
    {"ThreeElasticMmu", 15, {.heaps = 3, .heap = kElastic}},
    {"ThreeElasticNoMmu", 10, {.has_mmu = false, .heaps = 3, .heap = kElastic}},
    {"RetainingMmu", 9, {.heaps = 2, .heap = kRetaining}},
    {"RetainingNoMmu", 9, {.has_mmu = false, .heaps = 2, .heap = kRetaining}},
    {"FixedMmu", 8, {.heaps = 2, .heap = kArena}},
    {"FixedNoMmu", 8, {.has_mmu = false, .heaps = 2, .heap = kArena}},
    {"LargePoolMmu", 3, {.frames = 448, .heaps = 4, .heap = kElastic}},
    {"SimulatorMmu", 2, {.port = PortKind::host, .heaps = 2, .heap = kElastic}},
    {"SimulatorNoMmu", 1, {.has_mmu = false, .port = PortKind::host, .heaps = 2, .heap = kElastic}},
};

class HeapRandom : public ::testing::TestWithParam<Scenario> {};

std::string scenario_name(const ::testing::TestParamInfo<Scenario>& info) {
  return info.param.name;
}
INSTANTIATE_TEST_SUITE_P(Scenarios, HeapRandom, ::testing::ValuesIn(kScenarios), scenario_name);

TEST_P(HeapRandom, KeepsTheContract) {
  const std::uint64_t seed = number_from("MODMEM_RANDOM_SEED", kSeed);
  const std::uint64_t operations =
      number_from("MODMEM_RANDOM_OPERATIONS", kOperations) * GetParam().percent / 100;
  HeapDriver driver(GetParam().options);
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

}  // namespace
}  // namespace modmem
