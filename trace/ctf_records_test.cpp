// Recorded traces as rows, rows as traces, and what is left of damaged ones.

#include "trace/ctf_records.hpp"

#include <fstream>
#include <iterator>

#include "trace/ctf_converter.hpp"
#include "trace/recorded_trace_testing.hpp"
#include "trace/trace_error.hpp"
#include "trace/trace_testing.hpp"
#include "trace/writer.hpp"

namespace modmem::trace {
namespace {

// The rows of a trace as CSV, without the header and what has the time and sites in it.
std::string rows_of(RecordSource& source) {
  std::string text;
  Record record;
  while (source.next(record)) {
    text += record.op + " " + std::to_string(record.id) + " " + std::to_string(record.bytes) + " " +
            record.owner + "\n";
  }
  return text;
}

class CtfRecordsTest : public testing::RecordedMemoryFixture {
 protected:
  void* allocate(Owner& owner, std::size_t bytes) {
    return memory_.allocate({&owner, bytes, 0, 0, MODMEM_HERE});
  }
};

TEST_F(CtfRecordsTest, StreamsAreOwnersBelowTheSystem) {
  Owner& pipeline = *memory_.create_owner(memory_.system(),
                                          {.kind = OwnerKind::pipeline, .id = 7, .name = "play"});
  Owner& module = *memory_.create_owner(pipeline, {.kind = OwnerKind::module, .name = "m"});
  void* first = allocate(memory_.system(), 10);
  allocate(pipeline, 20);
  void* third = allocate(module, 30);
  memory_.reallocate(third, {&module, 5000, 0, 0, {}});
  allocate(module, 40);
  memory_.free(first);
  memory_.destroy_owner(module);  // its blocks end, the stream's others do not
  allocate(pipeline, 50);
  memory_.release_owner(pipeline);
  CtfRecords records(finish());
  std::string rows = rows_of(records);
  // The handle at the end of a stream's name is whatever it is.
  for (std::size_t at = rows.find("play/0x7/"); at != std::string::npos;
       at = rows.find("play/0x7/", at + 1)) {
    rows.erase(at + 4, rows.find('\n', at) - at - 4);
  }
  EXPECT_EQ(rows,
            "alloc 0 10 \n"
            "alloc 1 20 play\n"
            "alloc 2 30 play\n"
            "realloc 2 5000 play\n"
            "alloc 3 40 play\n"
            "free 0 0 \n"
            "free 3 0 play\n"
            "free 2 0 play\n"
            "alloc 4 50 play\n"
            "release 0 0 play\n");
}

TEST_F(CtfRecordsTest, TellsWhatItWasRecordedOn) {
  const CtfEvents events(finish());
  EXPECT_STREQ(events.platform().name, platform().name);
  EXPECT_EQ(events.policy(), "elastic");
  EXPECT_FALSE(events.is_converted());
  EXPECT_EQ(events.platform().sram_bytes, platform().sram_bytes);
  EXPECT_EQ(events.platform().retained_us, platform().retained_us);
  EXPECT_EQ(events.platform().max_sites, platform().max_sites);
}

TEST_F(CtfRecordsTest, WhatIsCutOffIsSaidAndTheRestIsRead) {
  for (int i = 0; i < 20; ++i) {
    memory_.free(allocate(memory_.system(), 100));
  }
  const std::filesystem::path path = finish();
  std::ifstream file(path / "core-0", std::ios::binary);
  const std::string whole{std::istreambuf_iterator<char>(file), {}};
  CtfEvents all(path);
  std::vector<std::uint64_t> numbers;
  CtfEvent event;
  while (all.next(event)) {
    numbers.push_back(event.number);
  }
  ASSERT_TRUE(all.problems().empty());
  std::size_t read_before = 0;
  std::ofstream(path / "core-0", std::ios::binary) << whole.substr(0, kCtfPacketHeader);
  EXPECT_THROW(CtfEvents{path}, TraceError);
  for (std::size_t length = kCtfPacketHeader + 16; length < whole.size(); length += 37) {
    std::ofstream(path / "core-0", std::ios::binary) << whole.substr(0, length);
    SCOPED_TRACE(length);
    CtfEvents cut(path);
    std::size_t read = 0;
    while (cut.next(event)) {
      ASSERT_EQ(event.number, numbers[read++]);
    }
    EXPECT_EQ(cut.problems().size(), 1U) << length;
    for (const std::string& problem : cut.problems()) {
      EXPECT_NE(problem.find("core-0: at byte "), std::string::npos) << problem;
    }
    EXPECT_GE(read, read_before);
    read_before = read;
  }
  EXPECT_GE(read_before + 2, numbers.size());
}

TEST_F(CtfRecordsTest, AWrongByteCostsNoMoreThanItsPacket) {
  for (int i = 0; i < 10000; ++i) {
    memory_.free(allocate(memory_.system(), 100));
  }
  const std::filesystem::path path = finish();
  std::fstream file(path / "core-0", std::ios::binary | std::ios::in | std::ios::out);
  file.seekp(kCtfPacketHeader + 160);
  file.put('\x1f');  // a kind that there is not
  file.close();
  CtfEvents events(path);
  CtfEvent event;
  std::size_t read = 0;
  while (events.next(event)) {
    ++read;
  }
  ASSERT_EQ(events.problems().size(), 1U);
  EXPECT_NE(events.problems()[0].find("core-0: at byte 240: this is no event"), std::string::npos)
      << events.problems()[0];
  EXPECT_GT(read, 10000U);
}

TEST_F(CtfRecordsTest, WhatIsNoTraceIsRefused) {
  const std::filesystem::path path = finish();
  EXPECT_THROW(CtfEvents(folder_ / "nothing"), TraceError);
  std::ofstream(path / "metadata") << "/* CTF 1.8 */";
  EXPECT_THROW(CtfEvents{path}, TraceError);
}

TEST(CtfConverter, RowsComeBackAsTheyWere) {
  const testing::Folder folder;
  const std::string text = testing::join({testing::kOwnersHeader,
                                          "5,alloc,0,100,64,16,f<g,one\n"
                                          "6,balloc,1,5000,0,0,h,two\n"
                                          "7,alloc,9,10,0,0,,\n"
                                          "8,realloc,0,200,64,16,f<g,one\n"
                                          "9,free,1,,,,,two\n"
                                          "10,alloc,1,7,0,0,h,two\n"
                                          "5000000,release,,,,,,one\n"
                                          "5000000,free,9,,,,,\n"});
  Reader reader = testing::reader_of(text);
  CtfConverter converter(reader, folder / "trace");
  while (converter.next()) {
  }
  CtfRecords records(folder / "trace");
  EXPECT_TRUE(records.events().is_converted());
  std::string back;
  Writer writer(back, true);
  Record record;
  while (records.next(record)) {
    writer.write(record);
  }
  EXPECT_EQ(back, testing::join({testing::kOwnersHeader,
                                 "5,alloc,0,100,64,16,f<g,one\n"
                                 "6,alloc,1,5000,0,1024,h,two\n"  // what the op implied
                                 "7,alloc,2,10,0,0,,\n"
                                 "8,realloc,0,200,64,16,f<g,one\n"
                                 "9,free,1,,,,,two\n"
                                 "10,alloc,3,7,0,0,h,two\n"
                                 "5000000,release,,,,,,one\n"
                                 "5000000,free,2,,,,,\n"}));
}

TEST(CtfConverter, ATraceWithoutOwnersIsOneStream) {
  const testing::Folder folder;
  Reader reader = testing::reader_of(testing::join({testing::kHeader, "1,alloc,0,100,0,0,f\n"}));
  CtfConverter converter(reader, folder / "trace");
  while (converter.next()) {
  }
  CtfRecords records(folder / "trace");
  EXPECT_EQ(rows_of(records), "alloc 0 100 stream\nrelease 0 0 stream\n");
}

}  // namespace
}  // namespace modmem::trace
