#include "trace/replay.hpp"

#include <gtest/gtest.h>

#include "modmem/presets.hpp"
#include "trace/trace_error.hpp"
#include "trace/trace_testing.hpp"

namespace modmem::trace {
namespace {

using testing::file_of;
using testing::join;
using testing::kHeader;
using testing::kOwnersHeader;

ReplayFigures replay(std::string_view text, const Policy& policy = kElasticPolicy,
                     const ReplayOptions& options = {}) {
  FileSource source(file_of(text), "test");
  Replay replay(config::kDefaultPlatform, policy, options);
  replay.play(testing::drain(source));
  return replay.figures();
}

TEST(Replay, CountsAPlainTraceAsOneStream) {
  const ReplayFigures figures = replay(join({kHeader,
                                             "1,rzalloc,1,100,0,0,a\n"
                                             "2,sof_heap_alloc,2,4000,0,256,b\n"
                                             "3,free,1,,,,a\n"
                                             "4,rballoc,1,20000,0,0,c\n"
                                             "5,rfree,2,,,,b\n"}));
  EXPECT_EQ(figures.allocations, 3U);
  EXPECT_EQ(figures.frees, 2U);
  EXPECT_EQ(figures.failures, 0U);
  EXPECT_EQ(figures.peak_live_bytes, 24000U);
  // After the last allocation, and after the end, when nothing lives.
  EXPECT_EQ(figures.boundaries, 2U);
  EXPECT_EQ(figures.live_bytes_sum, 24000U);
  EXPECT_EQ(figures.banks_lower_bound_sum, 1U);
  EXPECT_EQ(figures.ns_per_operation.count(), 5U);
}

TEST(Replay, MeasuresAtStartsAndStops) {
  const ReplayFigures figures = replay(join({kOwnersHeader,
                                             "1,rmalloc,1,100000,0,0,a,x\n"
                                             "2,rmalloc,2,200000,0,0,a,y\n"
                                             "3,free,1,,,,a,x\n"
                                             "4,release,,,,,,x\n"
                                             "5,release,,,,,,y\n"}));
  EXPECT_EQ(figures.allocations, 2U);
  EXPECT_EQ(figures.frees, 1U);
  EXPECT_EQ(figures.peak_live_bytes, 300000U);
  EXPECT_EQ(figures.boundaries, 4U);
  EXPECT_EQ(figures.live_bytes_sum, 100000U + 300000U + 200000U);
  // Banks of 128 KiB: 1, 3, 2 and 0.
  EXPECT_EQ(figures.banks_lower_bound_sum, 6U);
}

TEST(Replay, CountsFailuresAndGoesOn) {
  const std::string text = join({kHeader,
                                 "1,rmalloc,1,1000000000,0,0,a\n"
                                 "2,free,1,,,,a\n"
                                 "3,rmalloc,1,100,0,0,a\n"});
  const ReplayFigures figures = replay(text);
  EXPECT_EQ(figures.allocations, 2U);
  EXPECT_EQ(figures.failures, 1U);
  EXPECT_EQ(figures.frees, 0U);
  EXPECT_EQ(figures.peak_live_bytes, 100U);
  FileSource source(file_of(text), "test");
  Replay strict(config::kDefaultPlatform, kElasticPolicy, {.stop_at_failure = true});
  EXPECT_FALSE(strict.play(testing::drain(source)));
}

TEST(Replay, ResizesWhatLives) {
  const ReplayFigures figures = replay(join({kHeader,
                                             "1,rbrealloc,1,1000,0,0,a\n"
                                             "2,rbrealloc,1,9000,0,0,a\n"
                                             "3,rbrealloc,1,10,0,0,a\n"
                                             "4,rfree,1,,,,a\n"}));
  EXPECT_EQ(figures.failures, 0U);
  EXPECT_EQ(figures.peak_live_bytes, 9000U);
  EXPECT_EQ(figures.frees, 1U);
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
