#include "tuning/slot_search.hpp"

#include <algorithm>
#include <utility>

namespace modmem::tuning {

std::vector<SlotBundle> SlotChoice::bundles() const {
  std::vector<SlotBundle> bundles;
  for (std::uint32_t i = 0; i < slots.size(); ++i) {
    if (slots[i] != 0) {
      bundles.push_back({SlotDemand::slot_bytes(i), slots[i]});
    }
  }
  return bundles;
}

SlotSearch::SlotSearch(const SlotDemand& demand, SlotSearchOptions options)
    : demand_(demand),
      options_(std::move(options)),
      peaks_(demand),
      bound_(peaks_.at_least, options_.bundles),
      model_(demand),
      classes_(demand.classes()) {}

std::uint32_t SlotSearch::pages_of(const Table& table) const {
  std::uint32_t pages = 0;
  for (std::uint32_t i = 0; i < classes_; ++i) {
    pages += table[i] * grain_of(i).pages;
  }
  return pages;
}

std::uint32_t SlotSearch::bundles_of(const Table& table) {
  return static_cast<std::uint32_t>(
      std::count_if(table.begin(), table.end(), [](std::uint32_t grains) { return grains != 0; }));
}

std::vector<std::uint32_t> SlotSearch::slots_of(const Table& table) {
  std::vector<std::uint32_t> slots(table.size());
  for (std::uint32_t i = 0; i < table.size(); ++i) {
    slots[i] = table[i] * grain_of(i).slots;
  }
  return slots;
}

SlotSearch::Table SlotSearch::grains_of(const std::vector<std::uint32_t>& slots) {
  Table table(slots.size());
  for (std::uint32_t i = 0; i < slots.size(); ++i) {
    table[i] = (slots[i] + grain_of(i).slots - 1) / grain_of(i).slots;
  }
  return table;
}

// Makes `table` the best one, where it is.
bool SlotSearch::try_table(const Table& table) {
  const std::uint32_t pages = pages_of(table);
  if (bundles_of(table) > options_.bundles || pages > limit_) {
    return false;
  }
  if (pages >= best_pages_ && best_failures_ == 0) {
    return false;
  }
  const std::uint64_t most = pages < best_pages_ ? best_failures_ : best_failures_ - 1;
  ++tables_;
  const std::uint64_t failures = model_.failures(slots_of(table), most);
  if (failures > most) {
    return false;
  }
  best_ = table;
  best_pages_ = pages;
  best_failures_ = failures;
  return true;
}

// --- 1: every bundle on its own ---

// cost(classes, bundles) = min over the smallest class i of the last bundle of
//   cost(i, bundles - 1) + slots of the last class, as many as blocks of classes i.. live at a time
SlotSearch::Table SlotSearch::segregated() const {
  const std::uint32_t bundles = std::min(options_.bundles, classes_);
  std::vector<std::vector<std::uint32_t>> grains(classes_);  // [first][last]
  for (std::uint32_t first = 0; first < classes_; ++first) {
    grains[first] = grains_of(most_between(first));
  }
  struct Cost {
    std::uint32_t pages = UINT32_MAX;
    std::uint32_t first = 0;
  };
  std::vector<std::vector<Cost>> costs(bundles + 1, std::vector<Cost>(classes_ + 1));
  costs[0][0].pages = 0;
  for (std::uint32_t used = 1; used <= bundles; ++used) {
    costs[used][0].pages = 0;
    for (std::uint32_t end = 1; end <= classes_; ++end) {
      for (std::uint32_t first = 0; first < end; ++first) {
        const std::uint32_t before = costs[used - 1][first].pages;
        if (before == UINT32_MAX) {
          continue;
        }
        const std::uint32_t pages = before + grains[first][end - 1] * grain_of(end - 1).pages;
        if (pages < costs[used][end].pages) {
          costs[used][end] = {pages, first};
        }
      }
    }
  }
  Table table(classes_);
  for (std::uint32_t end = classes_, used = bundles; end > 0; --used) {
    const std::uint32_t first = costs[used][end].first;
    table[end - 1] = grains[first][end - 1];
    end = first;
  }
  return table;
}

// Most blocks of the classes from `first` to each one that have a slot at a time, where each stays
// in its part: one that moves has two.
std::vector<std::uint32_t> SlotSearch::most_between(std::uint32_t first) const {
  std::vector<std::uint32_t> most(classes_);
  std::vector<std::uint32_t> now(classes_);
  constexpr std::uint8_t kNone = UINT8_MAX;
  std::vector<std::uint8_t> class_of(demand_.blocks(), kNone);
  const auto add = [&](std::uint32_t size_class) {
    for (std::uint32_t i = size_class; i < classes_ && size_class >= first; ++i) {
      most[i] = std::max(most[i], ++now[i]);
    }
  };
  const auto remove = [&](std::uint32_t size_class) {
    for (std::uint32_t i = size_class; i < classes_ && size_class >= first; ++i) {
      --now[i];
    }
  };
  for (const SlotOperation& operation : demand_.operations()) {
    std::uint8_t& held = class_of[operation.block];
    const std::uint8_t before = held;
    const bool ends =
        operation.kind == SlotOperation::Kind::give || operation.kind == SlotOperation::Kind::leave;
    if (ends) {
      held = kNone;
    } else if (before == kNone || operation.size_class > before) {
      held = operation.size_class;
      add(held);
    }
    if (before != held && before != kNone) {
      remove(before);
    }
  }
  return most;
}

// --- 2: step by step ---

// Takes grains of one size away, as many as it can at once.
bool SlotSearch::take_away() {
  bool better = false;
  for (std::uint32_t i = classes_; i-- > 0;) {
    for (std::uint32_t grains = best_[i]; grains > 0;) {
      Table table = best_;
      table[i] -= grains;
      if (try_table(table)) {
        better = true;
        grains = best_[i];
      } else {
        grains /= 2;
      }
    }
  }
  return better;
}

// Takes one or two grains away and adds some of another size instead.
bool SlotSearch::exchange() {
  constexpr std::uint32_t kMostAdded = 4;
  for (std::uint32_t first = classes_; first-- > 0;) {
    for (std::uint32_t second = first + 1; second-- > 0;) {
      // second = first: one grain; else one of each.
      if (best_[first] == 0 || best_[second] == 0) {
        continue;
      }
      Table less = best_;
      --less[first];
      less[second] -= second != first ? 1 : 0;
      for (std::uint32_t added = classes_; added-- > 0;) {
        for (std::uint32_t grains = 1; grains <= kMostAdded; ++grains) {
          Table table = less;
          table[added] += grains;
          if (added == first || added == second || peaks_.at_most[added] == 0) {
            break;
          }
          if (try_table(table)) {
            return true;
          }
          if (pages_of(table) > best_pages_) {
            break;
          }
        }
      }
    }
  }
  return false;
}

void SlotSearch::improve() {
  const std::uint64_t until = model_.played() + options_.effort;
  while (take_away() || (model_.played() < until && exchange())) {
    if (options_.progress) {
      options_.progress(0);
    }
  }
}

// Takes grains away, each time the one whose loss hurts least, until the budget is kept.
void SlotSearch::fit_budget() {
  while (best_pages_ > limit_) {
    Table next;
    std::uint64_t fewest = UINT64_MAX - 1;
    for (std::uint32_t i = 0; i < classes_; ++i) {
      if (best_[i] == 0) {
        continue;
      }
      Table table = best_;
      --table[i];
      ++tables_;
      const std::uint64_t failures = model_.failures(slots_of(table), fewest);
      if (failures < fewest) {
        fewest = failures;
        next = std::move(table);
      }
    }
    best_ = std::move(next);
    best_pages_ = pages_of(best_);
    best_failures_ = fewest;
  }
}

// --- 3: all tables ---

// Plays all tables of `pages` pages in the classes below `classes`, beside at_'s larger ones. False
// where that takes too long.
bool SlotSearch::visit(std::uint32_t classes, std::uint32_t bundles, std::uint32_t slots,
                       std::uint32_t pages) {
  if (classes == 0) {
    if (pages == 0) {
      try_table(at_);
    }
    return ++visited_ <= kMostVisited && model_.played() < until_;
  }
  const std::uint32_t size_class = classes - 1;
  const SlotGrain grain = grain_of(size_class);
  // What is never used changes nothing.
  const std::uint32_t most = (peaks_.at_most[size_class] + grain.slots - 1) / grain.slots;
  const bool must_serve = best_failures_ == 0;
  bool done = true;
  for (std::uint32_t grains = 0; done && grains <= most && grains * grain.pages <= pages;
       ++grains) {
    if (grains != 0 && bundles == 0) {
      break;
    }
    const std::uint32_t bundles_left = bundles - (grains != 0 ? 1 : 0);
    const std::uint32_t pages_left = pages - grains * grain.pages;
    const std::uint32_t more = slots + grains * grain.slots;
    if (must_serve && (more < peaks_.at_least[size_class] ||
                       bound_.pages_below(size_class, bundles_left, more) > pages_left)) {
      continue;
    }
    at_[size_class] = grains;
    done = visit(size_class, bundles_left, more, pages_left);
  }
  at_[size_class] = 0;
  return done;
}

// Whether all tables that could be better have been played.
bool SlotSearch::prove() {
  until_ = model_.played() + options_.effort;
  const std::uint32_t begin = best_failures_ == 0 ? bound_.pages() : 0;
  // While some requests fail, a table of as many pages may be better.
  for (std::uint32_t pages = begin; pages < best_pages_ || (pages <= limit_ && best_failures_ != 0);
       ++pages) {
    if (options_.progress) {
      const auto left = static_cast<double>(until_ - model_.played());
      options_.progress(1 - left / static_cast<double>(options_.effort));
    }
    at_.assign(classes_, 0);
    if (!visit(classes_, options_.bundles, 0, pages)) {
      return false;
    }
  }
  return true;
}

SlotChoice SlotSearch::find() {
  SlotChoice choice;
  best_ = segregated();
  best_pages_ = pages_of(best_);
  best_failures_ = 0;
  if (classes_ != 0) {
    try_table(grains_of(bound_.table()));
    improve();
    limit_ = options_.budget_pages.value_or(UINT32_MAX);
    if (best_pages_ > limit_) {
      fit_budget();
      improve();
    }
    // What has no more than the bound needs no model for that.
    choice.proved =
        prove() && (demand_.is_exact() || (best_failures_ == 0 && best_pages_ == bound_.pages()));
  } else {
    choice.proved = true;
  }
  choice.slots = slots_of(best_);
  choice.pages = best_pages_;
  choice.failures = best_failures_;
  choice.least_pages = classes_ != 0 ? bound_.pages() : 0;
  choice.tables = tables_;
  return choice;
}

}  // namespace modmem::tuning
