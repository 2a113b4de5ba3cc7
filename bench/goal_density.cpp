// Goal 3: how much of memory objects of 64 to 256 B can have, after churn.
//
// The heap has all of the memory. It is filled with objects of random sizes until one does not fit;
// then, several times over, a random half of them goes and it is filled again. What counts is the
// bytes that were asked for, and as memory the SRAM with every table beside it. "Full" is where an
// object of the smallest size does not fit any more: objects go on to be drawn until then.
//
// The goal is the engine's. What callers of Memory can have of the same SRAM stands beside it:
// there each object has a record, an account and a call site as well.
#include <algorithm>
#include <array>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "bench/contenders.hpp"
#include "bench/engine.hpp"
#include "bench/goals.hpp"
#include "bench/statistics.hpp"

namespace modmem::bench {

namespace {

constexpr double kGoal = 0.93;
constexpr std::size_t kSmallest = 64;
constexpr std::size_t kLargest = 256;
constexpr std::array<std::size_t, 3> kMemoryBytes = {std::size_t{512} << 10U, std::size_t{1} << 20U,
                                                     std::size_t{5} << 19U};

struct Object {
  void* pointer = nullptr;
  std::size_t bytes = 0;
};

// Fills and churns with `allocate(bytes)` and `release(pointer)`; the bytes that live at the end.
template <typename Allocate, typename Release>
std::size_t churn(std::uint64_t seed, int rounds, Allocate allocate, Release release) {
  std::mt19937_64 random(seed);
  std::vector<Object> objects;
  std::size_t live = 0;
  const auto fill = [&] {
    // Once an object does not fit, smaller ones than it are drawn: nothing larger will fit.
    for (std::size_t largest = kLargest; largest >= kSmallest;) {
      const std::size_t bytes = kSmallest + random() % (largest - kSmallest + 1);
      void* pointer = allocate(bytes);
      if (pointer == nullptr) {
        largest = bytes - 1;
        continue;
      }
      objects.push_back({pointer, bytes});
      live += bytes;
    }
  };
  fill();
  for (int round = 0; round < rounds; ++round) {
    std::shuffle(objects.begin(), objects.end(), random);
    for (std::size_t left = objects.size() / 2; left > 0; --left) {
      live -= objects.back().bytes;
      if (release(objects.back().pointer) != PointerStatus::live) {
        throw std::runtime_error("a live object was refused");
      }
      objects.pop_back();
    }
    fill();
  }
  return live;
}

double engine_share(std::size_t memory_bytes, std::uint64_t seed, int rounds) {
  Engine engine(platform_of(memory_bytes), Engine::Mapping::plain);
  ElasticHeap& heap = engine.open(0);
  const std::size_t live = churn(
      seed, rounds, [&](std::size_t bytes) { return heap.allocate(bytes, 1); },
      [&](void* pointer) { return heap.free(pointer); });
  return ratio(static_cast<double>(live), static_cast<double>(engine.memory_bytes()));
}

// As memory counts the SRAM and all metadata, as on a target with 32-bit pointers.
double memory_share(std::size_t memory_bytes, std::uint64_t seed, int rounds) {
  PlatformConfig config = memory_platform();
  config.sram_bytes = memory_bytes;
  config.arena_bytes = 0;                             // of policies that have one
  config.metadata_bytes = MetadataHeap::kReachBytes;  // none of it in the pool
  MemoryAllocator allocator(1, config);
  const std::size_t live = churn(
      seed, rounds, [&](std::size_t bytes) { return allocator.allocate(0, bytes, 0); },
      [&](void* pointer) { return allocator.memory().free(pointer); });
  const MetadataUse use = allocator.memory().metadata_use();
  return ratio(static_cast<double>(live),
               static_cast<double>(memory_bytes + use.tables + use.peak));
}

}  // namespace

GoalReport goal_density(const GoalOptions& options) {
  const int rounds = options.quick ? 5 : 50;
  const std::uint64_t seeds = options.quick ? 2 : 5;
  GoalReport report;
  report.title = "objects of 64 to 256 B after churn: bytes / memory";
  for (const std::size_t memory_bytes : kMemoryBytes) {
    double worst = 1;
    double worst_of_memory = 1;
    for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
      worst = std::min(worst, engine_share(memory_bytes, seed, rounds));
      worst_of_memory = std::min(worst_of_memory, memory_share(memory_bytes, seed, rounds));
    }
    const std::string name = "bytes / memory of " + std::to_string(memory_bytes >> 10U) + " KiB";
    report.at_least(name, worst, kGoal);
    report.inform(name + ", through Memory", worst_of_memory);
  }
  report.notes = {"worst of " + std::to_string(seeds) + " seeds, " + std::to_string(rounds) +
                  " rounds of churn; memory is SRAM and every table beside it"};
  return report;
}

}  // namespace modmem::bench
