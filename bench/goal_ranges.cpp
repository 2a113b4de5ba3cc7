// Deep buffers: 4 s of audio are preferred, 20 ms are needed, and the pool is fragmented.
//
// Firmware without range requests tries the preferred size, and then one minimum less each time
// until something fits. Both are done here on the same heap in the same state: how many calls it
// takes, how many instructions, and how much one gets. A heap beside it took nine
// tenths of the pool, page by page, and gave a third of these back, here and there: with an MMU
// that is of no matter, without one the longest piece counts.
#include <algorithm>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "bench/engine.hpp"
#include "bench/goals.hpp"
#include "bench/instruction_meter.hpp"

namespace modmem::bench {

namespace {

constexpr std::size_t kBytesPerSecond = std::size_t{48000} * 2 * 4;
constexpr std::size_t kPreferred = 4 * kBytesPerSecond;
constexpr std::size_t kMinimum = kBytesPerSecond / 50;
constexpr std::size_t kFrameOfAudio = 8;
constexpr std::size_t kSramBytes = std::size_t{5} << 19U;

struct Outcome {
  std::uint32_t calls = 0;
  std::size_t bytes = 0;
};

class FragmentedPool {
 public:
  explicit FragmentedPool(bool has_mmu)
      : engine_(platform_of(kSramBytes, 4, has_mmu), Engine::Mapping::plain),
        heap_(engine_.open(0)) {
    ElasticHeap& other = engine_.open(1);
    std::vector<void*> pages;
    for (std::uint32_t page = 0; page < engine_.pool().frames() * 9 / 10; ++page) {
      pages.push_back(other.allocate(config::kPageBytes, 1));
      if (pages.back() == nullptr) {
        throw std::runtime_error("the pool can't be filled");
      }
    }
    std::shuffle(pages.begin(), pages.end(), std::mt19937_64(1));
    pages.resize(pages.size() / 3);
    for (void* page : pages) {
      other.free(page);
    }
  }

  // Each leaves the heap as it was.
  Outcome request_range(const char* label) {
    InstructionMeter::begin();
    const Range range = heap_.allocate_range(kMinimum, kPreferred, 1, kFrameOfAudio, 0);
    InstructionMeter::end(label);
    heap_.free(range.pointer);
    return {1, range.bytes};
  }
  Outcome request_descending(const char* label) {
    Outcome outcome;
    void* buffer = nullptr;
    InstructionMeter::begin();
    for (std::size_t bytes = kPreferred; bytes >= kMinimum && buffer == nullptr;
         bytes -= kMinimum) {
      buffer = heap_.allocate(bytes, 1);
      ++outcome.calls;
      outcome.bytes = buffer != nullptr ? bytes : 0;
    }
    InstructionMeter::end(label);
    heap_.free(buffer);
    return outcome;
  }

 private:
  Engine engine_;
  ElasticHeap& heap_;
};

std::string label(bool has_mmu, const char* way) {
  return std::string(has_mmu ? "with an MMU: " : "without: ") + way;
}

constexpr const char* kRange = "range request";
constexpr const char* kDescending = "descending loop";

}  // namespace

void count_ranges() {
  for (const bool has_mmu : {true, false}) {
    FragmentedPool pool(has_mmu);
    pool.request_range(label(has_mmu, kRange).c_str());
    pool.request_descending(label(has_mmu, kDescending).c_str());
  }
}

GoalReport measure_ranges() {
  const InstructionMeter::Counts counts = InstructionMeter::count({"--counted", "ranges"});
  GoalReport report;
  report.title = "deep buffers: 1,536,000 B preferred, 7,680 B needed, on a fragmented pool";
  for (const bool has_mmu : {true, false}) {
    FragmentedPool pool(has_mmu);
    const std::string range_name = label(has_mmu, kRange);
    const std::string loop_name = label(has_mmu, kDescending);
    const Outcome range = pool.request_range(range_name.c_str());
    const Outcome loop = pool.request_descending(loop_name.c_str());
    const double range_count = net_counts(counts, range_name).front();
    const double loop_count = net_counts(counts, loop_name).front();
    report.inform(range_name + ", calls", range.calls);
    report.inform(loop_name + ", calls", loop.calls);
    report.at_most(range_name + ", instructions", range_count, loop_count);
    report.inform(loop_name + ", instructions", loop_count);
    report.at_least(range_name + ", got", static_cast<double>(range.bytes),
                    static_cast<double>(loop.bytes), "B");
    report.inform(loop_name + ", got", static_cast<double>(loop.bytes), "B");
  }
  report.notes = {
      "the limits are what the loop takes and gets; counted without what the port does"};
  return report;
}

}  // namespace modmem::bench
