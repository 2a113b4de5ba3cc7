// modmem-operations: times of single operations, by Google Benchmark. It takes that library's
// arguments (--benchmark_filter=..., --benchmark_format=json).
//
// "engine" is a heap alone, "memory" goes through Memory, with owners, limits and records; plain
// memory below both unless the name says simulator. Every heap has some churn behind it.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "bench/contenders.hpp"
#include "bench/engine.hpp"
#include "bench/replays.hpp"
#include "memory/memory.hpp"

namespace {

using modmem::ElasticHeap;
using modmem::bench::Engine;

constexpr std::size_t kSramBytes = std::size_t{5} << 19U;

// A heap in which a thousand blocks have come and half of them gone.
class ChurnedHeap {
 public:
  explicit ChurnedHeap(Engine::Mapping mapping = Engine::Mapping::plain)
      : engine_(modmem::bench::platform_of(kSramBytes), mapping), heap_(engine_.open(0)) {
    std::mt19937_64 random(1);
    std::vector<void*> blocks(1000);
    for (void*& block : blocks) {
      block = heap_.allocate(16 + random() % 512, 1);
    }
    std::shuffle(blocks.begin(), blocks.end(), random);
    blocks.resize(500);
    for (void* block : blocks) {
      heap_.free(block);
    }
  }
  ElasticHeap& heap() { return heap_; }

 private:
  Engine engine_;
  ElasticHeap& heap_;
};

void allocate_and_free(benchmark::State& state, Engine::Mapping mapping) {
  ChurnedHeap churned(mapping);
  const auto bytes = static_cast<std::size_t>(state.range(0));
  const auto alignment = static_cast<std::size_t>(state.range(1));
  for (auto _ : state) {
    void* block = churned.heap().allocate(bytes, alignment);
    benchmark::DoNotOptimize(block);
    churned.heap().free(block);
  }
}

void peer_allocate_and_free(benchmark::State& state, const modmem::bench::Peer& peer) {
  const auto bytes = static_cast<std::size_t>(state.range(0));
  for (auto _ : state) {
    void* block = peer.allocate(bytes);
    benchmark::DoNotOptimize(block);
    peer.free(block);
  }
}

void resize(benchmark::State& state) {
  ChurnedHeap churned;
  void* block = churned.heap().allocate(1024, 1);
  for (auto _ : state) {
    bool done = churned.heap().resize(block, 512);
    done &= churned.heap().resize(block, 1024);
    benchmark::DoNotOptimize(done);
  }
  churned.heap().free(block);
}

void memory_allocate_and_free(benchmark::State& state) {
  modmem::bench::MemoryAllocator allocator(0);
  modmem::Memory& memory = allocator.memory();
  modmem::Owner* pipeline =
      memory.create_owner(memory.system(), {.kind = modmem::OwnerKind::pipeline});
  const modmem::Request request{.owner = pipeline,
                                .bytes = static_cast<std::size_t>(state.range(0)),
                                .alignment = 0,
                                .flags = 0,
                                .site = {}};
  // One that stays, so that the page does.
  void* stays = memory.allocate(request);
  benchmark::DoNotOptimize(stays);
  for (auto _ : state) {
    void* block = memory.allocate(request);
    benchmark::DoNotOptimize(block);
    memory.free(block);
  }
}

// A pipeline with so many blocks, from its first to its end.
void owner_create_and_end(benchmark::State& state) {
  modmem::bench::MemoryAllocator allocator(0);
  modmem::Memory& memory = allocator.memory();
  for (auto _ : state) {
    modmem::Owner* pipeline =
        memory.create_owner(memory.system(), {.kind = modmem::OwnerKind::pipeline});
    for (std::int64_t i = 0; i < state.range(0); ++i) {
      benchmark::DoNotOptimize(memory.allocate(
          {.owner = pipeline, .bytes = 256, .alignment = 0, .flags = 0, .site = {}}));
    }
    memory.destroy_owner(*pipeline);
  }
}

void register_all() {
  using modmem::bench::load_peers;
  for (const Engine::Mapping mapping : {Engine::Mapping::plain, Engine::Mapping::simulator}) {
    const bool plain = mapping == Engine::Mapping::plain;
    auto* single = benchmark::RegisterBenchmark(
        plain ? "engine/allocate+free" : "engine on the simulator/allocate+free",
        [mapping](benchmark::State& state) { allocate_and_free(state, mapping); });
    single->ArgNames({"bytes", "align"});
    if (plain) {
      single->Args({64, 1})->Args({1024, 1})->Args({64, 64})->Args({1024, 128});
    }
    // Whole pages: each time one is mapped and unmapped.
    single->Args({4096, 1})->Args({32768, 1});
  }
  for (const modmem::bench::Peer& peer : load_peers()) {
    benchmark::RegisterBenchmark(
        (std::string(peer.name) + "/allocate+free").c_str(),
        [peer](benchmark::State& state) { peer_allocate_and_free(state, peer); })
        ->ArgNames({"bytes"})
        ->Args({64})
        ->Args({1024})
        ->Args({32768});
  }
  benchmark::RegisterBenchmark("engine/resize to a half and back", resize);
  benchmark::RegisterBenchmark("memory/allocate+free", memory_allocate_and_free)
      ->ArgNames({"bytes"})
      ->Args({64})
      ->Args({1024})
      ->Args({32768});
  benchmark::RegisterBenchmark("memory/owner created and ended", owner_create_and_end)
      ->ArgNames({"blocks"})
      ->Args({0})
      ->Args({500});
}

}  // namespace

int main(int argc, char** argv) {
  modmem::bench::make_room_for_peers(argv);
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) {
    return 2;
  }
  register_all();
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
}
