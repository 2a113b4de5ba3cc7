#include "firmware/conformance.hpp"

#include <cstdint>

#include "firmware/random.hpp"
#include "heap/elastic_heap.hpp"
#include "heap/region.hpp"
#include "heap/slot_heap.hpp"

namespace modmem::firmware {

namespace {

constexpr std::size_t kMostBlocks = 256;
constexpr std::size_t kLargestBlock = 3 * config::kPageBytes;
constexpr std::uint32_t kOperations = 4000;
constexpr std::uint32_t kOperationsPerCheck = 50;
constexpr std::uint32_t kArenaPages = 24;

// The blocks that a heap has given out, each filled with a pattern of its own.
class Model {
 public:
  explicit Model(Heap& heap) : heap_(heap) {}

  std::size_t size() const { return size_; }
  std::byte* pointer(std::size_t i) const { return blocks_[i].pointer; }

  // Returns false where the heap refuses.
  bool allocate(Report& report, std::size_t bytes, std::size_t alignment) {
    auto* pointer = static_cast<std::byte*>(heap_.allocate(bytes, alignment));
    if (pointer == nullptr) {
      MODMEM_CHECK(report, heap_.explain(bytes, alignment) != FailureReason::none);
      return false;
    }
    MODMEM_CHECK(report, reinterpret_cast<std::uintptr_t>(pointer) % alignment == 0);
    MODMEM_CHECK(report, heap_.usable_size(pointer) >= bytes);
    MODMEM_CHECK(report, heap_.status(pointer) == PointerStatus::live);
    for (std::size_t i = 0; i < size_; ++i) {
      MODMEM_CHECK(report, pointer + bytes <= blocks_[i].pointer ||
                               blocks_[i].pointer + blocks_[i].bytes <= pointer);
    }
    blocks_[size_] = {pointer, bytes, ++pattern_};
    fill(blocks_[size_]);
    ++size_;
    return true;
  }

  void free(Report& report, std::size_t i) {
    MODMEM_CHECK(report, is_whole(blocks_[i]));
    std::byte* pointer = blocks_[i].pointer;
    MODMEM_CHECK(report, heap_.free(pointer) == PointerStatus::live);
    MODMEM_CHECK(report, heap_.free(pointer) != PointerStatus::live);
    blocks_[i] = blocks_[--size_];
  }

  void resize(Report& report, std::size_t i, std::size_t bytes) {
    Block& block = blocks_[i];
    const std::size_t kept = bytes < block.bytes ? bytes : block.bytes;
    const bool shrinks = bytes <= block.bytes;
    if (heap_.resize(block.pointer, bytes)) {
      MODMEM_CHECK(report, heap_.usable_size(block.pointer) >= bytes);
      block.bytes = kept;
      MODMEM_CHECK(report, is_whole(block));
      block.bytes = bytes;
      fill(block);
    } else {
      MODMEM_CHECK(report, !shrinks);
      MODMEM_CHECK(report, is_whole(block));
    }
  }

  void free_all(Report& report) {
    while (size_ > 0) {
      free(report, size_ - 1);
    }
  }

 private:
  struct Block {
    std::byte* pointer = nullptr;
    std::size_t bytes = 0;
    std::uint8_t pattern = 0;
  };

  static void fill(const Block& block) {
    for (std::size_t i = 0; i < block.bytes; ++i) {
      block.pointer[i] = static_cast<std::byte>(block.pattern);
    }
  }
  static bool is_whole(const Block& block) {
    for (std::size_t i = 0; i < block.bytes; ++i) {
      if (block.pointer[i] != static_cast<std::byte>(block.pattern)) {
        return false;
      }
    }
    return true;
  }

  Heap& heap_;
  Block blocks_[kMostBlocks];
  std::size_t size_ = 0;
  std::uint8_t pattern_ = 0;
};

bool is_sound(const Heap& heap, const HeapWorld& world) {
  return heap.check(CheckDepth::deep) && world.check();
}

void test_random_operations(Report& report, const char* subject, Heap& heap, HeapWorld& world) {
  report.begin(subject, "random operations keep all blocks whole and apart");
  Random random;
  Model model(heap);
  for (std::uint32_t i = 0; i < kOperations; ++i) {
    const std::uint32_t dice = random.below(8);
    if (model.size() == 0 || (dice < 4 && model.size() < kMostBlocks)) {
      const std::uint32_t most = random.below(16) == 0 ? kLargestBlock : 300;
      model.allocate(report, 1 + random.below(most), std::size_t{1} << random.below(8));
    } else if (dice < 6 || model.size() == kMostBlocks) {
      model.free(report, random.below(static_cast<std::uint32_t>(model.size())));
    } else {
      model.resize(report, random.below(static_cast<std::uint32_t>(model.size())),
                   1 + random.below(600));
    }
    if (i % kOperationsPerCheck == 0 && !MODMEM_CHECK(report, is_sound(heap, world))) {
      break;
    }
  }
  model.free_all(report);
  MODMEM_CHECK(report, heap.stats().live_blocks == 0 && heap.stats().occupied_bytes == 0);
  MODMEM_CHECK(report, is_sound(heap, world));
  report.end();
}

void test_running_out(Report& report, const char* subject, Heap& heap, HeapWorld& world) {
  report.begin(subject, "running out changes nothing, and all comes back");
  const std::uint32_t before = world.pool().taken();
  Model model(heap);
  while (model.size() < kMostBlocks && model.allocate(report, kLargestBlock, 1)) {
  }
  while (model.size() < kMostBlocks && model.allocate(report, 16, 1)) {
  }
  const HeapStats full = heap.stats();
  const std::uint32_t taken = world.pool().taken();
  MODMEM_CHECK(report, heap.allocate(world.pool().frames() * config::kPageBytes + 1, 1) == nullptr);
  MODMEM_CHECK(report, heap.stats().live_blocks == full.live_blocks);
  MODMEM_CHECK(report, world.pool().taken() == taken);
  MODMEM_CHECK(report, is_sound(heap, world));
  model.free_all(report);
  heap.release_all();  // pages that it keeps as well
  MODMEM_CHECK(report, world.pool().taken() == before);
  MODMEM_CHECK(report, is_sound(heap, world));
  report.end();
}

void test_largest_request(Report& report, const char* subject, Heap& heap, HeapWorld& world) {
  report.begin(subject, "the largest request is exact");
  Random random;
  Model model(heap);
  for (int i = 0; i < 60; ++i) {
    model.allocate(report, 1 + random.below(2000), 1);
    if (model.size() > 1 && random.below(2) == 0) {
      model.free(report, random.below(static_cast<std::uint32_t>(model.size())));
    }
    const std::size_t most = heap.largest_request(1);
    MODMEM_CHECK(report, heap.allocate(most + config::kGranuleBytes, 1) == nullptr);
    void* block = heap.allocate(most, 1);
    MODMEM_CHECK(report, block != nullptr);
    MODMEM_CHECK(report, heap.free(block) == PointerStatus::live);
  }
  model.free_all(report);
  MODMEM_CHECK(report, is_sound(heap, world));
  report.end();
}

void test_pointers(Report& report, const char* subject, Heap& heap, HeapWorld& world) {
  report.begin(subject, "each pointer is known for what it is");
  auto* block = static_cast<std::byte*>(heap.allocate(100, 1));
  auto* other = static_cast<std::byte*>(heap.allocate(100, 1));
  if (MODMEM_CHECK(report, block != nullptr && other != nullptr)) {
    int local = 0;
    MODMEM_CHECK(report, heap.status(block) == PointerStatus::live);
    MODMEM_CHECK(report, heap.status(block + config::kGranuleBytes) == PointerStatus::interior);
    MODMEM_CHECK(report, heap.free(block + 1) == PointerStatus::interior);
    MODMEM_CHECK(report, heap.status(&local) == PointerStatus::foreign);
    MODMEM_CHECK(report, heap.free(block) == PointerStatus::live);
    MODMEM_CHECK(report, heap.free(block) == PointerStatus::not_live);
    MODMEM_CHECK(report, heap.status(other) == PointerStatus::live);
    heap.release_all();
    MODMEM_CHECK(report, heap.status(other) != PointerStatus::live);
  }
  MODMEM_CHECK(report, heap.stats().live_blocks == 0);
  MODMEM_CHECK(report, is_sound(heap, world));
  report.end();
}

template <typename Kind, typename Options>
void test_heap(Report& report, const char* subject, HeapWorld& world, const Options& options) {
  using Test = void (*)(Report&, const char*, Heap&, HeapWorld&);
  constexpr Test kTests[] = {test_random_operations, test_running_out, test_largest_request,
                             test_pointers};
  for (const Test test : kTests) {
    static Kind heap;
    PageAccount account;
    const bool opened =
        heap.open(world.space(), world.descriptors(), HeapWorld::kHeap, account, options);
    if (!opened) {
      report.begin(subject, "opens");
      MODMEM_CHECK(report, opened);
      report.end();
      return;
    }
    if constexpr (requires { heap.set_interim(); }) {
      heap.set_interim();  // from then on a region is a heap
    }
    test(report, subject, heap, world);
    heap.close();
  }
}

}  // namespace

void test_heaps(Report& report, HeapWorld& world) {
  const std::uint32_t frames = world.pool().frames();
  test_heap<ElasticHeap>(report, "elastic", world, ElasticHeapOptions{.span_pages = 24});
  test_heap<ElasticHeap>(report, "elastic that keeps pages", world,
                         ElasticHeapOptions{.span_pages = 24, .retained_pages = 3});
  test_heap<ElasticHeap>(report, "fixed arena", world,
                         ElasticHeapOptions{.fixed_pages = kArenaPages});
  test_heap<Region>(report, "region", world,
                    RegionOptions{.bytes = kArenaPages * config::kPageBytes});
  static constexpr SlotBundle kBundles[] = {{64, 64}, {256, 48}, {1024, 16}, {4096, 8}, {16384, 2}};
  const std::uint32_t most = frames < 64 ? frames : 64;
  test_heap<SlotHeap>(
      report, "slots", world,
      SlotHeapOptions{.region_bytes = most * config::kPageBytes, .bundles = kBundles});
}

}  // namespace modmem::firmware
