// A Memory that is recorded: which events its calls leave, and that recording changes nothing.

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "memory/memory.hpp"
#include "modmem/presets.hpp"
#include "port/host/host_port.hpp"
#include "record/recorded_port.hpp"

namespace modmem {
namespace {

class RecordingTest : public ::testing::Test {
 protected:
  explicit RecordingTest(MemoryObserver* observer = nullptr)
      : host_(config::kDefaultPlatform), slots_(1U << 14) {
    host_.set_time_us(0);
    EXPECT_TRUE(recorder_.open(slots_, config::kDefaultPlatform.cores, host_));
    port_.emplace(host_, recorder_);
    memory_.set_recorder(recorder_);
    boot(memory_, *port_, arena_, observer);
    read();
  }
  ~RecordingTest() override { memory_.shutdown(); }

  static void boot(Memory& memory, Port& port, std::vector<std::byte>& arena,
                   MemoryObserver* observer = nullptr) {
    const PlatformConfig& config = config::kDefaultPlatform;
    arena.resize(Memory::arena_bytes(config, port));
    ASSERT_TRUE(memory.boot(config, kElasticPolicy, port, observer, arena));
  }

  // The first slots of the events since the last call, without anchors; second_ has their second
  // ones, of those that have one.
  std::vector<EventSlot> read() {
    std::vector<EventSlot> slots(recorder_.ring(0).capacity());
    slots.resize(recorder_.ring(0).read(slots));
    std::vector<EventSlot> heads;
    second_.clear();
    for (std::size_t at = 0; at < slots.size();) {
      const EventKind kind = event::head_of(slots[at].low).kind;
      if (kind != EventKind::anchor) {
        heads.push_back(slots[at]);
        second_.push_back(event::slots_of(kind) > 1 ? slots[at + 1] : EventSlot{});
      }
      const std::uint32_t count = event::slots_of(kind);
      if (count != 0) {
        at += count;
        continue;
      }
      const auto* text = reinterpret_cast<const char*>(&slots[at]) + 12;
      at += (12 + std::char_traits<char>::length(text)) / sizeof(EventSlot) + 1;
    }
    return heads;
  }

  static std::vector<EventKind> kinds(const std::vector<EventSlot>& heads) {
    std::vector<EventKind> kinds;
    for (const EventSlot& head : heads) {
      kinds.push_back(event::head_of(head.low).kind);
    }
    return kinds;
  }

  HostPort host_;
  std::vector<EventSlot> slots_;
  std::vector<EventSlot> second_;
  Recorder recorder_;
  std::optional<RecordedPort> port_;
  std::vector<std::byte> arena_;
  Memory memory_;
};

TEST_F(RecordingTest, TellsOfABlockFromItsPageToItsEnd) {
  Owner* owner = memory_.create_owner(memory_.system(), {.kind = OwnerKind::pipeline, .name = "p"});
  ASSERT_NE(owner, nullptr);
  read();
  void* block = memory_.allocate({owner, 3000, 64, flag::kUser, MODMEM_HERE});
  ASSERT_NE(block, nullptr);
  std::vector<EventSlot> events = read();
  ASSERT_GE(events.size(), 3U);
  const std::vector<EventKind> before = kinds(events);
  EXPECT_EQ(std::count(before.begin(), before.end(), EventKind::map), 1);
  const event::Head head = event::head_of(events.back().low);
  ASSERT_EQ(head.kind, EventKind::allocate);
  EXPECT_EQ(head.owner, owner->handle);
  EXPECT_EQ(head.site, recorder_.sites() - 1);
  EXPECT_EQ(event::alignment_of(head.code), 64U);
  const event::Block noted = event::block_of(events.back().high);
  EXPECT_EQ(noted.bytes, 3000U);
  EXPECT_EQ(noted.flags, flag::kUser);
  EXPECT_EQ(memory_.space().address_of(0) + std::size_t{noted.place} * Record::kPlaceBytes, block);
  EXPECT_EQ(event::head_of((events.end() - 2)->low).kind, EventKind::site_name);

  memory_.free(block);
  events = read();
  // The page's bank had no other.
  ASSERT_EQ(kinds(events), (std::vector{EventKind::free, EventKind::unmap, EventKind::bank}));
  EXPECT_EQ(event::block_of(events[0].high).place, noted.place);
}

TEST_F(RecordingTest, ResizingIsOneEventWhetherTheBlockMovesOrNot) {
  void* block = memory_.allocate({nullptr, 100, 0, 0, {}});
  read();
  void* same = memory_.reallocate(block, {nullptr, 90, 0, 0, {}});
  EXPECT_EQ(same, block);
  EXPECT_EQ(kinds(read()), std::vector{EventKind::resize});
  void* behind = memory_.allocate({nullptr, 16, 0, 0, {}});
  read();
  void* moved = memory_.reallocate(block, {nullptr, 600, 0, 0, {}});
  EXPECT_NE(moved, block);
  EXPECT_EQ(kinds(read()), std::vector{EventKind::resize});
  memory_.free(moved);
  memory_.free(behind);
}

TEST_F(RecordingTest, ARefusedRequestHasNoPlace) {
  EXPECT_EQ(memory_.allocate({nullptr, std::size_t{1} << 40, 0, 0, {}}), nullptr);
  const std::vector<EventSlot> events = read();
  ASSERT_EQ(kinds(events), std::vector{EventKind::allocate});
  EXPECT_EQ(event::block_of(events[0].high).place, event::kNoPlace);
  EXPECT_EQ(memory_.allocate({nullptr, 0, 0, 0, {}}), nullptr);
  EXPECT_TRUE(read().empty());  // no request at all
}

TEST_F(RecordingTest, TellsOfOwnersPlansAndUpkeep) {
  Owner* owner = memory_.create_owner(memory_.system(), {.kind = OwnerKind::pipeline, .name = "p"});
  EXPECT_EQ(kinds(read()).back(), EventKind::owner_begin);
  EXPECT_TRUE(memory_.set_limit(*owner, 5000));
  const Need need{.bytes = 1000, .blocks = 2, .largest = 500, .alignment = 0, .flags = 0};
  PlanEntry entry;
  entry.owner = owner;
  entry.needs = {&need, 1};
  EXPECT_TRUE(memory_.admit({&entry, 1}));
  memory_.return_unused(*owner);
  memory_.compact(3);
  memory_.release_owner(*owner);
  std::vector<EventKind> got;
  for (const EventKind kind : kinds(read())) {
    if (kind != EventKind::map && kind != EventKind::unmap && kind != EventKind::bank) {
      got.push_back(kind);
    }
  }
  EXPECT_EQ(got, (std::vector{EventKind::owner_limit, EventKind::plan_entry, EventKind::plan_need,
                              EventKind::plan_end, EventKind::upkeep, EventKind::upkeep,
                              EventKind::owner_end}));
}

TEST_F(RecordingTest, TellsOfARangeWithWhatWasAskedFor) {
  const Range range = memory_.allocate_range({nullptr, 300, 32, 0, MODMEM_HERE}, 2000, 100);
  ASSERT_EQ(range.bytes, 2000U);
  std::vector<EventSlot> events = read();
  event::Head head = event::head_of(events.back().low);
  ASSERT_EQ(head.kind, EventKind::range);
  EXPECT_EQ(head.owner, memory_.system().handle);
  EXPECT_EQ(head.site, recorder_.sites() - 1);
  EXPECT_EQ(event::alignment_of(head.code), 32U);
  EXPECT_EQ(event::block_of(events.back().high).bytes, 2000U);
  EXPECT_EQ(second_.back(), (EventSlot{event::words(300, 2000), 100}));

  // Beyond what the event has bits for.
  constexpr std::size_t kHuge = std::size_t{1} << 40;
  EXPECT_EQ(memory_.allocate_range({nullptr, kHuge, 0, 0, {}}, kHuge, kHuge).pointer, nullptr);
  events = read();
  head = event::head_of(events.back().low);
  ASSERT_EQ(head.kind, EventKind::range);
  EXPECT_EQ(head.site, SiteTable::kUnknown);
  EXPECT_EQ(event::block_of(events.back().high).place, event::kNoPlace);
  EXPECT_EQ(second_.back(), (EventSlot{event::words(UINT32_MAX, UINT32_MAX), UINT32_MAX}));

  EXPECT_EQ(memory_.allocate_range({nullptr, 0, 0, 0, {}}, 10).pointer, nullptr);
  EXPECT_EQ(memory_.allocate_range({nullptr, 10, 0, 0, {}}, 9).pointer, nullptr);
  EXPECT_EQ(memory_.allocate_range({nullptr, 10, 0, 0, {}}, 20, 0).pointer, nullptr);
  EXPECT_TRUE(read().empty()) << "no request at all";
  memory_.free(range.pointer);
}

TEST_F(RecordingTest, TellsOfTheSlotsThatAHeapIsToHave) {
  const SlotBundle bundles[] = {{64, 64}, {256, 16}};
  Owner* owner = memory_.create_owner(
      memory_.system(), {.kind = OwnerKind::slots, .id = 5, .name = "slots"},
      {.kind = HeapKind::slots, .bytes = 2 * config::kPageBytes, .bundles = bundles});
  ASSERT_NE(owner, nullptr);
  std::vector<EventSlot> events;
  for (const EventSlot& slot : read()) {
    const EventKind kind = event::head_of(slot.low).kind;
    if (kind != EventKind::map && kind != EventKind::bank) {
      events.push_back(slot);
    }
  }
  ASSERT_EQ(kinds(events), (std::vector{EventKind::bundle, EventKind::bundle, EventKind::owner_name,
                                        EventKind::owner_begin}));
  EXPECT_EQ(events[0].low >> 32, 64U);
  EXPECT_EQ(events[0].high, 64U);
  EXPECT_EQ(events[1].low >> 32, 16U);
  EXPECT_EQ(events[1].high, 256U);
  EXPECT_EQ(event::head_of(events[3].low).owner, owner->handle);
}

TEST_F(RecordingTest, OwnersThatAreRefusedHaveNoNumber) {
  EXPECT_EQ(memory_.create_owner(
                memory_.system(),
                {.kind = OwnerKind::pipeline, .name = "p", .guarantee = std::size_t{1} << 40}),
            nullptr);
  const std::vector<EventSlot> events = read();
  ASSERT_FALSE(events.empty());
  const event::Head head = event::head_of(events.back().low);
  ASSERT_EQ(head.kind, EventKind::owner_begin);
  EXPECT_EQ(head.owner, event::kNone);
  EXPECT_EQ(head.site, memory_.system().handle) << "its parent";
}

// An entry of who is to be created has the name and the parent; after a refusal no number.
TEST_F(RecordingTest, TellsOfPlansWithThoseWhomTheyCreate) {
  const SlotBundle bundles[] = {{64, 64}};
  for (const bool fits : {false, true}) {
    const Need needs[] = {{.bytes = fits ? 100 : std::size_t{1} << 40,
                           .blocks = 1,
                           .alignment = 64,
                           .flags = flag::kDma,
                           .apart = true}};
    PlanEntry entries[2];
    entries[0].parent = entries[1].parent = &memory_.system();
    entries[0].spec = {.kind = OwnerKind::pipeline, .id = 6, .name = "p"};
    entries[0].needs = needs;
    entries[0].accounts = 70000;  // more than the event has bits for
    entries[1].spec = {.kind = OwnerKind::slots, .id = 7, .name = "s"};
    entries[1].heap = {.kind = HeapKind::slots, .bytes = config::kPageBytes, .bundles = bundles};
    entries[0].accounts = fits ? 2 : 70000;
    EXPECT_EQ(memory_.admit(entries), fits);
    std::vector<EventSlot> events;
    std::vector<EventSlot> second;
    const std::vector<EventSlot> all = read();
    for (std::size_t i = 0; i < all.size(); ++i) {
      const EventKind kind = event::head_of(all[i].low).kind;
      if (kind != EventKind::map && kind != EventKind::unmap && kind != EventKind::bank) {
        events.push_back(all[i]);
        second.push_back(second_[i]);
      }
    }
    ASSERT_EQ(kinds(events),
              (std::vector{EventKind::owner_name, EventKind::plan_entry, EventKind::plan_need,
                           EventKind::bundle, EventKind::owner_name, EventKind::plan_entry,
                           EventKind::plan_end}));
    for (const std::size_t at : {1U, 5U}) {
      const event::Head head = event::head_of(events[at].low);
      const Owner* owner = entries[at / 5].owner;
      EXPECT_EQ(head.owner, fits ? owner->handle : event::kNone);
      EXPECT_EQ(head.site, memory_.system().handle);
    }
    const event::Head need = event::head_of(events[2].low);
    EXPECT_EQ(event::alignment_of(need.code), 64U);
    EXPECT_EQ(need.owner, 1U) << "apart";
    EXPECT_EQ(events[2].high, needs[0].bytes);
    EXPECT_EQ(second[2], (EventSlot{0, event::words(1, flag::kDma)}));
    EXPECT_EQ(event::head_of(events[6].low).code, fits ? 1 : 0);
  }
}

class ObservedRecordingTest : public RecordingTest {
 protected:
  class Observer final : public MemoryObserver {
   public:
    void on_failure(const Failure& failure) override { last = failure; }
    void on_fault(const Fault& /*fault*/) override {}
    void on_leak(const Leak& /*leak*/) override {}

    Failure last;
  };

  ObservedRecordingTest() : RecordingTest(&observer_) {}

  static Observer observer_;
};

ObservedRecordingTest::Observer ObservedRecordingTest::observer_;

TEST_F(ObservedRecordingTest, TellsWhyARequestIsRefusedBeforeIt) {
  constexpr std::size_t kBytes = std::size_t{1} << 40;
  const std::uint16_t sites = recorder_.sites();
  for (const bool has_site : {true, false}) {
    const Site site = has_site ? MODMEM_HERE : Site{};
    EXPECT_EQ(memory_.allocate({nullptr, kBytes, 64, flag::kUser, site}), nullptr);
    const std::vector<EventSlot> events = read();
    ASSERT_EQ(kinds(events),
              has_site ? (std::vector{EventKind::site_name, EventKind::fail, EventKind::allocate})
                       : (std::vector{EventKind::fail, EventKind::allocate}));
    const std::size_t at = has_site ? 1 : 0;
    const event::Head head = event::head_of(events[at].low);
    EXPECT_EQ(head.owner, memory_.system().handle);
    EXPECT_EQ(head.site, SiteTable::kUnknown);
    EXPECT_EQ(event::alignment_of(head.code), 64U);
    EXPECT_EQ(events[at].high, kBytes);
    EXPECT_EQ(observer_.last.reason, FailureReason::pool);
    EXPECT_EQ(second_[at].low, observer_.last.largest_request);
    EXPECT_EQ(second_[at].high,
              event::words(flag::kUser, static_cast<std::uint8_t>(FailureReason::pool)));
  }
  EXPECT_EQ(recorder_.sites(), sites) << "what is refused leaves no site in the table";
}

TEST_F(RecordingTest, ChangesNothing) {
  HostPort plain(config::kDefaultPlatform);
  plain.set_time_us(0);
  Memory other;
  std::vector<std::byte> arena;
  boot(other, plain, arena);
  for (Memory* memory : {&memory_, &other}) {
    std::vector<void*> blocks;
    for (std::size_t i = 1; i < 200; ++i) {
      blocks.push_back(memory->allocate({nullptr, i * 37, 0, 0, {}}));
      if (i % 3 == 0) {
        memory->free(blocks[i / 2]);
        blocks[i / 2] = nullptr;
      }
    }
    static_cast<void>(memory->allocate({nullptr, std::size_t{1} << 26, 0, 0, MODMEM_HERE}));
  }
  EXPECT_EQ(memory_.pool().peak_taken(), other.pool().peak_taken());
  EXPECT_EQ(memory_.metadata_use().peak, other.metadata_use().peak);
  EXPECT_EQ(memory_.metadata_use().tables, other.metadata_use().tables);
  other.shutdown();
}

}  // namespace
}  // namespace modmem
