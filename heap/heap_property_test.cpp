// Properties of heaps, by rapidcheck: any sequence of commands keeps the contract, and a sequence
// that does not is shrunk to a few. Every command is looked at with all that is known: the model of
// intervals, the full state before and after a failure, and an oracle that tries every place.

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

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
                                                                       {1, Kind::reopen}})),
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

void any_commands_keep_the_contract(ElasticDriver::Options options) {
  options.frames = *rc::gen::inRange<std::uint32_t>(18, 50);
  options.heaps = *rc::gen::inRange<std::uint32_t>(1, 4);
  if (options.heap.fixed_pages != 0) {
    options.heap.fixed_pages = options.frames / (options.heaps + 1);
  }
  options.heap.span_pages = *rc::gen::inRange<std::uint32_t>(1, options.frames);
  const auto commands =
      *rc::gen::scale(3.0, rc::gen::container<std::vector<HeapCommand>>(any_command()));
  ElasticDriver driver(options);
  for (const HeapCommand& command : commands) {
    driver.apply(command);
  }
  driver.finish(*rc::gen::arbitrary<bool>());
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

}  // namespace
}  // namespace modmem
