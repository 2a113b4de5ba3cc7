// Goal 5: the slowest allocate and free in instructions, at different numbers of live blocks.
//
// A heap is brought to so many live blocks by churn, then single operations on it are counted, and
// after each the heap is churned on a little. Counted are requests of all sizes up to a page, and
// requests of a few pages, whose bound grows with their own pages. Mapping is not counted.
#include <algorithm>
#include <array>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "bench/engine.hpp"
#include "bench/goals.hpp"
#include "bench/statistics.hpp"

namespace modmem::bench {

namespace {

constexpr std::array<std::uint32_t, 4> kLiveBlocks = {100, 1000, 10000, 40000};
constexpr std::uint32_t kQuickOperations = 300;
constexpr std::uint32_t kOperations = 3000;
constexpr std::uint32_t kLargePages = 4;
// How much more than with a few blocks the slowest operation may take: what is random in it has no
// more to do with the number of blocks.
constexpr double kIndependent = 1.10;
constexpr std::uint32_t kFew = 1000;

// Mapping: what is below these is not counted.
const std::vector<std::string> kMapping = {"modmem::AddressSpace::map(*",
                                           "modmem::AddressSpace::unmap(*"};

struct Kind {
  const char* name;
  std::size_t smallest;
  std::size_t largest;
};
constexpr std::array<Kind, 2> kKinds = {
    {{"up to a page", 1, config::kPageBytes},
     {"of 1 to 4 pages", config::kPageBytes + 1, kLargePages* config::kPageBytes}}};

std::string label(const char* operation, const Kind& kind, std::uint32_t live_blocks) {
  return std::string(operation) + ' ' + kind.name + " at " + std::to_string(live_blocks);
}

// A heap with a number of live blocks that stays.
class Population {
 public:
  Population(ElasticHeap& heap, std::uint32_t live_blocks) : heap_(heap), random_(live_blocks) {
    // Twice as many, then a random half of them goes: holes everywhere.
    while (blocks_.size() < 2 * std::size_t{live_blocks}) {
      add();
    }
    while (blocks_.size() > live_blocks) {
      remove();
    }
  }

  void churn(std::uint32_t times) {
    for (std::uint32_t i = 0; i < times; ++i) {
      remove();
      add();
    }
  }

  std::size_t size_of(const Kind& kind) {
    return kind.smallest + random_() % (kind.largest - kind.smallest + 1);
  }

 private:
  void add() {
    // As recorded: mostly small, one in 32 a buffer.
    const std::size_t most = random_() % 32 == 0 ? 2 * config::kPageBytes : 256;
    void* block = heap_.allocate(16 + random_() % most, 1);
    if (block == nullptr) {
      throw std::runtime_error("the live blocks do not fit");
    }
    blocks_.push_back(block);
  }
  void remove() {
    std::swap(blocks_[random_() % blocks_.size()], blocks_.back());
    heap_.free(blocks_.back());
    blocks_.pop_back();
  }

  ElasticHeap& heap_;
  std::mt19937_64 random_;
  std::vector<void*> blocks_;
};

}  // namespace

void count_bounds(const GoalOptions& options) {
  for (const std::uint32_t live_blocks : kLiveBlocks) {
    Engine engine(platform_of(std::size_t{48} << 20U), Engine::Mapping::plain);
    engine.set_port_apart(false);  // it is below what is apart
    ElasticHeap& heap = engine.open(0);
    Population population(heap, live_blocks);
    const std::uint32_t operations = options.quick ? kQuickOperations : kOperations;
    for (const Kind& kind : kKinds) {
      const std::string allocate = label("allocate", kind, live_blocks);
      const std::string free = label("free", kind, live_blocks);
      for (std::uint32_t i = 0; i < operations; ++i) {
        const std::size_t bytes = population.size_of(kind);
        InstructionMeter::begin_from_zero();
        void* block = heap.allocate(bytes, 1);
        InstructionMeter::end(allocate.c_str());
        population.churn(2);
        InstructionMeter::begin_from_zero();
        heap.free(block);
        InstructionMeter::end(free.c_str());
      }
    }
  }
}

GoalReport goal_bounds(const GoalOptions& options) {
  std::vector<std::string> arguments = {"--counted", "bounds"};
  if (options.quick) {
    arguments.emplace_back("--quick");
  }
  const InstructionMeter::Counts counts = InstructionMeter::count(arguments, kMapping);
  GoalReport report;
  report.title = "bounded time: instructions of the slowest allocate and free";
  for (const char* operation : {"allocate", "free"}) {
    for (const Kind& kind : kKinds) {
      double few = 0;
      for (const std::uint32_t live_blocks : kLiveBlocks) {
        const std::string name = label(operation, kind, live_blocks);
        const std::vector<double> net = net_counts(counts, name);
        const double slowest = *std::max_element(net.begin(), net.end());
        if (live_blocks <= kFew) {
          few = std::max(few, slowest);
          report.inform(name, slowest, "instructions");
        } else {
          report.at_most(name, slowest, few * kIndependent, "instructions");
        }
      }
    }
  }
  report.notes = {
      "counted by callgrind, without AddressSpace::map() and unmap(); name: operation, size of the "
      "request, live blocks; limit: 1.1 times the slowest at 100 or 1000 live blocks"};
  return report;
}

}  // namespace modmem::bench
