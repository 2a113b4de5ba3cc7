// Events as a reader finds them in the rings.

#include "record/recorder.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "port/host/host_port.hpp"

namespace modmem {
namespace {

constexpr std::uint64_t kTimeMask = event::kTimeSpan - 1;

class RecorderTest : public ::testing::Test {
 protected:
  void open(std::uint32_t cores, std::size_t slots, RingSpill* spill = nullptr) {
    slots_.resize(slots);
    ASSERT_TRUE(recorder_.open(slots_, cores, port_, spill));
  }

  std::vector<EventSlot> read(std::uint32_t core = 0) {
    std::vector<EventSlot> slots(recorder_.ring(core).capacity());
    slots.resize(recorder_.ring(core).read(slots));
    return slots;
  }

  static EventKind kind(const EventSlot& slot) { return event::head_of(slot.low).kind; }
  static std::uint64_t first(const EventSlot& anchor) {
    return anchor.low >> 32 | (anchor.high & 0xffff) << 32;
  }
  static std::uint64_t time(const EventSlot& anchor) { return anchor.high >> 16; }

  ~RecorderTest() override { set_host_core(0); }

  HostPort port_;
  std::vector<EventSlot> slots_;
  Recorder recorder_;
};

TEST_F(RecorderTest, WritesWhatItWasToldInOneSlot) {
  open(1, 64);
  const event::Block block{.place = 0x1234567, .bytes = 0xabcdef1, .flags = 0x7fc, .memory = 2};
  recorder_.allocate(17, 0xfffe, event::alignment_code(4096), block);
  const std::vector<EventSlot> slots = read();
  ASSERT_EQ(slots.size(), 2U);  // behind the anchor
  const event::Head head = event::head_of(slots[1].low);
  EXPECT_EQ(head.kind, EventKind::allocate);
  EXPECT_EQ(head.owner, 17);
  EXPECT_EQ(head.site, 0xfffe);
  EXPECT_EQ(event::alignment_of(head.code), 4096U);
  EXPECT_EQ(event::block_of(slots[1].high), block);
}

TEST_F(RecorderTest, CodesEveryAlignment) {
  EXPECT_EQ(event::alignment_of(event::alignment_code(0)), 0U);
  for (std::size_t alignment = 1; alignment < (std::size_t{1} << 31); alignment *= 2) {
    EXPECT_EQ(event::alignment_of(event::alignment_code(alignment)), alignment);
  }
}

TEST_F(RecorderTest, AnchorsTimeOnceAndAfterGaps) {
  open(1, 64);
  constexpr std::uint64_t kBegin = 5 * event::kTimeSpan + 3;
  constexpr std::uint64_t kEnd = kBegin + 1000 + event::kTimeSpan;
  port_.set_time_us(kBegin);
  recorder_.period(1);
  port_.set_time_us(kBegin + 1000);
  recorder_.period(2);
  port_.set_time_us(kEnd);
  recorder_.period(3);
  const std::vector<EventSlot> slots = read();
  ASSERT_EQ(slots.size(), 5U);
  EXPECT_EQ(kind(slots[0]), EventKind::anchor);
  EXPECT_EQ(time(slots[0]), kBegin);
  EXPECT_EQ(first(slots[0]), 0U);
  EXPECT_EQ(kind(slots[2]), EventKind::period);
  EXPECT_EQ(event::head_of(slots[2].low).time, 1003U);
  EXPECT_EQ(kind(slots[3]), EventKind::anchor);
  EXPECT_EQ(time(slots[3]), kEnd);
  EXPECT_EQ(event::head_of(slots[4].low).time, kEnd & kTimeMask);
}

TEST_F(RecorderTest, NumbersEventsOverAllCores) {
  open(2, 128);
  recorder_.period(0);
  recorder_.period(1);
  set_host_core(1);
  recorder_.period(2);
  set_host_core(0);
  recorder_.period(3);
  const std::vector<EventSlot> other = read(1);
  ASSERT_EQ(other.size(), 2U);
  EXPECT_EQ(first(other[0]), 2U);
  const std::vector<EventSlot> own = read(0);
  ASSERT_EQ(own.size(), 5U);
  EXPECT_EQ(first(own[0]), 0U);
  EXPECT_EQ(kind(own[3]), EventKind::anchor);
  EXPECT_EQ(first(own[3]), 3U);
}

TEST_F(RecorderTest, CountsWhatFindsNoRoomAndAnchorsBehindIt) {
  open(1, 64);
  for (std::uint64_t i = 0; i < 100; ++i) {
    recorder_.period(i);
  }
  EXPECT_EQ(recorder_.lost(), 37U);  // 63 fit beside the anchor
  EXPECT_EQ(read().size(), 64U);
  recorder_.period(100);
  const std::vector<EventSlot> slots = read();
  ASSERT_EQ(slots.size(), 2U);
  EXPECT_EQ(kind(slots[0]), EventKind::anchor);
  EXPECT_EQ(first(slots[0]), 100U);
  EXPECT_EQ(recorder_.lost(), 37U);
}

TEST_F(RecorderTest, LosesNothingWhereFullRingsAreEmptied) {
  struct Spill final : RingSpill {
    void on_full(std::uint32_t core) override {
      std::vector<EventSlot> slots(recorder->ring(core).capacity());
      slots.resize(recorder->ring(core).read(slots));
      all.insert(all.end(), slots.begin(), slots.end());
    }
    Recorder* recorder = nullptr;
    std::vector<EventSlot> all;
  } spill;
  spill.recorder = &recorder_;
  open(1, 64, &spill);
  for (std::uint64_t i = 0; i < 1000; ++i) {
    recorder_.period(i);
  }
  spill.on_full(0);
  EXPECT_EQ(recorder_.lost(), 0U);
  ASSERT_EQ(spill.all.size(), 1001U);
  for (std::uint64_t i = 0; i < 1000; ++i) {
    EXPECT_EQ(spill.all[i + 1].low >> 32, i);
  }
}

TEST_F(RecorderTest, WritesNamesWithTheirEnd) {
  open(1, 64);
  const std::string longest(300, 'x');
  for (const std::string& name :
       {std::string(), std::string("abc"), std::string("abcd"), longest}) {
    recorder_.site_name(name.c_str(), 7);
    const std::vector<EventSlot> slots = read();
    std::size_t at = 0;
    while (kind(slots[at]) == EventKind::anchor) {
      ++at;
    }
    EXPECT_EQ(kind(slots[at]), EventKind::site_name);
    EXPECT_EQ(static_cast<std::uint32_t>(slots[at].high), 7U);
    const std::string text(reinterpret_cast<const char*>(&slots[at]) + 12);
    EXPECT_EQ(text, name.substr(0, Recorder::kMostText));
    EXPECT_EQ(slots.size() - at, (12 + text.size()) / 16 + 1);
  }
  EXPECT_EQ(recorder_.sites(), 4);
}

TEST_F(RecorderTest, RefusesTooFewSlotsAndTooManyCores) {
  slots_.resize(127);
  EXPECT_FALSE(recorder_.open(slots_, 2, port_));
  EXPECT_FALSE(recorder_.open(slots_, 0, port_));
  slots_.resize(64 * 17);
  EXPECT_FALSE(recorder_.open(slots_, 17, port_));
}

TEST(EventRing, HandsWholeEventsFromOneThreadToAnother) {
  std::vector<EventSlot> slots(64);
  EventRing ring;
  ring.open(slots);
  constexpr std::uint64_t kEvents = 20000;
  std::thread writer([&] {
    for (std::uint64_t i = 0; i < kEvents;) {
      const EventSlot event[] = {{i, i}, {i, ~i}, {i, i}};
      if (ring.room() >= 3) {
        ring.write(event);
        ++i;
      }
    }
  });
  std::vector<EventSlot> got(64);
  std::uint64_t expected = 0;
  while (expected < kEvents) {
    const std::uint32_t count = ring.read(got);
    ASSERT_EQ(count % 3, 0U);
    for (std::uint32_t at = 0; at < count; at += 3, ++expected) {
      ASSERT_EQ(got[at].low, expected);
      ASSERT_EQ(got[at + 1].high, ~expected);
    }
  }
  writer.join();
  EXPECT_EQ(ring.lost(), 0U);
}

}  // namespace
}  // namespace modmem
