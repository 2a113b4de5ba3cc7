#include "trace/latencies.hpp"

#include <gtest/gtest.h>

namespace modmem::trace {
namespace {

TEST(Latencies, CountsEveryDurationNearlyExactly) {
  for (std::uint64_t ns = 1; ns < UINT64_MAX / 5; ns = ns * 5 / 3 + 1) {
    Latencies latencies;
    latencies.add(ns);
    latencies.add(UINT64_MAX);
    const std::uint64_t found = latencies.percentile(50);
    EXPECT_GE(found, ns);
    EXPECT_LE(found - ns, ns / 64);
    EXPECT_EQ(latencies.longest(), UINT64_MAX);
    EXPECT_EQ(latencies.percentile(100), UINT64_MAX);
  }
}

TEST(Latencies, HasPercentiles) {
  Latencies latencies;
  EXPECT_EQ(latencies.percentile(50), 0U);
  for (std::uint64_t ns = 1; ns <= 100; ++ns) {
    latencies.add(ns);
  }
  EXPECT_EQ(latencies.percentile(50), 50U);
  EXPECT_EQ(latencies.percentile(99), 99U);
  EXPECT_EQ(latencies.percentile(0), 1U);
  EXPECT_EQ(latencies.longest(), 100U);
  EXPECT_EQ(latencies.sum(), 5050U);
}

}  // namespace
}  // namespace modmem::trace
