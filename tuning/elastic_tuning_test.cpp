#include "tuning/elastic_tuning.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "modmem/presets.hpp"
#include "tuning/testing/random_trace.hpp"

namespace modmem::tuning {
namespace {

using testing::Events;
using trace::Event;
using trace::OpKind;

ElasticTuning tuned(std::vector<Event> events) {
  Events source(std::move(events));
  trace::EventSource* const sources[] = {&source};
  return tune_elastic(sources, config::kDefaultPlatform, kElasticPolicy, {});
}

// A stream of `pages` pages that, every `gap_us`, takes another one and gives it back right away,
// so many times.
std::vector<Event> churn(std::uint32_t pages, std::uint64_t gap_us, int times) {
  std::vector<Event> events;
  Event event;
  event.owner = 0;
  event.bytes = pages * config::kPageBytes;
  event.boundary = true;
  events.push_back(event);
  event.boundary = false;
  event.block = 1;
  event.bytes = config::kPageBytes;
  for (int i = 0; i < 50 * times; ++i) {
    event.time_us += i % times == 0 ? gap_us : 1;
    event.kind = OpKind::allocate;
    events.push_back(event);
    event.time_us += 1;
    event.kind = OpKind::free;
    events.push_back(event);
  }
  event.kind = OpKind::release;
  event.boundary = true;
  events.push_back(event);
  return events;
}

const Hysteresis& chosen(const ElasticTuning& tuning) { return tuning.tried[tuning.chosen]; }

TEST(ElasticTuning, PagesAreKeptWhereThatSavesCallsAndCostsLittle) {
  const ElasticTuning tuning = tuned(churn(20, 1'000'000, 10));
  EXPECT_EQ(chosen(tuning).retained_pages, 1U);
  EXPECT_EQ(chosen(tuning).retained_us, 10'000U);
  EXPECT_LT(chosen(tuning).played.times.mappings, tuning.tried[0].played.times.mappings / 2);
  EXPECT_LE(*chosen(tuning).played.mapped_over_live(),
            *tuning.tried[0].played.mapped_over_live() * (1 + kTolerance));
}

TEST(ElasticTuning, PagesAreNotKeptWhereTheyCostMuch) {
  // One page more is a third more.
  EXPECT_EQ(chosen(tuned(churn(3, 5000, 1))).retained_pages, 0U);
  // What comes back after a minute is not waited for.
  EXPECT_EQ(chosen(tuned(churn(20, 60'000'000, 1))).retained_pages, 0U);
}

// A stream every second, for 10 ms: its bank would be off most of the time.
TEST(ElasticTuning, BanksAreNotHeldForLong) {
  std::vector<Event> events;
  Event event;
  event.owner = 0;
  event.bytes = config::kPageBytes;
  event.boundary = true;
  for (int i = 0; i < 50; ++i) {
    event.kind = OpKind::allocate;
    events.push_back(event);
    event.time_us += 10'000;
    event.kind = OpKind::release;
    events.push_back(event);
    event.time_us += 990'000;
  }
  const ElasticTuning tuning = tuned(events);
  EXPECT_EQ(chosen(tuning).bank_hold_us, 0U);
  EXPECT_EQ(tuning.tried[0].played.times.switches, 100U);
  EXPECT_NEAR(*tuning.tried[0].played.banks_on(), 0.01, 0.001);
  // Held for 10 s the bank never goes off.
  EXPECT_EQ(tuning.tried.back().played.times.switches, 2U - 1U);
  EXPECT_NEAR(*tuning.tried.back().played.banks_on(), 1, 0.001);
}

TEST(ElasticTuning, LimitAndGuaranteeAreWhatStreamsNeedAndHold) {
  const ElasticTuning tuning = tuned(churn(20, 1000, 1));
  EXPECT_EQ(tuning.limit_bytes, 21U * config::kPageBytes);
  EXPECT_EQ(tuning.guarantee_bytes, 20U * config::kPageBytes);
  EXPECT_EQ(tuning.guarantee_share, 100U);
  EXPECT_EQ(tuning.streams.grown_pages, 1U);
  EXPECT_EQ(tuning.with_limits.failures, 0U);
}

// Three streams of a quarter of the pool while a small one has more than the rest of it guaranteed:
// not everybody can have as much as the largest.
TEST(ElasticTuning, AGuaranteeThatDoesNotFitIsGivenToFewer) {
  const auto pool = static_cast<std::uint32_t>(config::kDefaultPlatform.sram_bytes -
                                               config::kDefaultPlatform.reserve_bytes);
  std::vector<Event> events;
  for (std::uint32_t i = 0; i < 8; ++i) {
    Event event;
    event.owner = event.block = i;
    event.bytes = i == 0 ? pool / 2 : config::kPageBytes;
    event.boundary = true;
    events.push_back(event);
  }
  const ElasticTuning tuning = tuned(events);
  EXPECT_EQ(tuning.with_limits.failures, 0U);
  EXPECT_EQ(tuning.guarantee_bytes, config::kPageBytes);
  EXPECT_EQ(tuning.guarantee_share, 75U);
}

}  // namespace
}  // namespace modmem::tuning
