#include "bench/statistics.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <numeric>
#include <stdexcept>
#include <vector>

namespace modmem::bench {
namespace {

TEST(Statistics, MeanIsOfAllSamples) {
  EXPECT_DOUBLE_EQ(mean(std::array{1.0, 2.0, 6.0}), 3.0);
  EXPECT_THROW(mean({}), std::domain_error);
}

TEST(Statistics, PercentileIsTheSampleOfTheNearestRank) {
  std::vector<std::uint32_t> samples(1000);
  std::iota(samples.begin(), samples.end(), 1U);
  std::reverse(samples.begin(), samples.end());
  EXPECT_EQ(percentile(samples, 0.5), 500U);
  EXPECT_EQ(percentile(samples, 0.99), 990U);
  EXPECT_EQ(percentile(samples, 0.9999), 1000U);
  EXPECT_EQ(percentile(samples, 1.0), 1000U);
  EXPECT_EQ(percentile(samples, 0.0001), 1U);
}

TEST(Statistics, PercentileOfOneSampleIsThatSample) {
  std::array<std::uint32_t, 1> sample = {7};
  EXPECT_EQ(percentile(sample, 0.5), 7U);
  EXPECT_EQ(percentile(sample, 1.0), 7U);
}

TEST(Statistics, RatioToNothingIsNoFigure) {
  EXPECT_DOUBLE_EQ(ratio(3, 2), 1.5);
  EXPECT_THROW(ratio(1, 0), std::domain_error);
  EXPECT_THROW(ratio(1, -1), std::domain_error);
}

TEST(Statistics, RunningMeanIsTheMean) {
  RunningMean running;
  EXPECT_THROW(running.value(), std::domain_error);
  for (const double sample : {1.0, 2.0, 6.0}) {
    running.add(sample);
  }
  EXPECT_EQ(running.count(), 3U);
  EXPECT_DOUBLE_EQ(running.value(), 3.0);
}

}  // namespace
}  // namespace modmem::bench
