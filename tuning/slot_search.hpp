// SlotSearch: the best table of slots for a demand.
//
// Best is: no request fails, and the slots add up to the fewest pages; under a budget that is too
// small for that, the fewest requests fail within it, and of equal ones the fewest pages are taken.
// Tables are whole pages for each size, at most so many sizes, tried from the smallest, as SlotHeap
// wants them; requests are served as SlotModel says.
//
// 1. Each class in a bundle of its own or in that of a larger one, every bundle with as many slots
//    as are ever wanted at a time: the cheapest such table is found by dynamic programming. It
//    never fails, as no bundle ever has to help out another.
// 2. From there and from SlotBound's table: grains are taken away and exchanged as long as that
//    makes it better, each step judged by playing the demand. A local optimum.
// 3. All tables from SlotBound's pages up to what was found, in that order, as far as `effort`
//    goes. Only that proves the result: a table with more slots may fail where one with fewer does
//    not, so nothing can be concluded from one table to another.
//
// All of it is whole numbers and the same on every machine. Cost: `effort` operations at most in
// step 3, and about as many in step 2.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "tuning/slot_bound.hpp"
#include "tuning/slot_model.hpp"

namespace modmem::tuning {

struct SlotChoice {
  std::vector<std::uint32_t> slots;  // of each class
  std::uint32_t pages = 0;
  std::uint64_t failures = 0;
  std::uint32_t least_pages = 0;  // no table without failures has fewer
  bool proved = false;            // that no table is better
  std::uint64_t tables = 0;       // that were played

  std::vector<SlotBundle> bundles() const;
};

struct SlotSearchOptions {
  std::optional<std::uint32_t> budget_pages;
  std::uint32_t bundles = SlotHeap::kMaxBundles;
  std::uint64_t effort = 2'000'000'000;            // operations to play in step 3
  std::function<void(double part)> progress = {};  // of step 3; may throw
};

class SlotSearch {
 public:
  // `demand` outlives it.
  SlotSearch(const SlotDemand& demand, SlotSearchOptions options);

  // The best table, or the best that was found: SlotChoice::proved tells. Once.
  SlotChoice find();

 private:
  using Table = std::vector<std::uint32_t>;                   // grains of each class
  static constexpr std::uint64_t kMostVisited = 200'000'000;  // tables of step 3

  std::uint32_t pages_of(const Table& table) const;
  static std::uint32_t bundles_of(const Table& table);
  static std::vector<std::uint32_t> slots_of(const Table& table);
  static Table grains_of(const std::vector<std::uint32_t>& slots);
  bool try_table(const Table& table);

  Table segregated() const;
  std::vector<std::uint32_t> most_between(std::uint32_t first) const;
  bool take_away();
  bool exchange();
  void improve();
  void fit_budget();
  bool prove();
  bool visit(std::uint32_t classes, std::uint32_t bundles, std::uint32_t slots,
             std::uint32_t pages);

  const SlotDemand& demand_;
  SlotSearchOptions options_;
  SlotPeaks peaks_;
  SlotBound bound_;
  SlotModel model_;
  std::uint32_t classes_;
  std::uint64_t tables_ = 0;

  Table best_;
  std::uint32_t best_pages_ = UINT32_MAX;
  std::uint64_t best_failures_ = UINT64_MAX;
  std::uint32_t limit_ = UINT32_MAX;  // pages

  Table at_;                 // of step 3
  std::uint64_t until_ = 0;  // operations played when it gives up
  std::uint64_t visited_ = 0;
};

}  // namespace modmem::tuning
