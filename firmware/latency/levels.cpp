// Heaps with more and more live blocks: of the same sizes, so that there are more pages as well;
// and in the same memory, so that they are ever smaller.
//
// A heap is brought to so many live blocks by churn, then single operations on it are counted, and
// after each the heap is churned on a little. Metadata lies in the boot arena, in memory that is
// always there, so that what is counted is the library alone; once more it lies in pages of the
// pool, where the refilling of a TLB or an MPU is counted with it.
#include <new>

#include "firmware/heap_world.hpp"
#include "firmware/latency/measured.hpp"
#include "firmware/random.hpp"
#include "heap/elastic_heap.hpp"
#include "memory/memory.hpp"

namespace modmem::firmware {

namespace {

constexpr std::uint32_t kMostBlocks = 10000;
constexpr std::uint32_t kLargest = 4 * config::kPageBytes;
constexpr std::size_t kMetadataBytes = std::size_t{256} * 1024;
constexpr std::size_t kArenaBytes = kMetadataBytes + std::size_t{64} * 1024;

struct Level {
  const char* series;
  const char* name;
  std::uint32_t blocks;
  std::uint32_t most;  // bytes of a block, of 16 at least
};
// The memory is about 700 KiB: that of the 10,000 blocks.
constexpr Level kLevels[] = {{"same-sizes", "100", 100, 128},
                             {"same-sizes", "1000", 1000, 128},
                             {"same-sizes", "10000", 10000, 128},
                             {"same-memory", "100", 100, 13600},
                             {"same-memory", "1000", 1000, 1360}};
constexpr std::size_t kSameSizes = 3;

struct Kind {
  const char* name;
  std::uint32_t smallest;
  std::uint32_t largest;
};
constexpr Kind kKinds[] = {{"128", 1, 128}, {"4096", 1, 4096}, {"16384", 4097, kLargest}};

alignas(16) std::byte arena[kArenaBytes];
void* blocks[kMostBlocks + kMostBlocks / 4];

// A number of live blocks that stays, of something that allocates and frees.
template <typename Target>
class Population {
 public:
  // First a quarter more, of which some go: holes everywhere. Then each block may have been
  // exchanged.
  bool fill(Report& report, Target& target, const Level& level) {
    target_ = &target;
    level_ = level;
    while (size_ < level.blocks + level.blocks / 4) {
      if (!MODMEM_CHECK(report, add())) {
        return false;
      }
    }
    while (size_ > level.blocks) {
      remove();
    }
    return MODMEM_CHECK(report, churn(level.blocks));
  }

  bool churn(std::uint32_t times) {
    bool done = true;
    for (std::uint32_t i = 0; i < times && done; ++i) {
      remove();
      done = add();
    }
    return done;
  }

  std::uint32_t size_of(const Kind& kind) {
    return kind.smallest + random_.below(kind.largest - kind.smallest + 1);
  }

 private:
  bool add() {
    void* block = target_->allocate(16 + random_.below(level_.most - 15));
    if (block != nullptr) {
      blocks[size_++] = block;
    }
    return block != nullptr;
  }
  void remove() {
    const std::uint32_t at = random_.below(size_);
    target_->free(blocks[at]);
    blocks[at] = blocks[--size_];
  }

  Target* target_ = nullptr;
  Level level_{};
  Random random_;
  std::uint32_t size_ = 0;
};

// An elastic heap that may have all of the window.
class BareHeap {
 public:
  static constexpr const char* kName = "heap";
  static constexpr std::uint32_t kOperations = 2000;

  bool open(const PlatformConfig& config, Port& port) {
    const auto pages = static_cast<std::uint32_t>(config.window_bytes / config::kPageBytes);
    return world_.boot(config, port, arena) &&
           heap_.open(world_.space(), world_.descriptors(), HeapWorld::kHeap, account_,
                      {.span_pages = pages});
  }
  void close() {
    heap_.close();
    world_.shutdown();
  }
  bool settle() { return true; }
  void* allocate(std::size_t bytes) { return heap_.allocate(bytes, 1); }
  PointerStatus free(void* block) { return heap_.free(block); }
  std::uint32_t pages() { return account_.held; }
  bool check() { return world_.check() && heap_.check(CheckDepth::deep); }

 private:
  HeapWorld world_;
  PageAccount account_;
  ElasticHeap heap_;
};

// Memory, and in it a pipeline's heap.
class WholeMemory {
 public:
  static constexpr const char* kName = "memory";
  static constexpr std::uint32_t kOperations = 2000;

  bool open(const PlatformConfig& config, Port& port) {
    if (memory_.boot(config, kElasticPolicy, port, nullptr, arena)) {
      pipeline_ =
          memory_.create_owner(memory_.system(), {.kind = OwnerKind::pipeline, .name = "pipeline"});
      owner_ = pipeline_;
    }
    return pipeline_ != nullptr;
  }
  // From now on blocks are those of an owner that is noted behind all that there is.
  bool settle() {
    owner_ = memory_.create_owner(*pipeline_, {.kind = OwnerKind::module, .name = "late"});
    return owner_ != nullptr;
  }
  void close() {
    memory_.destroy_owner(*pipeline_);
    memory_.shutdown();
  }
  void* allocate(std::size_t bytes) {
    return memory_.allocate(
        {.owner = owner_, .bytes = bytes, .flags = flag::kUser, .site = Site::here()});
  }
  PointerStatus free(void* block) { return memory_.free(block); }
  std::uint32_t pages() { return memory_.pool().taken(); }
  bool check() { return memory_.check(CheckDepth::deep); }

 private:
  Memory memory_;
  Owner* pipeline_ = nullptr;
  Owner* owner_ = nullptr;
};

// The same with all of its metadata in pages of the pool.
class PooledMemory : public WholeMemory {
 public:
  static constexpr const char* kName = "pooled";
  // QEMU takes long to refill an MPU.
  static constexpr std::uint32_t kOperations = 500;

  bool open(PlatformConfig config, Port& port) {
    config.metadata_bytes = 0;
    return WholeMemory::open(config, port);
  }
};

template <typename Target>
void measure_kind(Bench& bench, Target& target, Population<Target>& population, const Kind& kind) {
  for (std::uint32_t i = 0; i < Target::kOperations; ++i) {
    const std::uint32_t bytes = population.size_of(kind);
    Meter::begin();
    void* block = target.allocate(bytes);
    Meter::end<Part::own>();
    bench.add(0, Meter::total(Part::own));
    bool done = population.churn(1) && block != nullptr;
    Meter::begin();
    done = target.free(block) == PointerStatus::live && done;
    Meter::end<Part::own>();
    bench.add(1, Meter::total(Part::own));
    if (!MODMEM_CHECK(bench.report, done)) {
      return;
    }
  }
}

template <typename Target>
void measure(Bench& bench, const PlatformConfig& config, Port& port, const Level& level) {
  alignas(Target) static std::byte place[sizeof(Target)];
  auto& target = *new (place) Target;
  Population<Target> population;
  bench.report.begin(Target::kName, "operations are counted on so many live blocks");
  if (MODMEM_CHECK(bench.report, target.open(config, port)) &&
      population.fill(bench.report, target, level) && MODMEM_CHECK(bench.report, target.settle())) {
    print_name("# pages ", {Target::kName, level.series, level.name});
    print(" ");
    print_decimal(target.pages());
    print("\n");
    for (const Kind& kind : kKinds) {
      bench.clear();
      measure_kind(bench, target, population, kind);
      write_latency(bench.numbers[0],
                    {Target::kName, level.series, "allocate", kind.name, level.name});
      write_latency(bench.numbers[1], {Target::kName, level.series, "free", kind.name, level.name});
    }
    MODMEM_CHECK(bench.report, target.check());
    target.close();
  }
  bench.report.end();
}

}  // namespace

void measure_levels(Bench& bench, const PlatformConfig& board, Port& port) {
  PlatformConfig config = board;
  config.metadata_bytes = kMetadataBytes;
  MeteredPort metered(port);
  for (const Level& level : kLevels) {
    measure<BareHeap>(bench, config, metered, level);
    measure<WholeMemory>(bench, config, metered, level);
  }
  for (const Level& level : std::span(kLevels).first<kSameSizes>()) {
    measure<PooledMemory>(bench, config, metered, level);
  }
}

}  // namespace modmem::firmware
