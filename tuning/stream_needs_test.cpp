#include "tuning/stream_needs.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "modmem/presets.hpp"
#include "tuning/testing/random_trace.hpp"

namespace modmem::tuning {
namespace {

using testing::Events;
using trace::Event;
using trace::OpKind;

Event event(OpKind kind, std::uint32_t owner, std::uint32_t block, std::uint32_t bytes = 0,
            bool boundary = false) {
  Event event;
  event.kind = kind;
  event.owner = owner;
  event.block = block;
  event.bytes = bytes;
  event.boundary = boundary;
  return event;
}

StreamNeeds needs_of(std::vector<Event> events) {
  Events source(std::move(events));
  trace::EventSource* const sources[] = {&source};
  return measure_streams(sources, config::kDefaultPlatform, kElasticPolicy, {});
}

constexpr std::uint32_t kPage = config::kPageBytes;

TEST(StreamNeeds, StartsAndWhatComesLaterAreToldApart) {
  const StreamNeeds needs = needs_of({
      event(OpKind::allocate, Event::kSystem, 9, 70),
      event(OpKind::allocate, 0, 0, kPage),
      event(OpKind::allocate, 0, 1, 2 * kPage, true),  // 3 pages
      event(OpKind::allocate, 1, 2, 100, true),        // 1 page
      event(OpKind::allocate, 0, 3, kPage),            // grows by a page and a block
      event(OpKind::allocate, 0, 4, kPage),            // and by another
      event(OpKind::free, 0, 4),
      event(OpKind::allocate, 0, 5, kPage),  // in its place
      event(OpKind::release, 0, 0, 0, true),
      event(OpKind::allocate, 2, 6, 7 * kPage, true),
      event(OpKind::release, 1, 0, 0, true),
  });
  EXPECT_EQ(needs.start_pages, (std::vector<std::uint32_t>{1, 3, 7}));
  EXPECT_EQ(needs.most_at_a_time, 2U);
  EXPECT_EQ(needs.grown_pages, 2U);
  EXPECT_EQ(needs.grown_blocks, 2U);
  EXPECT_EQ(needs.peak_pages, 7U);  // of one that lives to the end
  EXPECT_EQ(needs.peak_bytes, 7U * kPage);
  EXPECT_EQ(needs.system_peak_bytes, 70U);
  EXPECT_EQ(needs.start_pages_of(100), 7U);
  EXPECT_EQ(needs.start_pages_of(66), 3U);
  EXPECT_EQ(needs.start_pages_of(33), 1U);
}

TEST(StreamNeeds, OfNothingAreNothing) {
  const StreamNeeds needs = needs_of({});
  EXPECT_EQ(needs.most_at_a_time, 0U);
  EXPECT_EQ(needs.start_pages_of(100), 0U);
}

}  // namespace
}  // namespace modmem::tuning
