#include "trace/replay.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <ostream>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "modmem/presets.hpp"
#include "trace/trace_error.hpp"
#include "trace/trace_testing.hpp"

namespace modmem::trace {
namespace {

using testing::file_of;
using testing::join;
using testing::kHeader;
using testing::kOwnersHeader;

// What a replay counts, which is the same on every machine.
struct Counts {
  std::uint64_t allocations = 0;
  std::uint64_t frees = 0;
  std::uint64_t failures = 0;
  std::size_t peak_live_bytes = 0;
  std::uint64_t boundaries = 0;
  std::uint64_t live_bytes_sum = 0;
  std::uint64_t banks_lower_bound_sum = 0;
  std::uint64_t timed_calls = 0;

  bool operator==(const Counts&) const = default;
};

std::ostream& operator<<(std::ostream& out, const Counts& counts) {
  return out << counts.allocations << " allocations, " << counts.frees << " frees, "
             << counts.failures << " failures, peak " << counts.peak_live_bytes << ", "
             << counts.boundaries << " boundaries with " << counts.live_bytes_sum << " bytes on "
             << counts.banks_lower_bound_sum << " banks, " << counts.timed_calls << " calls timed";
}

struct Trace {
  const char* what;
  std::string_view header;
  std::string_view rows;
  Counts counts;
};

std::ostream& operator<<(std::ostream& out, const Trace& trace) { return out << trace.what; }

constexpr Trace kTraces[] = {
    // Measured after the last allocation, and after the end, when nothing lives.
    {"APlainTraceIsOneStream",
     kHeader,
     "1,rzalloc,1,100,0,0,a\n"
     "2,sof_heap_alloc,2,4000,0,256,b\n"
     "3,free,1,,,,a\n"
     "4,rballoc,1,20000,0,0,c\n"
     "5,rfree,2,,,,b\n",
     {.allocations = 3,
      .frees = 2,
      .peak_live_bytes = 24000,
      .boundaries = 2,
      .live_bytes_sum = 24000,
      .banks_lower_bound_sum = 1,
      .timed_calls = 5}},
    // Banks of 128 KiB: 1, 3, 2 and 0.
    {"StartsAndStopsAreMeasured",
     kOwnersHeader,
     "1,rmalloc,1,100000,0,0,a,x\n"
     "2,rmalloc,2,200000,0,0,a,y\n"
     "3,free,1,,,,a,x\n"
     "4,release,,,,,,x\n"
     "5,release,,,,,,y\n",
     {.allocations = 2,
      .frees = 1,
      .peak_live_bytes = 300000,
      .boundaries = 4,
      .live_bytes_sum = 100000 + 300000 + 200000,
      .banks_lower_bound_sum = 6,
      .timed_calls = 3}},
    {"ItGoesOnBehindAFailure",
     kHeader,
     "1,rmalloc,1,1000000000,0,0,a\n"
     "2,free,1,,,,a\n"
     "3,rmalloc,1,100,0,0,a\n",
     {.allocations = 2,
      .failures = 1,
      .peak_live_bytes = 100,
      .boundaries = 2,
      .live_bytes_sum = 100,
      .banks_lower_bound_sum = 1,
      .timed_calls = 2}},
    // Sizes that follow at once are a part of the start.
    {"WhatLivesIsResized",
     kHeader,
     "1,rbrealloc,1,1000,0,0,a\n"
     "2,rbrealloc,1,9000,0,0,a\n"
     "3,rbrealloc,1,10,0,0,a\n"
     "4,rfree,1,,,,a\n",
     {.allocations = 3,
      .frees = 1,
      .peak_live_bytes = 9000,
      .boundaries = 2,
      .live_bytes_sum = 10,
      .banks_lower_bound_sum = 1,
      .timed_calls = 4}},
};

class ReplayCounts : public ::testing::TestWithParam<Trace> {};

INSTANTIATE_TEST_SUITE_P(Traces, ReplayCounts, ::testing::ValuesIn(kTraces),
                         [](const auto& test) { return std::string(test.param.what); });

TEST_P(ReplayCounts, AreThoseOfTheTrace) {
  FileSource source(file_of(join({GetParam().header, GetParam().rows})), "test");
  Replay replay(config::kDefaultPlatform, kElasticPolicy);
  EXPECT_TRUE(replay.play(testing::drain(source)));
  const ReplayFigures& figures = replay.figures();
  EXPECT_EQ((Counts{figures.allocations, figures.frees, figures.failures, figures.peak_live_bytes,
                    figures.boundaries, figures.live_bytes_sum, figures.banks_lower_bound_sum,
                    figures.ns_per_operation.count()}),
            GetParam().counts);
}

TEST(Replay, GivesUpAtAFailureWhereItIsToldTo) {
  FileSource source(file_of(join({kHeader, "1,rmalloc,1,1000000000,0,0,a\n"})), "test");
  Replay strict(config::kDefaultPlatform, kElasticPolicy, {.stop_at_failure = true});
  EXPECT_FALSE(strict.play(testing::drain(source)));
}

TEST(Replay, FindsPayloadThatWasWrittenTo) {
  FileSource source(file_of(join({kHeader, "1,rmalloc,1,100,0,0,a\n", "2,rfree,1,,,,a\n"})),
                    "test");
  std::vector<Event> events = testing::drain(source);
  Replay replay(config::kDefaultPlatform, kElasticPolicy);
  replay.play(std::span(events).first(1));
  Memory& memory = replay.memory();
  for (std::size_t page = 0; page < memory.space().window_pages(); ++page) {
    std::byte* const address = memory.space().address_of(static_cast<std::uint32_t>(page));
    const HeapReport heap = memory.locate(address);
    if (heap.owner != nullptr && heap.owner->spec.kind == OwnerKind::pipeline &&
        memory.is_mapped(address)) {
      address[99] = std::byte{0};  // the block's last byte
    }
  }
  EXPECT_THROW(replay.play(std::span(events).subspan(1)), TraceError);
}

}  // namespace
}  // namespace modmem::trace
