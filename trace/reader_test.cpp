#include "trace/reader.hpp"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "trace/trace_error.hpp"
#include "trace/trace_testing.hpp"
#include "trace/writer.hpp"

namespace modmem::trace {
namespace {

using testing::join;
using testing::kHeader;
using testing::reader_of;
using testing::records_of;

// What the error says that reading `text` to its end gives.
std::string error_of(std::string_view text) {
  try {
    records_of(text);
  } catch (const TraceError& error) {
    return error.what();
  }
  return "";
}

TEST(Reader, ReadsRows) {
  const auto records = records_of(join({kHeader,
                                        "205,rzalloc,0,144,8,272,init<main\n"
                                        "206,free,0,,,,main\n"}));
  ASSERT_EQ(records.size(), 2U);
  EXPECT_EQ(records[0].time_us, 205U);
  EXPECT_EQ(records[0].op, "rzalloc");
  EXPECT_EQ(records[0].id, 0U);
  EXPECT_EQ(records[0].bytes, 144U);
  EXPECT_EQ(records[0].alignment, 8U);
  EXPECT_EQ(records[0].flags, 272U);
  EXPECT_EQ(records[0].caller, "init<main");
  EXPECT_EQ(records[0].line, 2U);
  EXPECT_EQ(records[1].op, "free");
  EXPECT_EQ(records[1].bytes, 0U);
}

TEST(Reader, FindsColumnsByTheirNames) {
  const auto records = records_of(
      "weather,bytes,id,op,owner\r\n"
      "\"rain, \"\"some\"\"\",0x10,0xff,rmalloc,\"left,\nright\"\r\n"
      "\r\n"
      "sun,,0xFF,free,");  // the file ends without an end of line
  ASSERT_EQ(records.size(), 2U);
  EXPECT_EQ(records[0].bytes, 16U);
  EXPECT_EQ(records[0].id, 255U);
  EXPECT_EQ(records[0].owner, "left,\nright");
  EXPECT_EQ(records[0].flags, 0U);
  EXPECT_EQ(records[1].line, 5U);
  EXPECT_TRUE(reader_of("op,id,bytes,owner\n").has_owners());
  EXPECT_FALSE(reader_of("\xef\xbb\xbfop,id,bytes\n").has_owners());
}

TEST(Reader, SaysWhichRowIsWrongAndWhy) {
  EXPECT_EQ(error_of(join({kHeader, "1,rmalloc,1,x,0,0,a\n"})),
            "test:2: bytes \"x\" is not a whole number");
  EXPECT_EQ(error_of(join({kHeader, "\n1,rmalloc,1,4294967296,0,0,a\n"})),
            "test:3: bytes \"4294967296\" is not from 1 to 4294967295");
  EXPECT_EQ(error_of(join({kHeader, "1,rmalloc,1,1,0,0\n"})),
            "test:2: the row has 6 fields, the header 7");
  EXPECT_EQ(error_of(join({kHeader, "1,rmalloc,1,1,0,0,\"a\n\n\n"})),
            "test:2: a quote that begins in this row has no end");
  EXPECT_EQ(error_of("op,bytes\n"),
            "test:1: column id is missing: a trace has time_us, op, id, bytes, alignment, flags, "
            "caller");
  const std::string huge(2 * CsvRows::kMostRowBytes, '1');
  EXPECT_EQ(error_of(join({kHeader, huge})), "test:2: the row has more than 1048576 bytes");
  const std::string long_number =
      error_of(join({kHeader, "1,rmalloc,1,", huge.substr(0, 5000), ",0,0,a"}));
  EXPECT_LT(long_number.size(), 200U);
}

// Files may hold any characters, terminals should not get them.
TEST(Reader, QuotesWhatItRefusesInOnePrintableLine) {
  for (const std::string_view bad : {std::string_view("a\0b", 3), std::string_view("a\x1b[2Jb"),
                                     std::string_view("\"a\nb\""), std::string_view("a\x7f")}) {
    const std::string error = error_of("op,id,bytes\nrmalloc,1," + std::string(bad) + "\n");
    EXPECT_NE(error.find("is not a whole number"), std::string::npos) << error;
    for (const char c : error) {
      EXPECT_TRUE(c >= ' ' && c != '\x7f') << error;
    }
  }
}

TEST(Reader, ReadsRowsThatLieAcrossItsBlocks) {
  std::string text(kHeader);
  constexpr std::uint64_t kRows = 40000;  // more than 1 MiB
  for (std::uint64_t i = 0; i < kRows; ++i) {
    text += std::to_string(i) + ",rmalloc," + std::to_string(i) + ",100,0,0,\"a\nb\"\n";
  }
  Reader reader = reader_of(text);
  for (int pass = 0; pass < 2; ++pass) {
    Record record;
    for (std::uint64_t i = 0; i < kRows; ++i) {
      ASSERT_TRUE(reader.next(record));
      ASSERT_EQ(record.id, i);
      ASSERT_EQ(record.line, 2 + 2 * i);
      ASSERT_EQ(record.caller, "a\nb");
    }
    EXPECT_FALSE(reader.next(record));
    EXPECT_EQ(reader.bytes_read(), text.size());
    EXPECT_EQ(reader.size(), text.size());
    reader.rewind();
  }
}

TEST(Reader, SurvivesDamage) {
  const std::string whole = join({kHeader,
                                  "205,rzalloc,0,144,8,272,\"init,\"\"x\"\"<main\"\r\n"
                                  "206,rfree,0,,,,main\n"});
  constexpr std::string_view kCharacters = ",\"\r\n0x19a\xff";
  std::mt19937 random(1);  // NOLINT(cert-msc51-cpp): the same each time
  for (int round = 0; round < 5000; ++round) {
    std::string text = whole.substr(0, random() % (whole.size() + 1));
    for (std::size_t count = random() % 4; count > 0 && !text.empty(); --count) {
      text[random() % text.size()] = kCharacters[random() % kCharacters.size()];
    }
    const std::string error = error_of(text);
    EXPECT_EQ(error.find('\n'), std::string::npos);
    if (!error.empty()) {
      EXPECT_EQ(error.substr(0, 5), "test:");
    }
  }
}

TEST(Writer, WritesWhatReaderReads) {
  Record record;
  record.time_us = 18446744073709551615U;
  record.op = "rballoc_align";
  record.id = 7;
  record.bytes = 4294967295U;
  record.alignment = 128;
  record.flags = 0x500;
  record.caller = "a, \"b\"\n<c";
  record.owner = "left";
  std::string text;
  Writer writer(text, true);
  writer.write(record);
  record.op = "free";
  writer.write(record);
  record.op = "release";
  writer.write(record);
  const auto records = records_of(text);
  ASSERT_EQ(records.size(), 3U);
  EXPECT_EQ(records[0].time_us, record.time_us);
  EXPECT_EQ(records[0].bytes, record.bytes);
  EXPECT_EQ(records[0].alignment, record.alignment);
  EXPECT_EQ(records[0].flags, record.flags);
  EXPECT_EQ(records[0].caller, record.caller);
  EXPECT_EQ(records[1].id, 7U);
  EXPECT_EQ(records[2].owner, "left");
}

TEST(Op, FollowsFromTheFunctionsName) {
  for (const char* name : {"free", "rfree", "sof_heap_free", "mod_free", "vregion_free"}) {
    EXPECT_EQ(op_of(name).kind, OpKind::free) << name;
  }
  for (const char* name : {"rmalloc", "rzalloc", "sof_heap_alloc", "mod_alloc", "vmh_alloc"}) {
    EXPECT_EQ(op_of(name).kind, OpKind::allocate) << name;
    EXPECT_EQ(op_of(name).implied & flag::kLargeBuffer, 0U) << name;
  }
  for (const char* name : {"rballoc", "rballoc_align", "mod_balloc_align", "rbrealloc"}) {
    EXPECT_NE(op_of(name).implied & flag::kLargeBuffer, 0U) << name;
  }
  EXPECT_EQ(op_of("rbrealloc_align").kind, OpKind::resize);
  EXPECT_EQ(op_of("release").kind, OpKind::release);
  EXPECT_TRUE(op_of("rzalloc").zeroed);
  EXPECT_TRUE(op_of("sof_ctx_zalloc").zeroed);
  EXPECT_FALSE(op_of("rmalloc").zeroed);
  EXPECT_EQ(op_of("mod_alloc").implied, flag::kUser);
}

}  // namespace
}  // namespace modmem::trace
