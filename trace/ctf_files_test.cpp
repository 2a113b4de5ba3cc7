// Traces that are cut off or hold wrong bytes: what is whole is read, what is not is said.

#include "trace/ctf_files.hpp"

#include <algorithm>
#include <cstring>
#include <fstream>
#include <iterator>
#include <random>
#include <regex>

#include "trace/ctf_events.hpp"
#include "trace/recorded_trace_testing.hpp"
#include "trace/rerun.hpp"
#include "trace/trace_error.hpp"

namespace modmem::trace {
namespace {

class CtfFilesTest : public testing::RecordedMemoryFixture {
 protected:
  // Three packets of one core, and one of another.
  void record() {
    std::vector<void*> blocks;
    for (std::uint64_t i = 0; i < 7000; ++i) {
      host_.set_time_us(i * 1000);
      set_host_core(i % 100 == 99 ? 1 : 0);
      blocks.push_back(memory_.allocate({nullptr, 1 + i % 300, 0, 0, MODMEM_HERE}));
      if (blocks.size() > 50) {
        memory_.free(blocks.front());
        blocks.erase(blocks.begin());
      }
    }
    set_host_core(0);
    trace_ = finish();
    core_0_ = read("core-0");
    metadata_ = read("metadata");
    ASSERT_GT(core_0_.size(), 2 * CtfWriter::kPacketBytes);
  }

  std::string read(const char* name) const {
    std::ifstream file(trace_ / name, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  void write(const char* name, const std::string& bytes) const {
    std::ofstream(trace_ / name, std::ios::binary) << bytes;
  }

  struct Reading {
    std::uint64_t events = 0;
    std::uint64_t lost = 0;
    std::vector<std::string> problems;
  };

  // Reads all of the trace, and plays what there is of it where asked for. What can't be read is
  // said with its place, and never by babeltrace.
  Reading reading(bool play = false) const {
    Reading reading;
    try {
      CtfEvents events(trace_);
      CtfEvent event;
      std::optional<Rerun> rerun;
      try {
        if (play) {
          rerun.emplace(events.platform(), kElasticPolicy, ReplayOptions{.time_calls = false});
        }
        while (events.next(event)) {
          if (rerun) {
            rerun->play(event);
          }
          ++reading.events;
        }
      } catch (const TraceError&) {
        // of a platform that can't be
      }
      reading.lost = events.lost();
      reading.problems = events.problems();
    } catch (const TraceError& error) {
      reading.problems = {error.what()};
    }
    const std::string note = std::to_string(mark_);
    static const std::regex kPlace(
        "(: at byte [0-9]+: |: and at [0-9]+ more places|: behind event [0-9]+: |metadata: )");
    for (const std::string& problem : reading.problems) {
      EXPECT_TRUE(std::regex_search(problem, kPlace)) << problem << " " << note;
    }
    return reading;
  }

  std::filesystem::path trace_;
  std::string core_0_;
  std::string metadata_;
  std::size_t mark_ = 0;
};

TEST_F(CtfFilesTest, WhatIsWholeIsLeftAsItIs) {
  record();
  const CtfFiles files(trace_);
  EXPECT_EQ(files.path(), trace_);
  EXPECT_TRUE(files.problems().empty());
  EXPECT_EQ(reading().lost, 0U);
}

TEST_F(CtfFilesTest, OfAStreamThatIsCutOffAllBeforeIsRead) {
  record();
  const std::uint64_t all = reading().events;
  std::uint64_t before = 0;
  for (std::size_t size = 1; size < core_0_.size(); size += 3001) {
    write("core-0", core_0_.substr(0, size));
    const Reading cut = reading();
    ASSERT_EQ(cut.problems.size(), 1U) << size;
    EXPECT_GE(cut.events, before) << size;
    before = cut.events;
  }
  EXPECT_LT(before, all);
  EXPECT_GT(before, all - 400);
}

TEST_F(CtfFilesTest, AWrongByteIsNoMoreThanItsPacket) {
  record();
  const Reading whole = reading();
  std::mt19937 random(3);
  std::vector<std::size_t> places;
  for (std::size_t at = 0; at < 2 * kCtfPacketHeader; ++at) {
    places.push_back(at);  // a header and the first events
  }
  for (int i = 0; i < 100; ++i) {
    places.push_back(random() % core_0_.size());
  }
  std::uint64_t least = whole.events;
  std::size_t found = 0;
  for (const std::size_t at : places) {
    std::string bytes = core_0_;
    bytes[at] = static_cast<char>(bytes[at] ^ (1 << random() % 8));
    mark_ = at;
    write("core-0", bytes);
    const Reading damaged = reading(at % 8 == 0);
    least = std::min(least, damaged.events);
    found += damaged.problems.empty() ? 0 : 1;
  }
  EXPECT_GT(least, whole.events * 2 / 5);  // a packet of core 0 is a third of all
  EXPECT_GT(found, 60U);
}

TEST_F(CtfFilesTest, NorDoesAnythingElseCrashIt) {
  record();
  std::mt19937 random(4);
  for (int i = 0; i < 40; ++i) {
    std::string bytes = core_0_;
    for (int k = 0; k < 1 << i % 8; ++k) {
      const std::size_t at = random() % bytes.size();
      switch (random() % 4) {
        case 0:
          bytes.erase(at, random() % 100);
          break;
        case 1:
          bytes.insert(at, random() % 100, static_cast<char>(random()));
          break;
        case 2:
          bytes.insert(at, bytes.substr(0, random() % 2000));  // with the header of a packet
          break;
        default:
          bytes[at] = static_cast<char>(random());
      }
    }
    write("core-0", bytes);
    const Reading damaged = reading(i % 4 == 0);
    EXPECT_LE(damaged.problems.size(), CtfFiles::kMostProblems + 1);
  }
}

TEST_F(CtfFilesTest, MetadataIsWhatItShouldBe) {
  record();
  const std::uint64_t all = reading().events;
  const std::size_t environment = metadata_.find("\nenv {");
  write("metadata", metadata_.substr(0, metadata_.find("stream {")));
  Reading cut = reading();
  EXPECT_EQ(cut.events, all);
  ASSERT_EQ(cut.problems.size(), 1U);
  std::mt19937 random(5);
  for (int i = 0; i < 80; ++i) {
    std::string bytes = metadata_;
    const std::size_t at = random() % bytes.size();
    bytes[at] = static_cast<char>(bytes[at] ^ (1 << random() % 8));
    write("metadata", bytes);
    const Reading damaged = reading(at % 8 == 0);
    const bool matters = at > environment && at < metadata_.find("};", environment);
    EXPECT_TRUE(matters || !damaged.problems.empty()) << at;
  }
  write("metadata", metadata_.substr(0, environment));
  EXPECT_THROW(CtfFiles{trace_}, TraceError);
}

TEST_F(CtfFilesTest, APacketOfAnotherTraceOrCoreIsNone) {
  record();
  const std::uint64_t all = reading().events;
  write("core-0", core_0_ + read("core-1"));
  const Reading mixed = reading();
  EXPECT_EQ(mixed.events, all);
  ASSERT_FALSE(mixed.problems.empty());
  EXPECT_NE(mixed.problems[0].find("core-0: at byte " + std::to_string(core_0_.size()) +
                                   ": this packet is of another core"),
            std::string::npos);
}

TEST_F(CtfFilesTest, APacketInTheMiddleThatIsLostIsCounted) {
  record();
  const Reading whole = reading();
  CtfPacketHeader header;
  std::memcpy(&header, core_0_.data(), sizeof header);
  const std::size_t size = header.packet_bits / 8;
  std::memcpy(&header, core_0_.data() + size, sizeof header);
  std::string bytes = core_0_;
  bytes.erase(size, header.packet_bits / 8);
  write("core-0", bytes);
  const Reading rest = reading();
  EXPECT_EQ(rest.events + rest.lost, whole.events);
  EXPECT_GT(rest.lost, 1000U);
}

}  // namespace
}  // namespace modmem::trace
