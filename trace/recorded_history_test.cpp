#include "trace/recorded_history.hpp"

#include <algorithm>
#include <map>
#include <numeric>

#include "trace/recorded_trace_testing.hpp"

namespace modmem::trace {
namespace {

class RecordedHistoryTest : public testing::RecordedMemoryFixture {
 protected:
  Owner* owner(Owner& parent, OwnerKind kind, std::uint32_t id, const char* name,
               std::size_t limit = OwnerSpec::kNoLimit) {
    return memory_.create_owner(parent, {.kind = kind, .id = id, .name = name, .limit = limit});
  }
  void* take(Owner* of, std::size_t bytes, Flags flags = 0) {
    return memory_.allocate({of, bytes, 0, flags, MODMEM_HERE});
  }

  // The history of what was recorded. `without`: the number of an event that the trace lacks.
  RecordedHistory& history(const Policy& policy = kElasticPolicy,
                           std::uint64_t without = UINT64_MAX) {
    events_.emplace(finish());
    history_.emplace(events_->platform(), policy);
    CtfEvent event;
    while (events_->next(event)) {
      if (event.number != without) {
        history_->play(event, event.number == without + 1 ? 1 : 0);
      }
    }
    history_->finish();
    return *history_;
  }

  OwnerAccount account(std::string_view name) const {
    const auto owners = history_->accounts().owners();
    const auto found = std::find_if(owners.begin(), owners.end(),
                                    [&](const OwnerAccount& one) { return one.name == name; });
    EXPECT_NE(found, owners.end()) << name;
    return *found;
  }

  std::optional<CtfEvents> events_;
  std::optional<RecordedHistory> history_;
};

TEST_F(RecordedHistoryTest, OwnersAreATree) {
  Owner* music = owner(memory_.system(), OwnerKind::pipeline, 1, "music");
  Owner* gain = owner(*music, OwnerKind::module, 2, "gain");
  take(music, 300);
  void* const first = take(gain, 1000);
  take(gain, 2000);
  memory_.free(first);
  memory_.release_owner(*gain);
  Owner* gain_again = owner(*music, OwnerKind::module, 2, "gain 2");
  take(gain_again, 50);

  const History& history = this->history();
  EXPECT_EQ(history.figures().failures, 0U);
  EXPECT_EQ(history.differs(), 0U);
  EXPECT_EQ(history.live_bytes(), 350U);
  const OwnerAccount gain_was = account("gain");
  EXPECT_EQ(gain_was.kind, OwnerKind::module);
  EXPECT_EQ(gain_was.within, "music");
  EXPECT_EQ(gain_was.peak, 3000U);
  EXPECT_EQ(gain_was.left_bytes, 2000U);
  EXPECT_NE(gain_was.end_event, OwnerAccount::kLives);
  EXPECT_EQ(account("music").peak, 300U);
  EXPECT_EQ(account("music").tree_peak, 3300U);
  EXPECT_EQ(account("music").tree, 350U);
  EXPECT_EQ(account("gain 2").live, 50U);

  const Timeline::Bucket& last = history.timeline().buckets().back();
  EXPECT_EQ(last.owner_by_lane[1], "music");
  EXPECT_EQ(last.live_by_lane[1], 350U);
  const Moment& end = *history.end();
  ASSERT_EQ(end.blocks.size(), 2U);
  std::map<std::uint32_t, std::string> names;
  for (const Moment::Block& block : end.blocks) {
    names[block.bytes] = end.names[block.name];
  }
  EXPECT_EQ(names[300], "music");
  EXPECT_EQ(names[50], "music / gain 2");
}

// Those that are called alike are one row once they have ended.
TEST_F(RecordedHistoryTest, OwnersThatComeAgainAreOne) {
  for (std::size_t i = 1; i <= 3; ++i) {
    Owner* music = owner(memory_.system(), OwnerKind::pipeline, 1, "music");
    take(owner(*music, OwnerKind::module, 2, "gain"), 1000 * i);
    memory_.destroy_owner(*music);
  }
  owner(memory_.system(), OwnerKind::pipeline, 4, "gain");  // another one
  history();
  EXPECT_EQ(history_->accounts().owners().size(), 4U);
  const OwnerAccount music = account("music");
  EXPECT_EQ(music.times, 3U);
  EXPECT_EQ(music.tree_peak, 3000U);
  EXPECT_EQ(music.number, 1U);
  EXPECT_EQ(history_->accounts().owners_begun(), 7U);
}

// An owner ends with all below it.
TEST_F(RecordedHistoryTest, AStreamEndsWithWhatIsBelow) {
  Owner* music = owner(memory_.system(), OwnerKind::pipeline, 1, "music");
  take(owner(*music, OwnerKind::module, 2, "gain"), 1000);
  memory_.destroy_owner(*music);
  Owner* voice = owner(memory_.system(), OwnerKind::pipeline, 3, "voice");
  take(voice, 500);

  const History& history = this->history();
  EXPECT_EQ(account("gain").live, 0U);
  EXPECT_EQ(account("gain").left_bytes, 1000U);
  EXPECT_NE(account("music").end_event, OwnerAccount::kLives);
  EXPECT_EQ(account("system").tree, 500U);
  EXPECT_EQ(history.timeline().buckets().back().owner_by_lane[1], "voice");
  ASSERT_EQ(history.accounts().leftovers().size(), 1U);
  EXPECT_EQ(history.accounts().leftovers()[0].bytes, 500U);
}

TEST_F(RecordedHistoryTest, ReleaseAllEndsBlocksAndNotTheOwner) {
  Owner* music = owner(memory_.system(), OwnerKind::pipeline, 1, "music");
  take(music, 1000);
  take(music, 2000);
  memory_.release_all(*music);
  take(music, 10);
  history();
  EXPECT_EQ(account("music").live, 10U);
  EXPECT_EQ(account("music").live_blocks, 1U);
  EXPECT_EQ(account("music").end_event, OwnerAccount::kLives);
}

// The last reference to a region ends it.
TEST_F(RecordedHistoryTest, ARegionEndsWithItsLastReference) {
  Owner* region =
      memory_.create_owner(memory_.system(), {.kind = OwnerKind::region, .name = "region"},
                           {.kind = HeapKind::region, .bytes = 16384});
  take(region, 5000);
  EXPECT_EQ(memory_.put_region(*region), RegionPut::last);
  const History& history = this->history();
  EXPECT_NE(account("region").end_event, OwnerAccount::kLives);
  EXPECT_EQ(account("region").peak, 5000U);
  EXPECT_EQ(account("system").tree, 0U);
  EXPECT_EQ(history.live_bytes(), 0U);
}

// Resized blocks are known by where they lie now.
TEST_F(RecordedHistoryTest, ABlockIsItsNewPlaces) {
  Owner* music = owner(memory_.system(), OwnerKind::pipeline, 1, "music");
  void* block = take(music, 100);
  take(music, 200);  // in its way
  block = memory_.reallocate(block, {nullptr, 9000, 0, 0, MODMEM_HERE});
  void* const other = take(music, 100);  // where it lay
  memory_.free(block);
  const History& history = this->history();
  EXPECT_EQ(account("music").live, 300U);
  EXPECT_EQ(account("music").live_blocks, 2U);
  EXPECT_EQ(history.end()->blocks.size(), 2U);
  memory_.free(other);
}

TEST_F(RecordedHistoryTest, FailuresAreExplained) {
  Owner* music = owner(memory_.system(), OwnerKind::pipeline, 1, "music");
  Owner* gain = owner(*music, OwnerKind::module, 2, "gain", 1000);
  take(music, 5000);
  EXPECT_EQ(take(gain, 4000), nullptr);
  const History& history = this->history();
  EXPECT_EQ(history.differs(), 0U);
  ASSERT_EQ(history.failures().size(), 1U);
  const FailureNote& note = history.failures()[0];
  EXPECT_EQ(note.owner, "music / gain");
  EXPECT_TRUE(std::string_view(note.site).starts_with("trace/recorded_history_test.cpp:"))
      << note.site;
  EXPECT_EQ(note.bytes, 4000U);
  EXPECT_TRUE(note.explained);
  EXPECT_EQ(note.reason, FailureReason::limit);
  EXPECT_EQ(account("gain").failures, 1U);
  ASSERT_EQ(note.holders.size(), 1U);
  EXPECT_EQ(note.holders[0].name, "music");
  EXPECT_EQ(history.failure_moments().size(), 1U);
}

// Slots run out where pages do not: what was served then fails now, and stays away.
TEST_F(RecordedHistoryTest, AnotherPolicyMayRefuseWhatWasServed) {
  Owner* music = owner(memory_.system(), OwnerKind::pipeline, 1, "music");
  std::vector<void*> blocks;
  for (int i = 0; i < 8; ++i) {
    blocks.push_back(take(music, 100000));
  }
  for (void* block : blocks) {
    memory_.free(block);
  }
  take(music, 70);
  const History& history = this->history(kSlotsPolicy);
  EXPECT_GT(history.figures().failures, 0U);
  EXPECT_GT(history.differs(), 0U);
  EXPECT_EQ(account("music").live, 70U);
  EXPECT_EQ(history.live_bytes(), 70U);
}

TEST_F(RecordedHistoryTest, PipelinesHaveStates) {
  recorder_.pipeline(7, 1);
  recorder_.pipeline(7, 3);
  recorder_.pipeline(8, 2);
  recorder_.pipeline(7, 0);
  const auto& buckets = history().timeline().buckets();
  using States = std::map<std::uint32_t, std::uint8_t>;
  ASSERT_GE(buckets.size(), 4U);
  const std::size_t end = buckets.size();
  EXPECT_EQ(buckets[end - 4].pipelines, (States{{7, 1}}));
  EXPECT_EQ(buckets[end - 3].pipelines, (States{{7, 3}}));
  EXPECT_EQ(buckets[end - 2].pipelines, (States{{7, 3}, {8, 2}}));
  EXPECT_EQ(buckets[end - 1].pipelines, (States{{7, 0}, {8, 2}}));
}

TEST_F(RecordedHistoryTest, LostEventsAreCountedWhereTheyAreLost) {
  for (int i = 0; i < 10; ++i) {
    take(&memory_.system(), 100);
  }
  const History& history = this->history(kElasticPolicy, 8);
  EXPECT_EQ(history.lost(), 1U);
  EXPECT_EQ(history.timeline().buckets()[8].lost, 1U);
}

// More streams than lanes: every sum holds.
TEST_F(RecordedHistoryTest, LanesAddUp) {
  std::vector<Owner*> streams;
  for (std::uint32_t i = 0; i < 20; ++i) {
    streams.push_back(owner(memory_.system(), OwnerKind::pipeline, i, "stream"));
    take(owner(*streams.back(), OwnerKind::module, i, "module"), 1000 + i);
    take(streams.back(), 6000);
  }
  take(&memory_.system(), 77);
  take(&memory_.system(), 78, flag::kShared);
  for (std::uint32_t i = 0; i < 20; i += 2) {
    memory_.destroy_owner(*streams[i]);
  }
  const History& history = this->history();
  for (const Timeline::Bucket& bucket : history.timeline().buckets()) {
    EXPECT_EQ(std::accumulate(bucket.live_by_lane.begin(), bucket.live_by_lane.end(), 0ULL),
              bucket.live);
    EXPECT_EQ(std::accumulate(bucket.mapped_by_lane.begin(), bucket.mapped_by_lane.end(), 0ULL),
              bucket.mapped);
  }
  EXPECT_EQ(account("system").tree, history.live_bytes());
  std::uint64_t live = 0;
  for (const Moment::Block& block : history.end()->blocks) {
    live += block.bytes;
  }
  EXPECT_EQ(live, history.live_bytes());
  EXPECT_EQ(history.lanes()[History::kStreamLanes + 1], "other streams");
  EXPECT_GT(history.timeline().buckets().back().live_by_lane[History::kStreamLanes + 1], 0U);
}

}  // namespace
}  // namespace modmem::trace
