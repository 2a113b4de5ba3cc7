// All that can happen to small heaps: every one of a few requests, and every free, resize and
// misuse of every block, in every state that any sequence of them leads to; also where the port
// fails to map, and where a bank refuses to come on. Each outcome is held to all that is known of
// it, as by HeapDriver: the model of intervals, the full state before and after a failure, the
// oracle that tries every place.
//
// A state is reached again by the same commands in a world of its own, so all is as deterministic
// as it has to be: where a state were another one the second time, the test fails.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "heap/testing/heap_driver.hpp"
#include "page/testing/exploration.hpp"

namespace modmem {
namespace {

using Kind = HeapCommand::Kind;

constexpr std::uint32_t kAll = UINT32_MAX;  // as deep as it goes

// What is done in every state.
struct Requests {
  std::vector<std::size_t> sizes;
  std::vector<std::uint8_t> alignments = {4};  // as logarithms
  std::vector<std::uint32_t> premaps = {};
};

template <typename Driver>
class ExploredHeap {
 public:
  struct Step {
    HeapCommand command;
    bool broken = false;  // banks refuse to come on
  };
  using Path = std::vector<Step>;

  ExploredHeap(const typename Driver::Options& options, Requests requests)
      : options_(options), requests_(std::move(requests)) {}

  Exploration explore_all(std::uint32_t depth) {
    start_again({});
    return explore(key(), Path{}, depth, [this](const Path& path, auto offer) {
      start_again(path);
      here_ = key();
      for (const Step& step : steps()) {
        attempt(path, step, offer);
      }
    });
  }

 private:
  // All that a command can be where there are so many blocks.
  std::vector<Step> steps() const {
    std::vector<Step> steps;
    const auto add = [&steps](HeapCommand command, bool broken = false) {
      command.thorough = command.kind == Kind::allocate;
      steps.push_back({command, broken});
    };
    const auto blocks = static_cast<std::uint32_t>(driver_->model(0).size());
    for (const std::size_t bytes : requests_.sizes) {
      for (const std::uint8_t alignment : requests_.alignments) {
        const HeapCommand request{.alignment_log = alignment, .bytes = bytes};
        add(request);
        add(with_maps(request, 0));
        add(with_maps(request, 1));
        add(with_maps(request, kMany), true);
      }
      for (std::uint32_t i = 0; i < blocks; ++i) {
        const HeapCommand resize{.kind = Kind::resize, .index = i, .bytes = bytes};
        add(resize);
        add(with_maps(resize, 0));
        add(resize, true);
      }
    }
    for (std::uint32_t i = 0; i < blocks; ++i) {
      add({.kind = Kind::free_twice, .index = i});
      add({.kind = Kind::misuse, .index = i, .bytes = 15});
    }
    for (const std::uint32_t pages : requests_.premaps) {
      add({.kind = Kind::premap, .keep = pages});
      add(with_maps({.kind = Kind::premap, .keep = pages}, 1));
    }
    add({.kind = Kind::release_all});
    return steps;
  }
  static HeapCommand with_maps(HeapCommand command, std::uint32_t maps) {
    command.maps = maps;
    return command;
  }

  void start_again(const Path& path) {
    driver_ = std::make_unique<Driver>(options_);
    for (const Step& step : path) {
      Step again = step;
      again.command.thorough = false;
      apply(again);
    }
  }

  void apply(const Step& step) {
    HeapWorld& world = driver_->world();
    for (std::uint32_t i = 0; i < world.pool().banks(); ++i) {
      world.break_bank(Bank{static_cast<std::uint16_t>(i)}, step.broken);
    }
    driver_->apply(step.command);
  }

  template <typename Offer>
  void attempt(const Path& path, const Step& step, Offer& offer) {
    Path longer = path;
    longer.push_back(step);
    try {
      apply(step);
      driver_->check_deep();
      driver_->model(0).verify_all();
      check_lines();
    } catch (const ContractBroken& wrong) {
      throw ContractBroken(wrong.what() + told(longer));
    }
    std::string there = key();
    const bool moved = there != here_;
    offer(std::move(there), std::move(longer));
    if (moved) {
      start_again(path);
      HeapModel::require(key() == here_, "the same commands led to another state");
    }
  }

  // Which lines are a block's own, of heaps that tell.
  void check_lines() const {
    if constexpr (requires { driver_->heap(0).own_lines(nullptr, kLine); }) {
      const HeapModel& model = driver_->model(0);
      for (std::size_t i = 0; i < model.size(); ++i) {
        const auto start = reinterpret_cast<std::uintptr_t>(model[i].pointer);
        const std::uintptr_t end = start + model[i].usable;
        std::uintptr_t first = align_down(start, kLine);
        std::uintptr_t last = align_up(end, kLine);
        first += is_used(model, first, start) ? kLine : 0;
        last -= is_used(model, end, last) ? kLine : 0;
        const ElasticHeap::Lines own = driver_->heap(0).own_lines(model[i].pointer, kLine);
        HeapModel::require(reinterpret_cast<std::uintptr_t>(own.begin) == first &&
                               reinterpret_cast<std::uintptr_t>(own.end) == last,
                           "a block's own lines", i);
      }
    }
  }
  static bool is_used(const HeapModel& model, std::uintptr_t from, std::uintptr_t to) {
    bool used = false;
    for (std::size_t i = 0; i < model.size() && !used; ++i) {
      const auto start = reinterpret_cast<std::uintptr_t>(model[i].pointer);
      used = start < to && start + model[i].usable > from;
    }
    return used;
  }

  static std::string told(const Path& path) {
    std::ostringstream text;
    for (const Step& step : path) {
      text << "\n  " << step.command << (step.broken ? ", banks are broken" : "");
    }
    return text.str();
  }

  // All that can be seen, the blocks among it.
  std::string key() {
    const HeapModel& model = driver_->model(0);
    std::vector<std::pair<const std::byte*, std::size_t>> blocks;
    for (std::size_t i = 0; i < model.size(); ++i) {
      blocks.emplace_back(model[i].pointer, model[i].usable);
    }
    std::sort(blocks.begin(), blocks.end());
    std::string text = WorldState(driver_->world(), driver_->heap(0)).text();
    for (const auto& [pointer, bytes] : blocks) {
      text += ' ' + std::to_string(driver_->world().space().offset_of(pointer)) + '+' +
              std::to_string(bytes);
    }
    if constexpr (requires { driver_->heap(0).ready(); }) {
      text += ' ' + std::to_string(driver_->heap(0).premapped()) + ' ' +
              std::to_string(driver_->heap(0).ready());
    }
    return text;
  }

  static constexpr std::size_t kLine = 64;
  static constexpr std::uint32_t kMany = 1000;  // maps: enough, but the oracle is not asked

  typename Driver::Options options_;
  Requests requests_;
  std::unique_ptr<Driver> driver_;
  std::string here_;
};

template <typename Driver>
void explore_all(const char* name, const typename Driver::Options& options, Requests requests,
                 std::uint32_t depth, std::uint64_t at_least) {
  const Exploration done = ExploredHeap<Driver>(options, std::move(requests)).explore_all(depth);
  done.print(name);
  EXPECT_GE(done.states, at_least);
  EXPECT_TRUE(depth != kAll || done.complete);
}

// --- slots ---

constexpr std::size_t kPage = config::kPageBytes;
constexpr SlotBundle kTable[] = {{2048, 4}, {8192, 1}};
constexpr SlotHeapOptions kSingle{.region_bytes = 4 * kPage, .bundles = kTable};
constexpr SlotHeapOptions kContiguous{
    .region_bytes = 4 * kPage, .bundles = kTable, .contiguous = true};
const Requests kSlotSizes{.sizes = {100, 2049, 4097}};

TEST(SlotHeapExploration, SingleMmu) {
  explore_all<SlotDriver>("single slots", {.frames = 4, .heap = kSingle}, kSlotSizes, kAll, 600);
}
TEST(SlotHeapExploration, ContiguousMmu) {
  explore_all<SlotDriver>("contiguous slots", {.frames = 5, .heap = kContiguous}, kSlotSizes, 7,
                          3000);
}
TEST(SlotHeapExploration, SingleNoMmu) {
  explore_all<SlotDriver>("single slots, no MMU", {.has_mmu = false, .frames = 6, .heap = kSingle},
                          kSlotSizes, kAll, 12);
}
TEST(SlotHeapExploration, ContiguousNoMmu) {
  explore_all<SlotDriver>("contiguous slots, no MMU",
                          {.has_mmu = false, .frames = 6, .heap = kContiguous}, kSlotSizes, kAll,
                          500);
}

// --- elastic heaps and fixed arenas ---

const Requests kElasticSizes{.sizes = {1024, 3072, 6144}};

TEST(ElasticHeapExploration, Mmu) {
  explore_all<ElasticDriver>("elastic", {.frames = 5, .heap = {.span_pages = 5}}, kElasticSizes, 6,
                             3000);
}
TEST(ElasticHeapExploration, TwoFrames) {
  explore_all<ElasticDriver>("elastic, two frames", {.frames = 3, .heap = {.span_pages = 3}},
                             {.sizes = {2032, 5136}}, kAll, 200);
}
TEST(ElasticHeapExploration, NoMmu) {
  explore_all<ElasticDriver>("elastic, no MMU", {.has_mmu = false, .frames = 5, .heap = {}},
                             kElasticSizes, 6, 3000);
}
TEST(ElasticHeapExploration, Premapped) {
  Requests requests = kElasticSizes;
  requests.premaps = {0, 2};
  explore_all<ElasticDriver>("elastic, premapped",
                             {.frames = 5, .heap = {.span_pages = 5, .retained_pages = 1}},
                             requests, 5, 1500);
}
TEST(ElasticHeapExploration, Fixed) {
  explore_all<ElasticDriver>("fixed arena", {.frames = 5, .heap = {.fixed_pages = 3}},
                             kElasticSizes, 7, 3000);
}

}  // namespace
}  // namespace modmem
