#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "modmem/presets.hpp"
#include "trace/composer.hpp"
#include "trace/row_history.hpp"
#include "trace/trace_testing.hpp"

namespace modmem::trace {
namespace {

using testing::drain;
using testing::file_of;
using testing::join;
using testing::kOwnersHeader;

struct Played {
  explicit Played(const std::vector<Event>& events, const Policy& policy = kElasticPolicy,
                  const PlatformConfig& platform = config::kDefaultPlatform)
      : history(platform, policy) {
    history.play(events);
    history.finish();
  }
  explicit Played(std::string_view rows, const Policy& policy = kElasticPolicy,
                  const PlatformConfig& platform = config::kDefaultPlatform)
      : Played(events_of(rows), policy, platform) {}

  static std::vector<Event> events_of(std::string_view rows) {
    FileSource source(file_of(join({kOwnersHeader, rows})), "test");
    return drain(source);
  }

  const SiteAccount& site(std::string_view name) const {
    const auto& sites = history.accounts().sites();
    return *std::find_if(sites.begin(), sites.end(),
                         [&](const SiteAccount& site) { return site.name == name; });
  }
  OwnerAccount owner(std::string_view name) const {
    const auto owners = history.accounts().owners();
    return *std::find_if(owners.begin(), owners.end(),
                         [&](const OwnerAccount& owner) { return owner.name == name; });
  }

  RowHistory history;
};

std::uint64_t sum(const std::vector<std::uint64_t>& values) {
  std::uint64_t total = 0;
  for (const std::uint64_t value : values) {
    total += value;
  }
  return total;
}

// A day of two recordings, with more streams at a time than there are lanes.
std::vector<Event> long_day(std::uint64_t events, std::uint32_t streams) {
  Reader one = testing::reader_of(join({testing::kHeader,
                                        "1,rmalloc,1,100,0,0,a\n2,rballoc,2,9000,0,0,b\n"
                                        "3,rmalloc,3,6000,0,0,c\n4,free,1,,,,\n"}));
  Reader two = testing::reader_of(join({testing::kHeader,
                                        "1,rmalloc,1,300,0,0,a\n2,rmalloc,2,50,0,0,d\n"
                                        "3,free,2,,,,\n4,rballoc,2,20000,0,0,b\n"}));
  std::vector<Recording> recordings;
  recordings.emplace_back(one);
  recordings.emplace_back(two);
  Composer composer(recordings, {.streams = streams, .events = events, .load = Load::busy});
  return drain(composer);
}

// What follows from the events alone where every request is served.
struct Model {
  std::map<std::uint32_t, Event> blocks;
  std::uint64_t live = 0;

  void play(const Event& event) {
    if (event.kind == OpKind::allocate || event.kind == OpKind::resize) {
      live += event.bytes;
      live -= event.kind == OpKind::resize ? blocks[event.block].bytes : 0;
      blocks[event.block] = event;
    } else if (event.kind == OpKind::free) {
      live -= blocks[event.block].bytes;
      blocks.erase(event.block);
    } else {
      for (auto at = blocks.begin(); at != blocks.end();) {
        live -= at->second.owner == event.owner ? at->second.bytes : 0;
        at = at->second.owner == event.owner ? blocks.erase(at) : std::next(at);
      }
    }
  }
};

TEST(HistoryTest, BucketsHoldTheMostAfterEachOfTheirEvents) {
  const std::vector<Event> events = long_day(3000, 20);
  ASSERT_GT(events.size(), 4 * Timeline::kMostBuckets);
  const Played played(events);
  const Timeline& timeline = played.history.timeline();
  ASSERT_EQ(timeline.events(), events.size());
  EXPECT_LE(timeline.buckets().size(), Timeline::kMostBuckets);
  EXPECT_GE(timeline.buckets().size(), Timeline::kMostBuckets / 2);

  Model model;
  std::size_t at = 0;
  for (std::size_t i = 0; i < timeline.buckets().size(); ++i) {
    const Timeline::Bucket& bucket = timeline.buckets()[i];
    ASSERT_EQ(bucket.first_event, at);
    EXPECT_EQ(bucket.time_us, events[at].time_us);
    const std::size_t end =
        i + 1 < timeline.buckets().size() ? timeline.buckets()[i + 1].first_event : events.size();
    std::uint64_t most = 0;
    for (; at < end; ++at) {
      model.play(events[at]);
      most = std::max(most, model.live);
    }
    ASSERT_EQ(bucket.live, most) << i;
    ASSERT_EQ(sum(bucket.live_by_lane), most) << i;
    ASSERT_EQ(sum(bucket.mapped_by_lane), bucket.mapped) << i;
    EXPECT_GE(bucket.mapped, bucket.live) << i;
    EXPECT_EQ(bucket.failures, 0U);
  }
  EXPECT_EQ(played.history.live_bytes(), model.live);
}

TEST(HistoryTest, BucketsSayWhichBanksAreOnAndHowFull) {
  const std::vector<Event> events = long_day(300, 20);
  const Played played(events);
  Replay replay(config::kDefaultPlatform, kElasticPolicy, {.time_calls = false});
  const PagePool& pool = replay.memory().pool();
  std::size_t at = 0;
  const auto& buckets = played.history.timeline().buckets();
  for (std::size_t i = 0; i < buckets.size(); ++i) {
    std::vector<std::int32_t> banks(pool.banks(), Timeline::kOff);
    std::uint32_t on = 0;
    std::uint64_t mapped = 0;
    const std::size_t end = i + 1 < buckets.size() ? buckets[i + 1].first_event : events.size();
    for (; at < end; ++at) {
      replay.play({&events[at], 1});
      for (std::uint32_t bank = 0; bank < pool.banks(); ++bank) {
        const Bank name{static_cast<std::uint16_t>(bank)};
        if (pool.is_powered(name)) {
          banks[bank] = std::max(banks[bank], static_cast<std::int32_t>(pool.taken_in(name)));
        }
      }
      on = std::max(on, pool.banks_on());
      mapped = std::max(mapped, std::uint64_t{pool.taken()} * config::kPageBytes);
    }
    ASSERT_EQ(buckets[i].banks, banks) << i;
    ASSERT_EQ(buckets[i].banks_on, on) << i;
    ASSERT_EQ(buckets[i].mapped, mapped) << i;
  }
}

TEST(HistoryTest, SumsOverOwnersAndSitesAreTheTotals) {
  const std::vector<Event> events = long_day(3000, 20);
  const Played played(events);
  const Accounts& accounts = played.history.accounts();
  Account owners = accounts.others();
  for (const OwnerAccount& owner : accounts.owners()) {
    owners.add(owner);
  }
  Account sites;
  for (const SiteAccount& site : accounts.sites()) {
    sites.add(site);
  }
  std::uint64_t churn = 0;
  std::uint64_t allocations = 0;
  std::uint32_t begun = 0;
  for (const Event& event : events) {
    const bool allocates = event.kind == OpKind::allocate || event.kind == OpKind::resize;
    churn += allocates ? event.bytes : 0;
    allocations += allocates ? 1 : 0;
  }
  for (const Account* total : {&owners, &sites}) {
    EXPECT_EQ(total->churn, churn);
    EXPECT_EQ(total->allocations, allocations);
    EXPECT_EQ(total->live, played.history.live_bytes());
    EXPECT_EQ(total->allocations, total->ended + total->live_blocks);
  }
  EXPECT_EQ(owners.lived_us, sites.lived_us);
  EXPECT_EQ(owners.lived_events, sites.lived_events);
  std::uint64_t times = accounts.other_owners();
  for (const OwnerAccount& owner : accounts.owners()) {
    times += owner.times;
  }
  EXPECT_EQ(times, accounts.owners_begun() + 1U);
  begun = accounts.owners_begun();
  EXPECT_GT(begun, Accounts::kMostEnded);
}

constexpr std::string_view kSmall =
    "10,rmalloc,1,100,0,0,init,\n"
    "20,rmalloc,2,5000,0,0,setup,music\n"
    "25,rmalloc,3,200,0,0,setup,music\n"
    "30,rballoc,4,8192,0,0,buffer,music\n"
    "50,free,3,,,,,\n"
    "60,realloc,2,3000,0,0,grow,music\n"
    "70,rmalloc,5,64,0,0,setup,voice\n"
    "90,release,,,,,,music\n";

TEST(HistoryTest, OwnersAndSitesHaveTheirFigures) {
  const Played played(kSmall);
  const OwnerAccount music = played.owner("music");
  EXPECT_EQ(music.allocations, 4U);
  EXPECT_EQ(music.peak, 13392U);
  EXPECT_EQ(music.live, 0U);
  EXPECT_EQ(music.churn, 5000U + 200 + 8192 + 3000);
  EXPECT_EQ(music.ended, 3U);
  EXPECT_EQ(music.lived_us, (50U - 25) + (90 - 20) + (90 - 30));
  EXPECT_EQ(music.left_blocks, 2U);
  EXPECT_EQ(music.left_bytes, 3000U + 8192);
  EXPECT_EQ(music.begin_us, 20U);
  EXPECT_EQ(music.end_us, 90U);
  EXPECT_EQ(music.end_event, 7U);
  EXPECT_EQ(played.owner("voice").end_event, OwnerAccount::kLives);

  const SiteAccount& setup = played.site("setup");
  EXPECT_EQ(setup.allocations, 3U);
  EXPECT_EQ(setup.largest, 5000U);
  EXPECT_EQ(setup.live, 64U);
  EXPECT_EQ(setup.peak, 5200U);
  EXPECT_EQ(setup.lived_events, 2U);  // of the one that was freed
  EXPECT_EQ(played.site("grow").left_bytes, 3000U);
}

// A page or more, through anything but rballoc() and its kin.
TEST(HistoryTest, BuffersInDisguiseAreCounted) {
  const Played played(kSmall);
  EXPECT_EQ(played.site("setup").disguised, 1U);
  EXPECT_EQ(played.site("setup").disguised_bytes, 5000U);
  EXPECT_EQ(played.site("buffer").disguised, 0U);
  EXPECT_EQ(played.site("grow").disguised, 0U);
}

TEST(HistoryTest, WhatLivesAtTheEndIsListed) {
  const Played played(kSmall);
  const auto leftovers = played.history.accounts().leftovers();
  ASSERT_EQ(leftovers.size(), 2U);
  EXPECT_EQ(leftovers[0].bytes, 100U);
  EXPECT_EQ(leftovers[0].owner, Event::kSystem);
  EXPECT_EQ(leftovers[1].bytes, 64U);
  EXPECT_EQ(played.history.accounts().owner(leftovers[1].owner).name, "voice");
}

TEST(HistoryTest, FailuresAreListedWithWhatMemorySaid) {
  const Played played(
      "1,rmalloc,1,3000,0,0,small,tenant\n"
      "2,rballoc,2,100000000,0,0,greedy,hog\n"
      "3,realloc,2,100,0,0,greedy,hog\n"
      "4,free,1,,,,,\n");
  const auto& failures = played.history.failures();
  ASSERT_EQ(failures.size(), 2U);
  EXPECT_EQ(failures[0].event, 1U);
  EXPECT_EQ(failures[0].time_us, 2U);
  EXPECT_EQ(failures[0].owner, "hog");
  EXPECT_STREQ(failures[0].site, "greedy");
  EXPECT_EQ(failures[0].bytes, 100000000U);
  EXPECT_TRUE(failures[0].explained);
  EXPECT_NE(failures[0].reason, FailureReason::none);
  EXPECT_LT(failures[0].largest_request, 100000000U);
  ASSERT_EQ(failures[0].holders.size(), 1U);
  EXPECT_EQ(failures[0].holders[0].name, "tenant");
  EXPECT_EQ(failures[0].holders[0].bytes, 3000U);
  EXPECT_EQ(failures[1].event, 2U);  // a resize of what was refused
  EXPECT_FALSE(failures[1].explained);
  EXPECT_EQ(played.owner("hog").failures, 2U);
  EXPECT_EQ(played.site("greedy").failures, 2U);
  EXPECT_EQ(played.history.failure_moments().size(), 2U);
  EXPECT_EQ(played.history.timeline().buckets()[1].failures, 1U);
}

// Blocks of a moment do not overlap, lie in pages that are mapped, and come to what lives.
TEST(HistoryTest, MomentsShowWhereEverythingLies) {
  for (const Policy* policy : kPolicies) {
    const Played played(long_day(400, 6), *policy);
    const History& history = played.history;
    std::vector<Moment> moments = history.spread();
    EXPECT_LE(moments.size(), History::kMostSpread);
    EXPECT_GE(moments.size(), History::kMostSpread / 2);
    ASSERT_TRUE(history.most_live() && history.most_mapped() && history.end());
    EXPECT_EQ(history.most_live()->live, history.figures().peak_live_bytes);
    moments.push_back(*history.most_live());
    moments.push_back(*history.most_mapped());
    moments.push_back(*history.end());
    for (const Moment& moment : moments) {
      std::map<std::uint32_t, std::uint32_t> frames;
      for (const Moment::Page& page : moment.pages) {
        EXPECT_TRUE(frames.emplace(page.page, page.frame).second);
      }
      EXPECT_EQ(moment.pages.size() * config::kPageBytes, moment.mapped);
      std::uint64_t live = 0;
      std::uint64_t end_of_last = 0;
      for (const Moment::Block& block : moment.blocks) {
        const std::uint64_t start = std::uint64_t{block.page} * config::kPageBytes + block.offset;
        ASSERT_GE(start, end_of_last) << policy->name;
        end_of_last = start + block.bytes;
        for (std::uint64_t page = block.page; page * config::kPageBytes < end_of_last; ++page) {
          ASSERT_TRUE(frames.contains(static_cast<std::uint32_t>(page))) << policy->name;
        }
        live += block.bytes;
      }
      EXPECT_EQ(live, moment.live) << policy->name;
    }
  }
}

TEST(HistoryTest, PagesAreOfWhoseHeapTheyAreIn) {
  const Played played(
      "1,rmalloc,1,100,0,0,init,\n"
      "2,rballoc,2,8192,0,0,buffer,music\n"
      "3,rballoc,3,8192,0,0,buffer,voice\n");
  const Moment& end = *played.history.end();
  std::map<std::string, int> pages;
  for (const Moment::Page& page : end.pages) {
    ++pages[end.names[page.name]];
  }
  EXPECT_EQ(pages["system"], 1);
  EXPECT_EQ(pages["music"], 2);
  EXPECT_EQ(pages["voice"], 2);
}

TEST(HistoryTest, LanesSayWhoseTheyAre) {
  const Played played(
      "1,rmalloc,1,100,0,0,init,\n"
      "2,rmalloc,2,200,0,0,init,music\n"
      "3,rmalloc,3,300,0,0,init,voice\n"
      "4,release,,,,,,music\n"
      "5,rmalloc,4,400,0,0,init,alarm\n");
  const auto& buckets = played.history.timeline().buckets();
  ASSERT_EQ(buckets.size(), 5U);
  const auto owners = [&](std::size_t bucket) {
    return std::vector<std::string>(buckets[bucket].owner_by_lane.begin(),
                                    buckets[bucket].owner_by_lane.begin() + 3);
  };
  EXPECT_EQ(owners(0), (std::vector<std::string>{"", "", ""}));
  EXPECT_EQ(owners(2), (std::vector<std::string>{"", "music", "voice"}));
  EXPECT_EQ(owners(3), (std::vector<std::string>{"", "", "voice"}));
  EXPECT_EQ(owners(4), (std::vector<std::string>{"", "alarm", "voice"}));
  EXPECT_EQ(buckets[4].live_by_lane[1], 400U);
}

TEST(HistoryTest, NumbersAloneAreStreams) {
  const Played played("1,rmalloc,1,100,0,0,init,17\n");
  EXPECT_EQ(played.owner("stream 17").allocations, 1U);
}

TEST(HistoryTest, ATraceWithoutEventsIsOne) {
  const Played played("");
  EXPECT_TRUE(played.history.timeline().buckets().empty());
  EXPECT_FALSE(played.history.end());
}

// Clocks that go back would give lives of negative length, and an axis that is none.
TEST(HistoryTest, TimeNeverGoesBack) {
  const Played played(
      "100,rmalloc,1,100,0,0,init,a\n"
      "50,rmalloc,2,100,0,0,init,a\n"
      "20,free,1,,,,,\n");
  EXPECT_EQ(played.history.last_time_us(), 100U);
  EXPECT_EQ(played.site("init").lived_us, 0U);
}

}  // namespace
}  // namespace modmem::trace
