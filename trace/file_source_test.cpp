#include "trace/file_source.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "trace/tape.hpp"
#include "trace/trace_error.hpp"
#include "trace/trace_testing.hpp"

namespace modmem::trace {
namespace {

using testing::drain;
using testing::file_of;
using testing::join;
using testing::kHeader;
using testing::kOwnersHeader;

std::vector<Event> events_of(std::string_view text, std::size_t batch = 64) {
  FileSource source(file_of(text), "test");
  return drain(source, batch);
}

// Where starts and stops are complete: 'S' for a start, 'E' for a stop, '.' for the rest.
std::string boundaries(const std::vector<Event>& events) {
  std::string text;
  for (const Event& event : events) {
    text += !event.boundary ? '.' : event.kind == OpKind::release ? 'E' : 'S';
  }
  return text;
}

TEST(FileSource, NamesOfSitesAreTheSameInAllFiles) {
  const std::string text = join({kHeader, "0,rmalloc,1,10,0,0,a<x\n"});
  EXPECT_EQ(events_of(text)[0].site, events_of(text)[0].site);
}

TEST(FileSource, UsesPlacesAgain) {
  const auto events = events_of(join({kHeader,
                                      "0,rmalloc,100,10,0,0,a<x\n"
                                      "0,rmalloc,200,10,0,0,a<y\n"
                                      "0,free,100,,,,b\n"
                                      "0,rballoc,300,10,0,0,b\n"
                                      "0,rmalloc,100,10,0,0,b\n"}));
  ASSERT_EQ(events.size(), 6U);
  EXPECT_EQ(events[0].block, 0U);
  EXPECT_EQ(events[1].block, 1U);
  EXPECT_EQ(events[0].site, events[1].site);  // the innermost function is one
  EXPECT_EQ(events[2].block, 0U);
  EXPECT_EQ(events[3].block, 0U);
  EXPECT_EQ(events[3].flags, flag::kLargeBuffer);
  EXPECT_EQ(events[4].block, 2U);
  EXPECT_EQ(events[5].kind, OpKind::release);  // of the stream that a plain trace is
  EXPECT_EQ(boundaries(events), "....SE");
}

TEST(FileSource, FindsStartsAndStops) {
  const std::string text = join({kOwnersHeader,
                                 "0,rmalloc,1,10,0,0,a,one\n"
                                 "0,rmalloc,2,10,0,0,a,one\n"
                                 "0,free,1,,,,a,one\n"
                                 "0,rmalloc,3,10,0,0,a,two\n"
                                 "0,rmalloc,4,10,0,0,a,one\n"  // plays on
                                 "0,release,,,,,,two\n"
                                 "0,rmalloc,5,10,0,0,a,\n"  // nobody's
                                 "0,rmalloc,3,10,0,0,a,two\n"
                                 "0,free,3,,,,a,two\n"
                                 "0,release,,,,,,two\n"
                                 "0,free,5,,,,a,\n"});
  for (const std::size_t batch : {1U, 2U, 100U}) {
    const auto events = events_of(text, batch);
    EXPECT_EQ(boundaries(events), ".S.S.E.S.E.") << batch;
    EXPECT_EQ(events[6].owner, Event::kSystem);
    EXPECT_EQ(events[10].owner, Event::kSystem);
  }
}

TEST(FileSource, StreamsWhatIsLongerThanItsLookAhead) {
  std::string text(kHeader);
  const std::size_t rows = 2 * FileSource::kLookAhead + 7;
  for (std::size_t i = 0; i < rows; i += 2) {
    text += "0,rmalloc,5,10,0,0,a\n0,rfree,5,,,,a\n";
  }
  FileSource source(file_of(text), "test");
  for (int pass = 0; pass < 2; ++pass) {
    const auto events = drain(source, 1000);
    EXPECT_EQ(events.size(), rows + 2);
    std::size_t seen = 0;
    for (const Event& event : events) {
      seen += event.boundary ? 1 : 0;
    }
    EXPECT_EQ(seen, 2U);
    EXPECT_EQ(source.done(), source.total());
    source.rewind();
  }
}

TEST(FileSource, RefusesWhatCanNotBe) {
  const auto error_of = [](std::string_view text) -> std::string {
    FileSource source(file_of(text), "test");
    try {
      drain(source);
    } catch (const TraceError& error) {
      return error.what();
    }
    return source.problems().empty() ? "" : source.problems().front();
  };
  EXPECT_EQ(error_of(join({kHeader, "0,free,4,,,,a\n"})),
            "test:2: id 4 is freed, and does not live");
  EXPECT_EQ(error_of(join({kHeader, "0,rmalloc,4,1,0,0,a\n0,rzalloc,4,1,0,0,a\n"})),
            "test:3: id 4 is allocated, and lives already");
  EXPECT_EQ(
      error_of(join({kOwnersHeader, "0,rmalloc,4,1,0,0,a,x\n0,release,,,,,,x\n0,free,4,,,,a,x\n"})),
      "test:4: id 4 is freed, and does not live");
  EXPECT_EQ(error_of(join({kOwnersHeader, "0,release,,,,,,x\n"})),
            "test:2: owner x is released, and has had no block");
  EXPECT_EQ(error_of(join({kOwnersHeader, "0,release,,,,,,\n"})), "test:2: release names no owner");
}

TEST(FileSource, WhatStandsBeforeABadRowIsUsed) {
  const std::string text =
      join({kHeader, "0,rmalloc,1,10,0,0,a\n0,rmalloc,2,20,0,0,a\n0,free,4,,,,a\n0,free,1,,,,a\n"});
  FileSource source(file_of(text), "test");
  for (int pass = 0; pass < 2; ++pass) {
    const auto events = drain(source);
    ASSERT_EQ(events.size(), 3U);
    EXPECT_EQ(events[1].bytes, 20U);
    EXPECT_EQ(events[2].kind, OpKind::release);
    EXPECT_EQ(source.problems(),
              std::vector<std::string>{"test:4: id 4 is freed, and does not live"});
    source.rewind();
  }
}

TEST(Tape, PlaysAgainWhatItKept) {
  const std::string text = join({kHeader, "0,rmalloc,1,10,0,0,a\n0,rmalloc,2,20,0,0,a\n"});
  for (const std::size_t kept : {std::size_t{0}, std::size_t{2}, std::size_t{3}}) {
    FileSource source(file_of(text), "test");
    Tape tape(source, kept);
    for (int pass = 0; pass < 3; ++pass) {
      const auto events = drain(tape, 2);
      ASSERT_EQ(events.size(), 3U);
      EXPECT_EQ(events[1].bytes, 20U);
      tape.rewind();
    }
    EXPECT_EQ(tape.total(), kept < 3 ? text.size() : 3U);
  }
}

}  // namespace
}  // namespace modmem::trace
