// Memory: a stream of calls for RandomDriver, which holds it to a reference model of owners,
// limits, guarantees, aliases and contents (memory/testing/random_driver.hpp): all policies, with
// and without an MMU, with low-power SRAM and L3, several cores, private heaps, domains, regions,
// compaction, pins. The first bytes choose what it runs on.
// Planted: somebody writes into a block that is not his, once 20 calls were made.
#include <gtest/gtest.h>

#include <exception>
#include <memory>
#include <string>

#include "fuzz/byte_source.hpp"
#include "fuzz/fuzz_target.hpp"
#include "memory/testing/random_driver.hpp"

namespace modmem::fuzz {
namespace {

using testing::RandomDriver;
using testing::TestSystem;

constexpr std::size_t kMostSteps = 400;
constexpr std::size_t kCompareEvery = 64;
constexpr std::size_t kStepsToPlant = 20;

class ByteChoices final : public testing::Choices {
 public:
  explicit ByteChoices(ByteSource& bytes) : bytes_(bytes) {}
  std::size_t below(std::size_t limit) override { return bytes_.below(limit); }

 private:
  ByteSource& bytes_;
};

PlatformConfig any_platform(ByteSource& bytes, bool has_mmu) {
  static constexpr std::size_t kFrames[] = {17, 22, 40, 62};
  PlatformConfig config = testing::small_platform(has_mmu, kFrames[bytes.below(4)]);
  config.retained_pages = bytes.one_in(4) ? 3 : 0;
  config.metadata_bytes = bytes.one_in(4) ? 8192 : 0;
  config.lp_sram_bytes = 4 * config::kPageBytes;
  config.l3_bytes = 12 * config::kPageBytes;
  return config;
}

// Whether the heaps that `policy` has from boot on fit `config`.
bool boots(const PlatformConfig& config, const Policy& policy, bool side_memories) {
  testing::CheckingPort port(config, side_memories);
  const testing::ArenaMemory arena(Memory::arena_bytes(config, port));
  const auto memory = std::make_unique<Memory>();
  if (!memory->boot(config, policy, port, nullptr, arena.span())) {
    return false;
  }
  memory->shutdown();
  return true;
}

void drive(ByteSource& bytes) {
  const Policy& policy = *kPolicies[bytes.below(std::size(kPolicies))];
  const bool has_mmu = testing::needs_mmu(policy) || !bytes.one_in(3);
  const std::size_t what = bytes.below(256);
  RandomDriver::Options options;
  options.largest_block = (what & 1U) != 0 ? 40000 : 6000;
  options.failing_maps = (what & 6U) == 6U;
  options.side_memories = (what & 8U) != 0;
  options.cores = (what & 16U) != 0;
  options.private_heaps = (what & 32U) != 0;
  options.upkeep = (what & 64U) != 0;
  if (shows()) {
    options.say = show;
    show(std::string("policy ") + policy.name + (has_mmu ? ", an MMU" : ", no MMU") + ", options " +
         std::to_string(what));
  }
  const PlatformConfig config = any_platform(bytes, has_mmu);
  if (!boots(config, policy, options.side_memories)) {
    return;  // that heap of slots is larger than the pool
  }
  TestSystem system(config, policy, options.side_memories);
  const testing::PoolState boot = system.pool_state();
  ByteChoices choices(bytes);
  RandomDriver driver(system, choices, options);
  for (std::size_t step = 1; step <= kMostSteps && !bytes.empty(); ++step) {
    driver.step();
    if (is_planted() && step >= kStepsToPlant && driver.some_block() != nullptr &&
        !options.private_heaps) {
      *static_cast<unsigned char*>(driver.some_block()) ^= 1U;
    }
    require(system.memory().check(CheckDepth::cheap), "an invariant is broken");
    if (step % kCompareEvery == 0) {
      driver.compare();
    }
  }
  driver.compare();
  driver.end_everything();
  driver.compare();
  if (config.retained_pages == 0 && !options.cores && !options.upkeep) {
    system.memory().drain(UINT32_MAX);  // with the page that metadata may keep for the next call
    const testing::PoolState end = system.pool_state();
    if (shows()) {
      system.memory().for_each_heap([](const HeapReport& heap) {
        show(std::string("at the end: heap ") + heap.name + ", mapped " +
             std::to_string(heap.mapped_bytes) + ", live " + std::to_string(heap.live_bytes) +
             ", ready " + std::to_string(heap.ready_bytes));
      });
    }
    require(end == boot, "the pool is not as it was at boot: frames taken " +
                             std::to_string(boot.taken) + " and " + std::to_string(end.taken) +
                             ", banks on " + std::to_string(boot.banks_on) + " and " +
                             std::to_string(end.banks_on));
  }
  require(system.shutdown() == 0, "leaks at the end");
  require(system.memory().pool().taken() == 0, "frames are left");
}

}  // namespace
}  // namespace modmem::fuzz

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace modmem::fuzz;
  // CheckingPort says what is wrong as a failed test does.
  GTEST_FLAG_SET(break_on_failure, true);
  ByteSource bytes(data, size);
  try {
    drive(bytes);
  } catch (const std::exception& error) {
    report(error.what());
  }
  return 0;
}
