// HeapDriver: several heaps over one pool, driven by commands, each of them checked.
//
// One driver serves the long random run, the rapidcheck properties and their shrinking: a command
// is plain data, and whatever it says is made to fit what is there (an index counts modulo the live
// blocks, and so on). After every command the cheap invariants are checked; after every 1,000th,
// and after each that failed, the deep ones. A failure is looked into: nothing may have changed,
// and no place for the block may exist. What is wrong is thrown as ContractBroken.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <ostream>
#include <string>
#include <vector>

#include "heap/elastic_heap.hpp"
#include "heap/slot_heap.hpp"
#include "heap/testing/heap_model.hpp"
#include "heap/testing/heap_world.hpp"
#include "heap/testing/placement_oracle.hpp"
#include "heap/testing/random.hpp"
#include "heap/testing/slot_oracle.hpp"

namespace modmem {

struct HeapCommand {
  enum class Kind : std::uint8_t {
    allocate,
    allocate_range,
    allocate_largest,
    free,
    free_twice,
    resize,
    misuse,
    release_all,
    reopen,
    premap,  // `keep` pages, of heaps that can
  };
  static constexpr std::uint32_t kAllMaps = UINT32_MAX;

  Kind kind = Kind::allocate;
  std::uint8_t heap = 0;
  std::uint8_t alignment_log = 0;
  std::uint32_t index = 0;  // of a live block
  std::size_t bytes = 1;    // size, or minimum
  std::size_t more = 0;     // preferred - minimum
  std::size_t step = 1;
  std::uint32_t keep = 0;         // frames to keep
  std::uint32_t maps = kAllMaps;  // how many pages can be mapped before the port fails
  bool thorough = false;          // look into a failure, and at what was foretold
};

inline std::ostream& operator<<(std::ostream& out, const HeapCommand& command) {
  static constexpr const char* kNames[] = {
      "allocate", "allocate_range", "allocate_largest", "free",   "free_twice",
      "resize",   "misuse",         "release_all",      "reopen", "premap"};
  return out << kNames[static_cast<int>(command.kind)] << "(heap " << int{command.heap}
             << ", index " << command.index << ", bytes " << command.bytes << " + " << command.more
             << ", align 2^" << int{command.alignment_log} << ", step " << command.step << ", keep "
             << command.keep << ", maps " << command.maps << ")";
}

// `HeapOptions` are those of HeapType::open(); `Oracle` tells of any request whether it fits, and
// of any block whether it lies where the heap promises.
template <typename HeapOptions>
struct HeapDriverOptions {
  bool has_mmu = true;
  PortKind port = PortKind::fake;
  std::uint32_t frames = 64;
  std::uint32_t heaps = 1;
  bool premaps = false;  // random commands do
  HeapOptions heap;
};

template <typename HeapType, typename HeapOptions, typename Oracle>
class HeapDriver {
 public:
  using Options = HeapDriverOptions<HeapOptions>;
  static constexpr std::uint64_t kDeepEvery = 1000;

  explicit HeapDriver(const Options& options)
      : options_(options),
        world_(small_platform(options.has_mmu, options.frames), options.port),
        accounts_(options.heaps),
        heaps_(options.heaps) {
    for (std::uint32_t i = 0; i < options.heaps; ++i) {
      open(i);
      models_.emplace_back(heaps_[i]);
    }
  }

  std::uint64_t steps() const { return steps_; }
  std::uint64_t failures() const { return failures_; }
  std::uint32_t heaps() const { return options_.heaps; }
  HeapWorld& world() { return world_; }
  const HeapType& heap(std::uint32_t index) const { return heaps_[index]; }
  const HeapModel& model(std::uint32_t index) const { return models_[index]; }
  bool premaps() const { return options_.premaps; }
  // Occupied share of what the pool has, in percent: what drives the mix of commands.
  std::size_t filling() {
    return std::size_t{100} * world_.pool().taken() / world_.pool().frames();
  }

  void apply(HeapCommand command) {
    command.heap = static_cast<std::uint8_t>(command.heap % options_.heaps);
    HeapModel& model = models_[command.heap];
    const bool needs_block =
        command.kind == HeapCommand::Kind::free || command.kind == HeapCommand::Kind::free_twice ||
        command.kind == HeapCommand::Kind::resize || command.kind == HeapCommand::Kind::misuse;
    if (needs_block && model.size() == 0) {
      return;
    }
    command.index =
        model.size() == 0 ? 0 : command.index % static_cast<std::uint32_t>(model.size());
    const bool is_quiet = needs_no_port(command);
    const std::uint64_t calls = port_calls();
    const bool done = command.thorough ? run_thoroughly(command) : run(command);
    if (is_quiet) {
      HeapModel::require(done && port_calls() == calls, "a call of the port for what is mapped");
    }
    model.check_cheap();
    ++steps_;
    failures_ += done ? 0 : 1;
    if (!done || steps_ % kDeepEvery == 0) {
      check_deep();
    }
    if (steps_ % kDeepEvery == 0) {
      model.verify_all();
    }
  }

  // Ends everything, one way or the other, and finds the pool as it was at first.
  void finish(bool one_by_one) {
    for (std::uint32_t i = 0; i < options_.heaps; ++i) {
      models_[i].verify_all();
      if (one_by_one) {
        models_[i].free_all();
      }
      heaps_[i].close();
      HeapModel::require(accounts_[i].held == 0, "a closed heap holds frames", accounts_[i].held);
      HeapModel::require(world_.check(), "invariants after a heap was closed");
    }
    HeapModel::require(world_.pool().taken() == 0, "frames left", world_.pool().taken());
    HeapModel::require(world_.descriptors().pages() == 0, "descriptors left");
    HeapModel::require(world_.space().mapped_pages() == 0, "pages left");
    const std::uint32_t gap = world_.space().has_mmu() ? world_.window_pages() : 0;
    HeapModel::require(world_.space().largest_gap() == gap, "spans left");
  }

  // All invariants, to the bottom.
  void check_deep() {
    HeapModel::require(world_.pool().check(), "pool.check()");
    HeapModel::require(world_.space().check(), "space.check()");
    HeapModel::require(world_.descriptors().check(), "descriptors.check()");
    HeapModel::require(!world_.is_fake() || world_.fake().violations() == 0, "the port's rules");
    std::uint32_t held = world_.metadata().held;
    for (std::uint32_t i = 0; i < options_.heaps; ++i) {
      HeapModel::require(heaps_[i].check(CheckDepth::deep), "heap.check(deep)", i);
      held += accounts_[i].held;
    }
    HeapModel::require(held == world_.pool().taken(), "sum over heaps = pool", held);
  }

 private:
  using Kind = HeapCommand::Kind;

  void open(std::uint32_t index) {
    const bool opened = heaps_[index].open(world_.space(), world_.descriptors(),
                                           HeapId{static_cast<std::uint8_t>(index)},
                                           accounts_[index], options_.heap);
    HeapModel::require(opened, "open()", index);
  }

  static constexpr bool kCanPremap = requires(HeapType & heap) { heap.premap(1); };

  std::uint64_t port_calls() {
    return world_.is_fake() ? world_.fake().maps() + world_.fake().unmaps() : 0;
  }

  // Whether a heap with ready pages must serve the command without any call of the port.
  bool needs_no_port(const HeapCommand& command) {
    if constexpr (kCanPremap) {
      const ElasticHeap& heap = heaps_[command.heap];
      if (heap.premapped() == 0) {
        return false;
      }
      if (command.kind == Kind::allocate) {
        return !command.thorough &&  // what is foretold of others may map metadata
               heap.has_place_mapped(command.bytes, std::size_t{1} << command.alignment_log);
      }
      if (command.kind == Kind::free) {
        const HeapModel::Block& block = models_[command.heap][command.index];
        const std::size_t most = block.usable / config::kPageBytes + 2;  // pages
        return heap.ready() + most <= heap.premapped() && world_.descriptors().free() >= most;
      }
    }
    return false;
  }

  bool premap(std::uint32_t index, std::uint32_t pages) {
    if constexpr (kCanPremap) {
      ElasticHeap& heap = heaps_[index];
      if (heap.is_fixed()) {
        return true;
      }
      const std::uint32_t before = heap.premapped();
      const bool done = heap.premap(pages);
      HeapModel::require(heap.premapped() == (done ? pages : before), "pages premapped");
      HeapModel::require(!done || heap.ready() == pages, "pages ready");
      return done;
    }
    return true;
  }

  // Returns false where the heap refused.
  bool run(const HeapCommand& command) {
    HeapModel& model = models_[command.heap];
    const std::size_t alignment = std::size_t{1} << command.alignment_log;
    world_.fail_maps_after(command.maps == HeapCommand::kAllMaps ? FakePort::kNever : command.maps);
    bool done = true;
    switch (command.kind) {
      case Kind::allocate:
        done = model.allocate(command.bytes, alignment);
        break;
      case Kind::allocate_range:
        world_.fail_maps_after(FakePort::kNever);  // what a range gets is foretold
        done = model.allocate_range(command.bytes, command.bytes + command.more, alignment,
                                    command.step, command.keep);
        break;
      case Kind::allocate_largest: {
        const std::size_t largest = heaps_[command.heap].largest_request(alignment);
        done = largest > 0 && model.allocate(largest, alignment);
        break;
      }
      case Kind::free:
        model.free(command.index);
        break;
      case Kind::free_twice:
        model.free_twice(command.index);
        break;
      case Kind::resize:
        done = model.resize(command.index, command.bytes);
        break;
      case Kind::misuse:
        model.misuse(command.index, command.bytes);
        break;
      case Kind::release_all:
        model.release_all();
        break;
      case Kind::reopen:
        world_.fail_maps_after(FakePort::kNever);  // a fixed arena maps its pages now
        model.release_all();
        heaps_[command.heap].close();
        HeapModel::require(accounts_[command.heap].held == 0, "a closed heap holds frames");
        open(command.heap);
        break;
      case Kind::premap:
        done = premap(command.heap, command.keep);
        break;
    }
    world_.fail_maps_after(FakePort::kNever);
    return done;
  }

  bool run_thoroughly(const HeapCommand& command) {
    HeapType& heap = heaps_[command.heap];
    const HeapModel& model = models_[command.heap];
    const std::size_t alignment = std::size_t{1} << command.alignment_log;
    const bool asks = command.kind == Kind::allocate || command.kind == Kind::allocate_range;
    const WorldState before(world_, heap);
    const std::size_t largest = asks ? heap.largest_request(alignment) : 0;
    const FailureReason reason =
        asks ? heap.explain(command.bytes, alignment) : FailureReason::none;
    const Oracle oracle(world_, heap, HeapId{command.heap}, model);
    const bool fits = !asks || oracle.fits(command.bytes, alignment);
    require_same(before, heap, "a question changed something");
    const bool done = run(command);
    if (asks && (command.maps == HeapCommand::kAllMaps || command.kind == Kind::allocate_range)) {
      HeapModel::require(done == (command.bytes <= largest), "largest_request() and the outcome",
                         largest, command.bytes, alignment);
      HeapModel::require(done == (reason == FailureReason::none), "explain() and the outcome",
                         static_cast<int>(reason), command.bytes, alignment);
      HeapModel::require(done || !fits, "there is a place", command.bytes, alignment);
      if (done) {
        const HeapModel::Block& block = model[model.size() - 1];
        HeapModel::require(oracle.allows(block.pointer, block.asked, alignment),
                           "the place is another one", block.asked, alignment);
      }
    }
    if (!done) {
      require_same(before, heap, "a failed call changed something");
    }
    return done;
  }

  void require_same(const WorldState& before, const HeapType& heap, const char* what) {
    const std::string difference = before.difference(WorldState(world_, heap));
    HeapModel::require(difference.empty(), what, difference);
  }

  Options options_;
  HeapWorld world_;
  std::deque<PageAccount> accounts_;
  std::deque<HeapType> heaps_;
  std::deque<HeapModel> models_;
  std::uint64_t steps_ = 0;
  std::uint64_t failures_ = 0;
};

using ElasticDriver = HeapDriver<ElasticHeap, ElasticHeapOptions, PlacementOracle>;
using SlotDriver = HeapDriver<SlotHeap, SlotHeapOptions, SlotOracle>;

// The next command of a random run: sizes mostly small, now and then hundreds of KiB; phases in
// which the heaps fill up and phases in which they empty.
template <typename Driver>
HeapCommand random_command(Random& random, Driver& driver, std::uint32_t thorough_in) {
  HeapCommand command;
  command.heap = static_cast<std::uint8_t>(random.below(driver.heaps()));
  command.index = static_cast<std::uint32_t>(random.next());
  command.alignment_log = static_cast<std::uint8_t>(random.one_in(4) ? random.below(17) : 4);
  command.bytes = random.one_in(60)  ? random.size(300000)
                  : random.one_in(6) ? random.size(16384)
                                     : random.size(1024);
  command.thorough = random.one_in(thorough_in);
  command.maps =
      random.one_in(200) ? static_cast<std::uint32_t>(random.below(6)) : HeapCommand::kAllMaps;
  const bool filling_up = driver.steps() / 5000 % 2 == 0 && driver.filling() < 95;
  const std::size_t what = random.below(1000);
  command.kind = HeapCommand::Kind::free;  // where nothing else is said
  if (what < (filling_up ? 480U : 330U)) {
    command.kind = HeapCommand::Kind::allocate;
  } else if (what >= 998 && random.one_in(20)) {
    if (random.one_in(2)) {
      command.kind = HeapCommand::Kind::allocate_largest;
    } else {
      command.kind = random.one_in(2) ? HeapCommand::Kind::release_all : HeapCommand::Kind::reopen;
    }
  } else if (what >= 990 && driver.premaps()) {
    command.kind = HeapCommand::Kind::premap;
    command.keep = static_cast<std::uint32_t>(random.one_in(4) ? 0 : random.below(14));
  } else if (what >= 960 && what < 990) {
    command.kind = HeapCommand::Kind::allocate_range;
    command.more = random.size(200000);
    command.step = random.size(8192);
    command.keep = static_cast<std::uint32_t>(random.one_in(2) ? 0 : random.below(30));
  } else if (what >= 930 && what < 960) {
    command.kind = HeapCommand::Kind::misuse;
    command.bytes = random.next();
  } else if (what >= 900 && what < 930) {
    command.kind = HeapCommand::Kind::free_twice;
  } else if (what >= 750 && what < 900) {
    command.kind = HeapCommand::Kind::resize;
  }
  return command;
}

}  // namespace modmem
