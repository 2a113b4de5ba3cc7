// Properties of heaps, by rapidcheck: any sequence of commands keeps the contract, and a sequence
// that does not is shrunk to a few. Every command is looked at with all that is known: the model of
// intervals, the full state before and after a failure, and an oracle that tries every place.

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "heap/testing/heap_driver.hpp"

namespace modmem {
namespace {

rc::Gen<std::size_t> any_size(std::size_t most) {
  return rc::gen::weightedOneOf<std::size_t>(
      {{6, rc::gen::inRange<std::size_t>(1, 600)},
       {3, rc::gen::inRange<std::size_t>(1, 3 * config::kPageBytes)},
       // Around whole pages, where a granule more or less makes a difference.
       {2, rc::gen::map(rc::gen::pair(rc::gen::inRange<std::size_t>(1, 9),
                                      rc::gen::inRange<std::size_t>(0, 49)),
                        [](const std::pair<std::size_t, std::size_t>& pages) {
                          return pages.first * config::kPageBytes + pages.second - 24;
                        })},
       {1, rc::gen::inRange<std::size_t>(1, most)}});
}

rc::Gen<HeapCommand> any_command() {
  using Kind = HeapCommand::Kind;
  return rc::gen::build<HeapCommand>(
      rc::gen::set(&HeapCommand::kind, rc::gen::weightedElement<Kind>({{12, Kind::allocate},
                                                                       {2, Kind::allocate_range},
                                                                       {1, Kind::allocate_largest},
                                                                       {7, Kind::free},
                                                                       {1, Kind::free_twice},
                                                                       {4, Kind::resize},
                                                                       {1, Kind::misuse},
                                                                       {1, Kind::reopen},
                                                                       {2, Kind::premap}})),
      rc::gen::set(&HeapCommand::heap, rc::gen::inRange<std::uint8_t>(0, 3)),
      rc::gen::set(&HeapCommand::index, rc::gen::inRange<std::uint32_t>(0, 1000)),
      rc::gen::set(&HeapCommand::bytes, any_size(40 * config::kPageBytes)),
      rc::gen::set(&HeapCommand::alignment_log, rc::gen::weightedOneOf<std::uint8_t>(
                                                    {{4, rc::gen::just<std::uint8_t>(0)},
                                                     {2, rc::gen::inRange<std::uint8_t>(0, 17)}})),
      rc::gen::set(&HeapCommand::more, any_size(60 * config::kPageBytes)),
      rc::gen::set(&HeapCommand::step, any_size(3 * config::kPageBytes)),
      rc::gen::set(&HeapCommand::keep, rc::gen::inRange<std::uint32_t>(0, 20)),
      rc::gen::set(&HeapCommand::maps, rc::gen::weightedOneOf<std::uint32_t>(
                                           {{15, rc::gen::just(HeapCommand::kAllMaps)},
                                            {1, rc::gen::inRange<std::uint32_t>(0, 6)}})),
      rc::gen::set(&HeapCommand::thorough, rc::gen::just(true)));
}

template <typename Driver>
void any_commands_keep_the_contract(const typename Driver::Options& options) {
  const auto commands =
      *rc::gen::scale(3.0, rc::gen::container<std::vector<HeapCommand>>(any_command()));
  Driver driver(options);
  for (const HeapCommand& command : commands) {
    driver.apply(command);
  }
  driver.finish(*rc::gen::arbitrary<bool>());
}

// --- elastic heaps and fixed arenas ---

void any_commands_keep_the_contract(ElasticDriver::Options options) {
  options.frames = *rc::gen::inRange<std::uint32_t>(18, 50);
  options.heaps = *rc::gen::inRange<std::uint32_t>(1, 4);
  if (options.heap.fixed_pages != 0) {
    options.heap.fixed_pages = options.frames / (options.heaps + 1);
  }
  options.heap.span_pages = *rc::gen::inRange<std::uint32_t>(1, options.frames);
  any_commands_keep_the_contract<ElasticDriver>(options);
}

constexpr ElasticHeapOptions kRetaining{.retained_pages = 3};
constexpr ElasticHeapOptions kFixed{.fixed_pages = 1};

RC_GTEST_PROP(HeapProperty, ElasticMmu, ()) { any_commands_keep_the_contract({.heap = {}}); }
RC_GTEST_PROP(HeapProperty, ElasticNoMmu, ()) {
  any_commands_keep_the_contract({.has_mmu = false, .heap = {}});
}
RC_GTEST_PROP(HeapProperty, RetainingMmu, ()) {
  any_commands_keep_the_contract({.heap = kRetaining});
}
RC_GTEST_PROP(HeapProperty, RetainingNoMmu, ()) {
  any_commands_keep_the_contract({.has_mmu = false, .heap = kRetaining});
}
RC_GTEST_PROP(HeapProperty, FixedMmu, ()) { any_commands_keep_the_contract({.heap = kFixed}); }
RC_GTEST_PROP(HeapProperty, FixedNoMmu, ()) {
  any_commands_keep_the_contract({.has_mmu = false, .heap = kFixed});
}

// --- slots ---

// A table of up to five bundles in any order, of slots from 8 bytes to 8 pages.
void any_commands_keep_the_contract_of_slots(bool has_mmu, bool contiguous) {
  std::vector<SlotBundle> table;
  SlotDriver::Options options{.has_mmu = has_mmu, .heap = {.contiguous = contiguous}};
  for (int left = *rc::gen::inRange(1, 6); left > 0; --left) {
    const std::size_t slot = std::size_t{8} << *rc::gen::inRange(0, 13);
    const std::size_t pages = *rc::gen::inRange<std::size_t>(1, 6);
    const std::size_t bytes = pages * std::max(slot, config::kPageBytes);
    table.push_back({slot, static_cast<std::uint32_t>(bytes / slot)});
    options.heap.region_bytes += bytes;
  }
  options.heap.bundles = table;
  // Without an MMU a heap may not find its region again once another one has frames.
  options.heaps = has_mmu ? *rc::gen::inRange<std::uint32_t>(1, 3) : 1;
  // And there the pool has as many frames as the region has pages; else it has too few.
  const auto pages = static_cast<std::uint32_t>(options.heap.region_bytes / config::kPageBytes);
  options.frames = has_mmu ? pages / 2 * options.heaps + 4 : pages + 4;
  any_commands_keep_the_contract<SlotDriver>(options);
}

RC_GTEST_PROP(HeapProperty, SingleSlotMmu, ()) {
  any_commands_keep_the_contract_of_slots(true, false);
}
RC_GTEST_PROP(HeapProperty, SingleSlotNoMmu, ()) {
  any_commands_keep_the_contract_of_slots(false, false);
}
RC_GTEST_PROP(HeapProperty, ContiguousSlotsMmu, ()) {
  any_commands_keep_the_contract_of_slots(true, true);
}
RC_GTEST_PROP(HeapProperty, ContiguousSlotsNoMmu, ()) {
  any_commands_keep_the_contract_of_slots(false, true);
}

}  // namespace
}  // namespace modmem
