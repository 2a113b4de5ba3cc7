#include "bench/instruction_meter.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "testbench/input_error.hpp"

namespace modmem::bench {
namespace {

class CallgrindFile : public ::testing::Test {
 protected:
  void SetUp() override {
    path = (std::filesystem::path(::testing::TempDir()) / "instruction_meter_test.counts").string();
  }
  void TearDown() override { std::filesystem::remove(path); }

  void write(const std::string& text) const { std::ofstream(path) << text; }

  std::string path;
};

TEST_F(CallgrindFile, HasAPartForEachCount) {
  write(
      "version: 1\npart: 1\ndesc: Trigger: Client Request: empty\nevents: Ir\nsummary: 9\n"
      "fn=(1) main\n16 9\ntotals: 9\n"
      "part: 2\ndesc: Trigger: Client Request: free 1 page\nsummary: 30\ntotals: 30\n"
      "part: 3\ndesc: Trigger: Client Request: free 1 page\nsummary: 29\ntotals: 29\n"
      "part: 4\ndesc: Trigger: Program termination\ntotals: 0\n");
  const InstructionMeter::Counts counts = InstructionMeter::read(path);
  EXPECT_EQ(counts.size(), 2U);
  EXPECT_EQ(counts.at("free 1 page"), (std::vector<double>{30, 29}));
  EXPECT_EQ(net_counts(counts, "free 1 page"), (std::vector<double>{21, 20}));
  EXPECT_THROW(net_counts(counts, "free 2 pages"), testbench::InputError);
}

TEST_F(CallgrindFile, WithoutCountsIsAnError) {
  write("part: 1\ndesc: Trigger: Program termination\ntotals: 0\n");
  EXPECT_THROW(InstructionMeter::read(path), testbench::InputError);
  EXPECT_THROW(InstructionMeter::read(path + ".missing"), testbench::InputError);
}

TEST(InstructionMeter, OperationsNeedAnEmptyOne) {
  EXPECT_THROW(net_counts({{"free", {30}}}, "free"), testbench::InputError);
}

}  // namespace
}  // namespace modmem::bench
