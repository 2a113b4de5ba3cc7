#include "bench/workload.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>

#include "testbench/input_error.hpp"

namespace modmem::bench {
namespace {

// A folder with two recordings.
class Recordings : public ::testing::Test {
 protected:
  void SetUp() override {
    folder = std::filesystem::path(::testing::TempDir()) / "workload_test";
    std::filesystem::create_directories(folder);
    std::ofstream(folder / "a.csv") << "op,id,bytes,alignment\nmalloc,0,100,0\nmalloc,1,50,64\n"
                                       "malloc,2,7,0\nfree,1,,\nfree,0,,\n";
    std::ofstream(folder / "b.csv") << "op,id,bytes,alignment\nmalloc,0,4096,0\nfree,0,,\n";
  }
  void TearDown() override { std::filesystem::remove_all(folder); }

  std::filesystem::path folder;
};

TEST_F(Recordings, ADayEndsWithEverythingFreed) {
  const std::vector<trace::Recording> recordings = read_recordings(folder.string());
  ASSERT_EQ(recordings.size(), 2U);
  const Workload workload = compose(recordings, {.streams = 3, .events = 101, .seed = 5});
  std::map<std::uint32_t, std::uint32_t> live;  // block -> stream
  std::map<std::uint32_t, std::size_t> blocks_of;
  std::size_t allocations = 0;
  for (const Operation& operation : workload.operations) {
    if (operation.kind == trace::OpKind::allocate) {
      EXPECT_TRUE(live.emplace(operation.block, operation.stream).second);
      EXPECT_LT(operation.block, workload.blocks);
      EXPECT_LT(operation.stream, workload.streams);
      ++blocks_of[operation.stream];
      ++allocations;
    } else if (operation.kind == trace::OpKind::free) {
      ASSERT_EQ(live.count(operation.block), 1U);
      EXPECT_EQ(live[operation.block], operation.stream);
      --blocks_of[operation.stream];
      live.erase(operation.block);
    } else {
      EXPECT_EQ(blocks_of[operation.stream], 0U);
    }
  }
  EXPECT_TRUE(live.empty());
  EXPECT_EQ(allocations, workload.pairs);
  EXPECT_GE(workload.peak_live_bytes, 4096U);
  EXPECT_LE(workload.peak_live_bytes, 3U * 4096U);
}

TEST_F(Recordings, TheLiveBytesOfADayAreThoseOfItsStreams) {
  std::filesystem::remove(folder / "b.csv");
  const Workload workload =
      compose(read_recordings(folder.string()), {.streams = 1, .events = 10, .seed = 1});
  EXPECT_EQ(workload.peak_live_bytes, 157U);
  EXPECT_EQ(workload.pairs, 15U);
}

TEST_F(Recordings, AFolderWithoutTracesIsRefused) {
  std::filesystem::remove(folder / "a.csv");
  std::filesystem::remove(folder / "b.csv");
  EXPECT_THROW(read_recordings(folder.string()), testbench::InputError);
  EXPECT_THROW(read_recordings((folder / "none").string()), testbench::InputError);
}

}  // namespace
}  // namespace modmem::bench
