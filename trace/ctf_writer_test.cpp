// The packets of a trace, as they lie in its files.

#include "trace/ctf_writer.hpp"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <cstring>
#include <fstream>
#include <iterator>

#include "modmem/presets.hpp"
#include "port/host/host_port.hpp"
#include "trace/ctf_events.hpp"
#include "trace/trace_error.hpp"

namespace modmem::trace {
namespace {

class CtfWriterTest : public ::testing::Test {
 protected:
  CtfWriterTest() {
    std::string name = ::testing::TempDir() + "ctf-XXXXXX";
    folder_ = ::mkdtemp(name.data());
    slots_.resize(64);
    EXPECT_TRUE(recorder_.open(slots_, 1, port_));
    platform_.cores = 1;
  }
  ~CtfWriterTest() override { std::filesystem::remove_all(folder_); }

  struct Packet {
    CtfPacketHeader header;
    std::vector<EventSlot> slots;
  };

  std::vector<Packet> packets() const {
    std::ifstream file(folder_ / "trace" / "core-0", std::ios::binary);
    const std::vector<char> bytes{std::istreambuf_iterator<char>(file), {}};
    std::vector<Packet> packets;
    for (std::size_t at = 0; at < bytes.size();) {
      Packet packet;
      std::memcpy(&packet.header, bytes.data() + at, sizeof packet.header);
      EXPECT_EQ(packet.header.magic, CtfPacketHeader::kMagic);
      const std::size_t size = packet.header.packet_bits / 8;
      packet.slots.resize((size - kCtfPacketHeader) / sizeof(EventSlot));
      std::memcpy(packet.slots.data(), bytes.data() + at + kCtfPacketHeader,
                  size - kCtfPacketHeader);
      packets.push_back(std::move(packet));
      at += size;
    }
    return packets;
  }

  std::filesystem::path folder_;
  PlatformConfig platform_ = config::kDefaultPlatform;
  HostPort port_;
  std::vector<EventSlot> slots_;
  Recorder recorder_;
};

TEST_F(CtfWriterTest, PutsEventsAsTheyLieInTheRing) {
  port_.set_time_us(1000);
  CtfWriter out(folder_ / "trace", recorder_, platform_, "elastic");
  recorder_.period(1);
  port_.set_time_us(2000);
  recorder_.unmap(7, 0);
  out.finish();
  const std::vector<Packet> all = packets();
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0].header.begin, 1000U);
  EXPECT_EQ(all[0].header.end, 2000U);
  EXPECT_EQ(all[0].header.discarded, 0U);
  ASSERT_EQ(all[0].slots.size(), 3U);
  EXPECT_EQ(event::head_of(all[0].slots[2].low).kind, EventKind::unmap);
  // The content ends with the last bit that means something.
  EXPECT_EQ(all[0].header.content_bits, (kCtfPacketHeader + 32) * 8 + 48);
  EXPECT_EQ(out.events(), 2U);
}

TEST_F(CtfWriterTest, AGapBeginsAPacket) {
  CtfWriter out(folder_ / "trace", recorder_, platform_, "elastic");
  port_.set_time_us(5);
  recorder_.period(1);
  port_.set_time_us(3 * event::kTimeSpan);
  recorder_.period(2);
  out.finish();
  const std::vector<Packet> all = packets();
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[0].header.end, 5U);
  EXPECT_EQ(all[1].header.begin, 3 * event::kTimeSpan);
}

TEST_F(CtfWriterTest, ATimeThatWrapsIsKept) {
  CtfWriter out(folder_ / "trace", recorder_, platform_, "elastic");
  for (std::uint64_t i = 0; i < 10; ++i) {
    port_.set_time_us(i * (event::kTimeSpan / 3));
    recorder_.period(i);
  }
  out.finish();
  const std::vector<Packet> all = packets();
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0].header.end, 9 * (event::kTimeSpan / 3));
}

TEST_F(CtfWriterTest, LostEventsAreCountedInTheStream) {
  CtfWriter out(folder_ / "trace", recorder_, platform_, "elastic");
  for (std::uint64_t i = 0; i < 100; ++i) {
    recorder_.period(i);
  }
  out.finish();
  EXPECT_EQ(packets().at(0).header.discarded, 37U);
  // Nothing is behind them that would leave a gap in the numbers.
  CtfEvents events(folder_ / "trace");
  std::uint64_t read = 0;
  for (CtfEvent event; events.next(event); ++read) {
  }
  EXPECT_EQ(read, 63U);
  EXPECT_EQ(events.lost(), 37U);
}

TEST_F(CtfWriterTest, LostEventsInTheMiddleAreCountedOnce) {
  CtfWriter out(folder_ / "trace", recorder_, platform_, "elastic");
  for (std::uint64_t i = 0; i < 300; ++i) {
    recorder_.period(i);
    if (i % 100 == 99) {
      out.drain();
    }
  }
  recorder_.period(300);
  out.finish();
  CtfEvents events(folder_ / "trace");
  std::uint64_t read = 0;
  std::uint64_t last = 0;
  for (CtfEvent event; events.next(event); ++read) {
    last = event.fields[0];
  }
  EXPECT_EQ(last, 300U);
  EXPECT_EQ(read + events.lost(), 301U);
  EXPECT_EQ(events.lost(), recorder_.lost());
}

// Half a trace would be read as a whole one.
TEST_F(CtfWriterTest, WithoutAnEndThereIsNoTrace) {
  std::filesystem::create_directory(folder_ / "there");
  for (const char* name : {"new", "there"}) {
    recorder_.period(1);
    {
      CtfWriter out(folder_ / name, recorder_, platform_, "elastic");
      out.drain();
      EXPECT_TRUE(std::filesystem::exists(folder_ / name / "metadata"));
    }
    EXPECT_FALSE(std::filesystem::exists(folder_ / name / "metadata"));
  }
  EXPECT_FALSE(std::filesystem::exists(folder_ / "new"));
  EXPECT_TRUE(std::filesystem::is_empty(folder_ / "there"));
}

TEST_F(CtfWriterTest, NamesWithCharactersThatNeedCare) {
  platform_.name = "a\"b\\c\n";
  CtfWriter out(folder_ / "trace", recorder_, platform_, "elastic");
  out.finish();
  std::ifstream file(folder_ / "trace" / "metadata");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  EXPECT_NE(text.find(R"(platform = "a\"b\\c?";)"), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "trace" / "core-0"));  // nothing happened
}

TEST_F(CtfWriterTest, RefusesADirectoryThatHoldsSomething) {
  std::ofstream(folder_ / "file") << "x";
  EXPECT_THROW(CtfWriter(folder_, recorder_, platform_, "elastic"), TraceError);
  EXPECT_THROW(CtfWriter(folder_ / "no" / "such", recorder_, platform_, "elastic"), TraceError);
}

}  // namespace
}  // namespace modmem::trace
