#include "trace/composer.hpp"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>
#include <vector>

#include "trace/trace_testing.hpp"
#include "trace/writer.hpp"

namespace modmem::trace {
namespace {

using testing::drain;
using testing::join;
using testing::kHeader;
using testing::reader_of;

// Two blocks, of which one is freed.
const std::string kSmall = join({kHeader,
                                 "5,rzalloc,7,100,0,0,a<b\n"
                                 "9,rballoc,8,5000,64,0,c\n"
                                 "20,free,7,,,,d\n"});
// One block, which stays, and one that comes and goes while the stream is set up.
const std::string kLeaving = join({kHeader,
                                   "0,rmalloc,1,30,0,0,x\n"
                                   "1,free,1,,,,x\n"
                                   "2,rmalloc,1,40,0,0,y\n"});

std::vector<Recording> recordings() {
  std::vector<Recording> all;
  for (const std::string& text : {kSmall, kLeaving}) {
    Reader reader = reader_of(text);
    all.emplace_back(reader);
  }
  return all;
}

std::vector<Record> day(const std::vector<Recording>& all, const ComposerOptions& options) {
  Composer composer(all, options);
  std::vector<Record> records;
  Record record;
  while (composer.next(record)) {
    records.push_back(record);
  }
  return records;
}

TEST(Recording, SplitsBehindTheLastAllocationAndFreesTheRest) {
  const std::vector<Recording> all = recordings();
  ASSERT_EQ(all[0].set_up().size(), 2U);
  ASSERT_EQ(all[0].tear_down().size(), 2U);
  EXPECT_EQ(all[0].objects(), 2U);
  EXPECT_EQ(all[0].set_up()[1].record.time_us, 4U);
  EXPECT_TRUE(all[0].set_up()[1].event.boundary);
  EXPECT_EQ(all[0].tear_down()[0].event.block, 0U);
  EXPECT_EQ(all[0].tear_down()[1].event.block, 1U);  // never freed there
  EXPECT_EQ(all[0].tear_down()[1].record.op, "free");
  ASSERT_EQ(all[1].set_up().size(), 3U);
  EXPECT_EQ(all[1].objects(), 2U);  // the id is used twice
  ASSERT_EQ(all[1].tear_down().size(), 1U);
  EXPECT_EQ(all[1].tear_down()[0].event.block, 1U);
}

TEST(Composer, StartsAndStopsAsManyStreamsAsItIsTold) {
  const std::vector<Recording> all = recordings();
  for (const Load load : {Load::day, Load::busy}) {
    for (const std::uint32_t streams : {1U, 3U, 8U}) {
      std::set<std::string> live;
      std::map<std::string, std::set<std::uint64_t>> blocks;
      std::set<std::uint64_t> ids;
      std::uint64_t events = 0;
      std::uint64_t time = 0;
      std::size_t most = 0;
      for (const Record& record : day(all, {streams, 2000, 7, load})) {
        EXPECT_GE(record.time_us, time);
        time = record.time_us;
        if (record.op == "release") {
          EXPECT_EQ(live.erase(record.owner), 1U);
          EXPECT_TRUE(blocks[record.owner].empty()) << "all is freed before";
          ++events;
        } else if (record.op == "free") {
          EXPECT_EQ(blocks[record.owner].erase(record.id), 1U);
        } else {
          events += live.insert(record.owner).second ? 1 : 0;
          EXPECT_TRUE(ids.insert(record.id).second);
          blocks[record.owner].insert(record.id);
        }
        most = std::max(most, live.size());
        EXPECT_LE(live.size(), streams);
      }
      EXPECT_EQ(events, 2000U);
      EXPECT_EQ(most, streams);
    }
  }
}

TEST(Composer, IsBusierUnderABusyLoad) {
  const std::vector<Recording> all = recordings();
  const auto mean_live = [&](Load load) {
    std::size_t sum = 0;
    std::set<std::string> live;
    for (const Record& record : day(all, {8, 4000, 1, load})) {
      if (record.op == "release") {
        live.erase(record.owner);
        sum += live.size();
      } else if (record.op != "free" && live.insert(record.owner).second) {
        sum += live.size();
      }
    }
    return sum / 4000;
  };
  EXPECT_LT(mean_live(Load::day), 6U);
  EXPECT_GE(mean_live(Load::busy), 6U);
}

// The same on every machine: these rows are compared with what stands here.
TEST(Composer, FollowsFromItsSeed) {
  const std::vector<Recording> all = recordings();
  std::string text;
  Writer writer(text, true);
  for (const Record& record : day(all, {2, 5, 1, Load::day})) {
    writer.write(record);
  }
  EXPECT_EQ(text,
            "time_us,op,id,bytes,alignment,flags,caller,owner\n"
            "0,rmalloc,0,30,0,0,x,1\n"
            "1,free,0,,,,x,1\n"
            "2,rmalloc,1,40,0,0,y,1\n"
            "17280000000,free,1,,,,,1\n"
            "17280000000,release,,,,,,1\n"
            "34560000000,rmalloc,2,30,0,0,x,2\n"
            "34560000001,free,2,,,,x,2\n"
            "34560000002,rmalloc,3,40,0,0,y,2\n"
            "51840000000,rzalloc,4,100,0,0,a<b,3\n"
            "51840000004,rballoc,5,5000,64,0,c,3\n"
            "69120000000,free,4,,,,d,3\n"
            "69120000000,free,5,,,,,3\n"
            "69120000000,release,,,,,,3\n");
  const auto first = day(all, {4, 500, 1, Load::day});
  const auto again = day(all, {4, 500, 1, Load::day});
  const auto other = day(all, {4, 500, 2, Load::day});
  ASSERT_EQ(first.size(), again.size());
  bool differs = first.size() != other.size();
  for (std::size_t i = 0; i < first.size(); ++i) {
    EXPECT_EQ(first[i].op, again[i].op);
    EXPECT_EQ(first[i].id, again[i].id);
    EXPECT_EQ(first[i].owner, again[i].owner);
    differs = differs || first[i].op != other[i].op;
  }
  EXPECT_TRUE(differs);
}

// The rows that are written, read again, are the events that it gives itself.
TEST(Composer, GivesTheEventsThatItsFileHas) {
  const std::vector<Recording> all = recordings();
  const ComposerOptions options{3, 400, 11, Load::busy};
  std::string text;
  Writer writer(text, true);
  for (const Record& record : day(all, options)) {
    writer.write(record);
  }
  FileSource file(testing::file_of(text), "test");
  Composer composer(all, options);
  const std::vector<Event> written = drain(file, 1000);
  std::vector<Event> given = drain(composer, 7);
  ASSERT_EQ(written.size(), given.size());
  std::map<std::uint32_t, std::uint32_t> block;  // place here -> place there
  std::map<std::uint32_t, std::uint32_t> owner;
  for (std::size_t i = 0; i < given.size(); ++i) {
    if (given[i].kind == OpKind::allocate) {
      block[given[i].block] = written[i].block;
      owner[given[i].owner] = written[i].owner;
      EXPECT_STREQ(given[i].site, written[i].site);
    }
    EXPECT_EQ(given[i].kind, written[i].kind) << i;
    EXPECT_EQ(given[i].zeroed, written[i].zeroed);
    EXPECT_EQ(given[i].boundary, written[i].boundary) << i;
    EXPECT_EQ(given[i].bytes, written[i].bytes);
    EXPECT_EQ(given[i].flags, written[i].flags);
    EXPECT_EQ(owner[given[i].owner], written[i].owner);
    if (given[i].kind != OpKind::release) {
      EXPECT_EQ(block[given[i].block], written[i].block);
    }
  }
  composer.rewind();
  EXPECT_EQ(drain(composer).size(), given.size());
}

}  // namespace
}  // namespace modmem::trace
