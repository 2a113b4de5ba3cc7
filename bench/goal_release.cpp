// Goal 7: what it takes to end a pipeline as a whole, against freeing its blocks one by one.
//
// Counted in instructions, so that the figures are the same in every run; what the port does
// (unmapping, power) is the same either way and not counted. A pipeline is a heap with so many
// blocks on so many pages: mostly small ones, and a few buffers.
#include <algorithm>
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

struct Shape {
  const char* name;
  std::uint32_t blocks;
  std::uint32_t pages;
};

constexpr double kTimesFaster = 5;
constexpr std::size_t kSramBytes = std::size_t{2} << 20U;
// How far cost per page may differ between pipelines for it to be proportional to pages.
constexpr double kProportional = 1.10;
constexpr const char* kOwnerReleased = "through Memory: release_owner()";
constexpr const char* kOwnerFreed = "through Memory: free() of each, then the same";
constexpr Shape kPipeline = {"500 blocks on 40 pages", 500, 40};
constexpr Shape kSmaller = {"250 blocks on 20 pages", 250, 20};
constexpr Shape kLarger = {"2,000 blocks on 160 pages", 2000, 160};
constexpr Shape kDenser = {"2,000 blocks on 40 pages", 2000, 40};

// The sizes of its blocks, in random order; the last is what is missing to that many pages.
std::vector<std::size_t> sizes_of(const Shape& shape) {
  const std::size_t bytes = std::size_t{shape.pages} * config::kPageBytes;
  // A tenth of the blocks are buffers, which share half of the bytes.
  const std::size_t buffers = shape.blocks / 10;
  std::vector<std::size_t> sizes;
  std::mt19937_64 random(shape.blocks);
  for (std::uint32_t i = 1; i < shape.blocks; ++i) {
    const bool buffer = i < buffers;
    const std::size_t mean_bytes = bytes / 2 / (buffer ? buffers : shape.blocks - buffers) * 9 / 10;
    sizes.push_back(mean_bytes / 2 + random() % mean_bytes);
  }
  std::shuffle(sizes.begin(), sizes.end(), random);

  Engine engine(platform_of(kSramBytes), Engine::Mapping::plain);
  ElasticHeap& heap = engine.open(0);
  for (const std::size_t size : sizes) {
    heap.allocate(size, 1);
  }
  const std::size_t mapped = heap.stats().mapped_bytes;
  if (mapped >= bytes) {
    throw std::runtime_error("the pipeline has too many pages");
  }
  sizes.push_back(bytes - mapped);
  return sizes;
}

// Blocks of these sizes, from allocate(bytes).
template <typename Allocate>
std::vector<void*> build(const Shape& shape, Allocate allocate) {
  std::vector<void*> blocks;
  for (const std::size_t bytes : sizes_of(shape)) {
    void* block = allocate(bytes);
    if (block == nullptr) {
      throw std::runtime_error("the pipeline does not fit");
    }
    blocks.push_back(block);
  }
  return blocks;
}

std::vector<void*> build(ElasticHeap& heap, const Shape& shape) {
  return build(shape, [&](std::size_t bytes) { return heap.allocate(bytes, 1); });
}

std::string released(const Shape& shape) { return std::string("release ") + shape.name; }
std::string freed(const Shape& shape) { return std::string("free ") + shape.name; }

void count_shape(const Shape& shape) {
  Engine engine(platform_of(kSramBytes), Engine::Mapping::plain);
  ElasticHeap& heap = engine.open(0);
  build(heap, shape);
  InstructionMeter::begin();
  heap.release_all();
  InstructionMeter::end(released(shape).c_str());

  const std::vector<void*> blocks = build(heap, shape);
  InstructionMeter::begin();
  for (void* block : blocks) {
    heap.free(block);
  }
  InstructionMeter::end(freed(shape).c_str());
}

// The same of an owner of Memory's, with its accounts and records: its end, and each block's.
void count_owner() {
  MemoryAllocator allocator(1);
  Memory& memory = allocator.memory();
  const auto create = [&] {
    Owner* owner = memory.create_owner(memory.system(), {.kind = OwnerKind::pipeline});
    if (owner == nullptr) {
      throw std::runtime_error("an owner does not fit");
    }
    return owner;
  };
  const auto build_for = [&](Owner* owner) {
    return build(kPipeline, [&](std::size_t bytes) {
      return memory.allocate(
          {.owner = owner, .bytes = bytes, .alignment = 0, .flags = 0, .site = {}});
    });
  };
  // A first one leaves everything that stays, so that both begin alike.
  Owner* owner = create();
  build_for(owner);
  memory.release_owner(*owner);

  owner = create();
  build_for(owner);
  InstructionMeter::begin();
  memory.release_owner(*owner);
  InstructionMeter::end(kOwnerReleased);

  owner = create();
  const std::vector<void*> blocks = build_for(owner);
  InstructionMeter::begin();
  for (void* block : blocks) {
    memory.free(block);
  }
  memory.release_owner(*owner);
  InstructionMeter::end(kOwnerFreed);
}

}  // namespace

void count_release() {
  count_owner();
  for (const Shape& shape : {kPipeline, kSmaller, kLarger, kDenser}) {
    count_shape(shape);
  }
}

std::uint32_t pages_of_pipeline(std::uint32_t blocks, std::uint32_t pages) {
  Engine engine(platform_of(kSramBytes), Engine::Mapping::plain);
  ElasticHeap& heap = engine.open(0);
  build(heap, {"", blocks, pages});
  return static_cast<std::uint32_t>(heap.stats().mapped_bytes / config::kPageBytes);
}

GoalReport goal_release(const GoalOptions&) {
  const InstructionMeter::Counts counts = InstructionMeter::count({"--counted", "release"});
  const auto count = [&](const std::string& label) { return net_counts(counts, label).front(); };
  const auto per_page = [&](const Shape& shape) {
    return count(released(shape)) / pages_of_pipeline(shape.blocks, shape.pages);
  };
  GoalReport report;
  report.title = "owner release: instructions, against freeing one by one";
  report.inform("pages of the pipeline of 500 blocks",
                pages_of_pipeline(kPipeline.blocks, kPipeline.pages));
  report.inform(released(kPipeline), count(released(kPipeline)), "instructions");
  report.inform(freed(kPipeline), count(freed(kPipeline)), "instructions");
  report.at_least("times faster", ratio(count(freed(kPipeline)), count(released(kPipeline))),
                  kTimesFaster);
  report.inform(kOwnerReleased, count(kOwnerReleased), "instructions");
  report.inform(kOwnerFreed, count(kOwnerFreed), "instructions");
  report.at_least("through Memory, times faster", ratio(count(kOwnerFreed), count(kOwnerReleased)),
                  kTimesFaster);
  const double reference = per_page(kPipeline);
  report.inform("a page of 40", reference, "instructions");
  report.at_most("a page of 20, of that", ratio(per_page(kSmaller), reference), kProportional);
  report.at_most("a page of 160, of that", ratio(per_page(kLarger), reference), kProportional);
  report.at_most("a page of 40 with 4 times the blocks, of that",
                 ratio(per_page(kDenser), reference), kProportional);
  report.notes = {"counted by callgrind, without what the port does"};
  return report;
}

}  // namespace modmem::bench
