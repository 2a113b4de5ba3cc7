#include "bench/goal.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>

#include "bench/reached.hpp"

namespace modmem::bench {
namespace {

GoalReport example() {
  GoalReport report;
  report.goal = 3;
  report.title = "an example";
  report.inform("blocks", 12345);
  report.at_least("bytes / memory", 0.94, 0.93);
  report.at_most("slowest", 120, 120, "instructions");
  return report;
}

TEST(Goal, IsMetWhereEveryLimitIsKept) { EXPECT_TRUE(example().met()); }

TEST(Goal, IsMissedWhereOneLimitIsNotKept) {
  GoalReport low = example();
  low.figures[1].value = 0.9299;
  EXPECT_FALSE(low.met());
  GoalReport high = example();
  high.figures[2].value = 120.5;
  EXPECT_FALSE(high.met());
}

TEST(Goal, IsMissedWhereNothingWasMeasured) {
  GoalReport nothing;
  EXPECT_FALSE(nothing.met());
  nothing.inform("blocks", 1);
  EXPECT_FALSE(nothing.met());
}

TEST(Goal, WhatIsNoNumberKeepsNoLimit) {
  GoalReport report = example();
  report.figures[1].value = std::nan("");
  EXPECT_FALSE(report.met());
  report = example();
  report.figures[2].value = std::nan("");
  EXPECT_FALSE(report.met());
}

TEST(Goal, CanBeMadeImpossible) {
  GoalReport report = example();
  make_impossible(report);
  EXPECT_FALSE(report.figures[1].met());
  EXPECT_FALSE(report.figures[2].met());
  EXPECT_FALSE(report.met());
}

TEST(Goal, TextNamesFigureLimitAndVerdict) {
  GoalReport report = example();
  report.figures[2].value = 130;
  report.notes = {"measured somehow"};
  EXPECT_EQ(to_text(report),
            "goal 3: an example\n"
            "  blocks          12345\n"
            "  bytes / memory  0.9400  >= 0.9300  ok\n"
            "  slowest         130.0 instructions  <= 120.0  MISSED\n"
            "  measured somehow\n"
            "goal 3: MISSED\n");
}

TEST(Goal, JsonHasEveryFigure) {
  GoalReport report = example();
  report.figures[2].value = std::nan("");
  report.notes = {"a name \xff that is not UTF-8"};
  const nlohmann::json json = nlohmann::json::parse(to_json(report));
  EXPECT_EQ(json["goal"], 3);
  EXPECT_EQ(json["met"], false);
  ASSERT_EQ(json["figures"].size(), 3U);
  EXPECT_EQ(json["figures"][0], nlohmann::json({{"name", "blocks"}, {"value", 12345.0}}));
  EXPECT_EQ(json["figures"][1]["at_least"], 0.93);
  EXPECT_EQ(json["figures"][1]["met"], true);
  EXPECT_TRUE(json["figures"][2]["value"].is_null());
  EXPECT_EQ(json["figures"][2]["at_most"], 120.0);
  EXPECT_EQ(json["figures"][2]["unit"], "instructions");
}

class Reached : public ::testing::Test {
 protected:
  void SetUp() override {
    report_.figures[1].value = 0.92;
    report_.figures[2].value = 130;
    write(to_json(report_));
  }
  void TearDown() override { std::filesystem::remove(path_); }
  void write(const std::string& text) { std::ofstream(path_) << text; }

  std::string path_ = ::testing::TempDir() + "modmem-reached.json";
  GoalReport report_ = example();
};

TEST_F(Reached, SaysWhatIsWorseInWhicheverDirection) {
  EXPECT_TRUE(worse_than_reached(report_, path_).empty());
  report_.figures[1].value = 0.925;
  report_.figures[2].value = 125;
  EXPECT_TRUE(worse_than_reached(report_, path_).empty());
  report_.figures[1].value = 0.9196;  // within the slack
  EXPECT_TRUE(worse_than_reached(report_, path_).empty());
  report_.figures[1].value = 0.919;
  ASSERT_EQ(worse_than_reached(report_, path_).size(), 1U);
  EXPECT_EQ(worse_than_reached(report_, path_)[0], "bytes / memory: 0.919000, was 0.920000");
  report_.figures[2].value = 131;
  EXPECT_EQ(worse_than_reached(report_, path_).size(), 2U);
  report_.figures[2].value = std::nan("");
  EXPECT_EQ(worse_than_reached(report_, path_).size(), 2U);
}

TEST_F(Reached, WhatIsMetAndWhatHasNoLimitIsNeverWorse) {
  report_.figures[0].value = 1e9;
  report_.figures[1].value = 0.93;
  report_.figures[2].value = 120;
  EXPECT_TRUE(worse_than_reached(report_, path_).empty());
}

TEST_F(Reached, WhatWasNotThereIsWorse) {
  report_.at_most("new", 2, 1);
  ASSERT_EQ(worse_than_reached(report_, path_).size(), 1U);
}

TEST_F(Reached, RefusesFilesThatAreNotOfTheGoal) {
  report_.goal = 4;
  EXPECT_THROW(worse_than_reached(report_, path_), std::runtime_error);
  for (const char* text : {"", "{", "[]", "{\"goal\": 4}", "{\"goal\": 4, \"figures\": 3}"}) {
    write(text);
    EXPECT_THROW(worse_than_reached(report_, path_), std::runtime_error) << text;
  }
  EXPECT_THROW(worse_than_reached(report_, "/no/such/file"), std::runtime_error);
}

}  // namespace
}  // namespace modmem::bench
