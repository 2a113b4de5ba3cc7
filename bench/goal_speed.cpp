// Goal 4: time of allocate and free on the replay, mapping excluded, against the allocators of
// others.
//
// A round plays the whole day on every contender twice, in turn: once without looking at the clock
// in between, for the mean, and once with the clock read around each operation, for the
// percentiles. What playing takes without an allocator, and what reading the clock takes, are
// subtracted. The mean is that of the fastest round, and the time of an operation its median over
// the rounds, which leaves out what the host did meanwhile. Payload is not touched.
//
// Mapping excluded: the heaps keep the pages that they have been given, and a first round that does
// not count gives them all they need; figures that still had a call of the port would say so.
#include <algorithm>
#include <array>
#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "bench/contenders.hpp"
#include "bench/goals.hpp"
#include "bench/instruction_meter.hpp"
#include "bench/statistics.hpp"
#include "bench/workload.hpp"

namespace modmem::bench {

namespace {

using Clock = std::chrono::steady_clock;

constexpr double kMeanOfGlibc = 1.0;
constexpr double kStretchMeanOfGlibc = 0.8;
constexpr double kTailOfGlibc = 0.2;
constexpr double kTail = 0.9999;
constexpr double kInstructions = 200;
constexpr std::uint64_t kQuickEvents = 2000;
constexpr std::uint64_t kCountedEvents = 1000;
constexpr std::uint32_t kRounds = 7;
constexpr std::uint32_t kMostWarmUps = 16;
constexpr const char* kElastic = "elastic";
constexpr const char* kGlibc = "glibc";

std::uint32_t ns_since(Clock::time_point begin) {
  return static_cast<std::uint32_t>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now() - begin).count());
}

std::uint32_t clock_cost() {
  std::vector<std::uint32_t> costs(10001);
  for (std::uint32_t& cost : costs) {
    cost = ns_since(Clock::now());
  }
  return percentile(costs, 0.5);
}

// One allocator in the race, and what was measured of it.
struct Contender {
  std::string name;
  std::function<double()> batch;                           // ns that all of it took
  std::function<void(std::vector<std::uint32_t>&)> timed;  // ns of each allocate and free
  std::function<std::uint64_t()> port_calls;               // so far
  std::vector<double> batches;
  std::vector<std::vector<std::uint32_t>> times;  // by round
};

template <typename Allocator>
Contender contender(std::string name, const Workload& workload, Allocator allocator) {
  const auto shared = std::make_shared<Allocator>(std::move(allocator));
  const auto blocks = std::make_shared<std::vector<void*>>(workload.blocks);
  Contender made;
  made.name = std::move(name);
  made.batch = [shared, blocks, &workload] {
    const Clock::time_point begin = Clock::now();
    play(workload, *shared, *blocks, [](const Operation&, auto call) { call(); });
    return std::chrono::duration<double, std::nano>(Clock::now() - begin).count();
  };
  made.timed = [shared, blocks, &workload, cost = clock_cost()](std::vector<std::uint32_t>& times) {
    play(workload, *shared, *blocks, [&](const Operation&, auto call) {
      const Clock::time_point begin = Clock::now();
      call();
      const std::uint32_t ns = ns_since(begin);
      times.push_back(ns - std::min(ns, cost));
    });
  };
  made.port_calls = [shared] {
    if constexpr (requires { shared->port_calls(); }) {
      return shared->port_calls();
    } else {
      return std::uint64_t{0};
    }
  };
  return made;
}

using Pages = EngineAllocator::Pages;
using Mapping = Engine::Mapping;

std::vector<Contender> contenders_for(const Workload& workload) {
  const PlatformConfig config = memory_platform();
  std::vector<Contender> contenders;
  const auto add = [&](std::string name, auto allocator) {
    contenders.push_back(contender(std::move(name), workload, std::move(allocator)));
  };
  add("nothing", NoAllocator());
  add(kElastic, EngineAllocator(config, Mapping::plain, workload.streams, Pages::kept));
  for (const Peer& peer : load_peers()) {
    add(peer.name, PeerAllocator(peer));
  }
  add("elastic, mapping counted",
      EngineAllocator(config, Mapping::plain, workload.streams, Pages::returned));
  add("elastic, mapping on the simulator",
      EngineAllocator(config, Mapping::simulator, workload.streams, Pages::returned));
  add("elastic through Memory, mapping counted", MemoryAllocator(workload.streams));
  return contenders;
}

// Plays until nothing more is mapped, or as long as that may take where pages are given back.
void warm_up(Contender& contender) {
  std::uint64_t before = 0;
  std::uint32_t plays = 0;
  do {
    before = contender.port_calls();
    contender.batch();
  } while (contender.port_calls() != before && ++plays < kMostWarmUps);
}

void race(std::vector<Contender>& contenders, std::uint32_t rounds) {
  for (std::uint32_t round = 0; round < rounds; ++round) {
    for (Contender& contender : contenders) {
      contender.batches.push_back(contender.batch());
    }
    for (Contender& contender : contenders) {
      contender.timed(contender.times.emplace_back());
    }
  }
}

double fastest(const std::vector<double>& values) {
  return *std::min_element(values.begin(), values.end());
}

// For each operation of one kind the median over the rounds.
std::vector<std::uint32_t> typical_times(const Contender& contender, const Workload& workload,
                                         trace::OpKind kind) {
  std::vector<std::uint32_t> typical;
  std::vector<std::uint32_t> of_one(contender.times.size());
  std::size_t index = 0;
  for (const Operation& operation : workload.operations) {
    if (operation.kind == trace::OpKind::release) {
      continue;
    }
    if (operation.kind == kind) {
      for (std::size_t round = 0; round < of_one.size(); ++round) {
        of_one[round] = contender.times[round][index];
      }
      typical.push_back(percentile(of_one, 0.5));
    }
    ++index;
  }
  return typical;
}

struct Measured {
  double mean = 0;  // of an allocate and a free together
  double allocate_tail = 0;
  double free_tail = 0;
};

Measured report_contender(GoalReport& report, const std::string& load, const Contender& contender,
                          double nothing, const Workload& workload) {
  const std::string prefix = load + ", " + contender.name + ": ";
  Measured measured;
  measured.mean = (fastest(contender.batches) - nothing) / static_cast<double>(workload.pairs);
  report.inform(prefix + "allocate + free, mean", measured.mean, "ns");
  for (const auto kind : {trace::OpKind::allocate, trace::OpKind::free}) {
    std::vector<std::uint32_t> times = typical_times(contender, workload, kind);
    const std::string name = prefix + (kind == trace::OpKind::allocate ? "allocate, " : "free, ");
    report.inform(name + "p50", percentile(times, 0.5), "ns");
    report.inform(name + "p99", percentile(times, 0.99), "ns");
    const double tail = percentile(times, kTail);
    report.inform(name + "p99.99", tail, "ns");
    (kind == trace::OpKind::allocate ? measured.allocate_tail : measured.free_tail) = tail;
  }
  return measured;
}

void measure_load(GoalReport& report, const std::string& load, const Workload& workload,
                  std::uint32_t rounds) {
  std::vector<Contender> contenders = contenders_for(workload);
  std::uint64_t calls = 0;
  for (Contender& contender : contenders) {
    warm_up(contender);
    calls -= contender.name == kElastic ? contender.port_calls() : 0;
  }
  race(contenders, rounds);
  const double nothing = fastest(contenders.front().batches);
  Measured elastic;
  Measured glibc;
  for (const Contender& contender : contenders) {
    if (contender.name == "nothing") {
      continue;
    }
    const Measured measured = report_contender(report, load, contender, nothing, workload);
    if (contender.name == kElastic) {
      elastic = measured;
      calls += contender.port_calls();
    } else if (contender.name == kGlibc) {
      glibc = measured;
    }
  }
  report.inform(load + ": calls of the port while mapping is excluded", static_cast<double>(calls));
  report.at_most(load + ": mean / glibc's", ratio(elastic.mean, glibc.mean), kMeanOfGlibc);
  report.at_most(load + ": p99.99 of allocate / glibc's",
                 ratio(elastic.allocate_tail, glibc.allocate_tail), kTailOfGlibc);
  report.inform(load + ": p99.99 of free / glibc's", ratio(elastic.free_tail, glibc.free_tail));
}

Workload day(const GoalOptions& options, trace::Load load, std::uint64_t events) {
  return compose(read_recordings(options.traces),
                 {.streams = kDayStreams, .events = events, .seed = 1, .load = load});
}

template <typename Allocator>
void count_pairs(const std::string& name, const Workload& workload, Allocator allocator) {
  std::vector<void*> blocks(workload.blocks);
  play(workload, allocator, blocks, [](const Operation&, auto call) { call(); });
  play(workload, allocator, blocks, [](const Operation&, auto call) {
    InstructionMeter::begin();
    call();
    InstructionMeter::interrupt();
  });
  InstructionMeter::write_down(name.c_str());
}

}  // namespace

void count_speed(const GoalOptions& options) {
  const Workload workload = day(options, trace::Load::day, kCountedEvents);
  const PlatformConfig config = memory_platform();
  count_pairs("nothing", workload, NoAllocator());
  count_pairs(kElastic, workload,
              EngineAllocator(config, Mapping::plain, workload.streams, Pages::kept));
  count_pairs("elastic, mapping counted", workload,
              EngineAllocator(config, Mapping::plain, workload.streams, Pages::returned));
  count_pairs("elastic through Memory, mapping counted", workload,
              MemoryAllocator(workload.streams));
  for (const Peer& peer : load_peers()) {
    count_pairs(peer.name, workload, PeerAllocator(peer));
  }
}

GoalReport goal_speed(const GoalOptions& options) {
  GoalReport report;
  report.title = "speed on the replay, mapping excluded";
  for (const trace::Load load : {trace::Load::day, trace::Load::busy}) {
    measure_load(report, load == trace::Load::day ? "day" : "busy",
                 day(options, load, options.quick ? kQuickEvents : kDayEvents), kRounds);
  }
  const Workload counted = day(options, trace::Load::day, kCountedEvents);
  const InstructionMeter::Counts counts =
      InstructionMeter::count({"--counted", "speed", "--traces", options.traces});
  for (const auto& [name, count] : counts) {
    if (name == "nothing" || name == kEmptyOperation) {
      continue;
    }
    const double pair =
        (count.front() - counts.at("nothing").front()) / static_cast<double>(counted.pairs);
    if (name == kElastic) {
      report.at_most(name + ": instructions of allocate + free", pair, kInstructions);
    } else {
      report.inform(name + ": instructions of allocate + free", pair);
    }
  }
  report.notes = {
      "the stretch goal is a mean of " + std::to_string(kStretchMeanOfGlibc) + " of glibc's",
      "mapping is excluded by heaps that keep their pages; 'mapping counted' gives them "
      "back with the last block, and ends the heap with its stream"};
  return report;
}

}  // namespace modmem::bench
