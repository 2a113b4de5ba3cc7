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
  RecordingTest() : host_(config::kDefaultPlatform), slots_(1U << 14) {
    host_.set_time_us(0);
    EXPECT_TRUE(recorder_.open(slots_, config::kDefaultPlatform.cores, host_));
    port_.emplace(host_, recorder_);
    memory_.set_recorder(recorder_);
    boot(memory_, *port_, arena_);
    read();
  }
  ~RecordingTest() override { memory_.shutdown(); }

  static void boot(Memory& memory, Port& port, std::vector<std::byte>& arena) {
    const PlatformConfig& config = config::kDefaultPlatform;
    arena.resize(Memory::arena_bytes(config, port));
    ASSERT_TRUE(memory.boot(config, kElasticPolicy, port, nullptr, arena));
  }

  // The first slots of the events since the last call, without anchors.
  std::vector<EventSlot> read() {
    std::vector<EventSlot> slots(recorder_.ring(0).capacity());
    slots.resize(recorder_.ring(0).read(slots));
    std::vector<EventSlot> heads;
    for (std::size_t at = 0; at < slots.size();) {
      const EventKind kind = event::head_of(slots[at].low).kind;
      if (kind != EventKind::anchor) {
        heads.push_back(slots[at]);
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
