#include "tuning/slot_demand.hpp"

#include <algorithm>

#include "base/bits.hpp"
#include "trace/trace_error.hpp"

namespace modmem::tuning {

using trace::Event;
using trace::OpKind;

// As Memory routes and rounds a request that no private owner serves (memory/memory_route.cpp).
std::optional<SlotDemand::Class> SlotDemand::class_of(const Event& event) const {
  const PolicyRow& base = policy_.unflagged;
  Place where = Place::any;
  bool lines = base.whole_lines;
  bool dma = base.dma_aligned;
  bool uncached = base.uncached;
  for (const PolicyRow& row : policy_.rows) {
    if ((event.flags & row.flag) == 0) {
      continue;
    }
    if (where == Place::any && (row.place != Place::lp || platform_.lp_sram_bytes != 0)) {
      where = row.place;
    }
    lines = lines || row.whole_lines;
    dma = dma || row.dma_aligned;
    uncached = uncached || row.uncached;
  }
  where = where == Place::any ? base.place : where;
  const bool shared = where == Place::shared && policy_.shared != HeapKind::none;
  const bool is_side = where == Place::l3 || where == Place::lp || shared;
  const bool dedicated = policy_.slots == HeapKind::slots;
  const bool in_slots =
      !is_side && (dedicated ? where == Place::slots : policy_.system == HeapKind::slots);
  if (!in_slots) {
    return std::nullopt;
  }
  std::size_t bytes = event.bytes;
  std::size_t alignment = std::max<std::size_t>(event.alignment, config::kGranuleBytes);
  if (lines || uncached || platform_.cores > 1) {
    bytes = align_up(bytes, platform_.cache_line_bytes);
    alignment = std::max(alignment, platform_.cache_line_bytes);
  }
  if (dma) {
    alignment = std::max(alignment, platform_.dma_alignment);
  }
  const auto smallest = [](std::size_t size) {
    const std::size_t slot = std::bit_ceil(std::max(size, kLeastBytes));
    return std::min(static_cast<std::uint32_t>(std::countr_zero(slot / kLeastBytes)),
                    kMostClasses - 1);
  };
  return Class{smallest(std::max(bytes, alignment)), smallest(bytes)};
}

void SlotDemand::add(trace::EventSource& source) {
  constexpr std::size_t kBatch = 4096;
  std::vector<Event> events(kBatch);
  while (const std::size_t count = source.read(events)) {
    for (std::size_t i = 0; i < count; ++i) {
      play(events[i]);
    }
  }
  for (std::uint32_t place = 0; place < live_.size(); ++place) {
    give(place);
  }
}

void SlotDemand::play(const Event& event) {
  switch (event.kind) {
    case OpKind::allocate:
      if (const std::optional<Class> wanted = class_of(event)) {
        take(event, SlotOperation::Kind::take, *wanted);
      }
      break;
    case OpKind::resize: {
      const bool lives = event.block < live_.size() && live_[event.block].lives;
      const std::optional<Class> wanted = class_of(event);
      if (wanted && !lives) {
        take(event, SlotOperation::Kind::enter, *wanted);
      } else if (lives) {
        append(wanted ? SlotOperation::Kind::resize : SlotOperation::Kind::leave,
               wanted.value_or(Class{}), event.block);
      }
      break;
    }
    case OpKind::free:
      give(event.block);
      break;
    case OpKind::release:
      while (first_of(event.owner) != kNone) {
        give(first_of(event.owner));
      }
      break;
  }
}

void SlotDemand::take(const Event& event, SlotOperation::Kind kind, const Class& wanted) {
  if (event.block >= live_.size()) {
    live_.resize(std::size_t{event.block} + 1);
  }
  std::uint32_t& first = first_of(event.owner);
  live_[event.block] = {true, event.owner, first, kNone};
  if (first != kNone) {
    live_[first].previous = event.block;
  }
  first = event.block;
  append(kind, wanted, event.block);
}

void SlotDemand::give(std::uint32_t place) {
  if (place >= live_.size() || !live_[place].lives) {
    return;
  }
  Block& block = live_[place];
  if (block.next != kNone) {
    live_[block.next].previous = block.previous;
  }
  (block.previous != kNone ? live_[block.previous].next : first_of(block.owner)) = block.next;
  block.lives = false;
  append(SlotOperation::Kind::give, {}, place);
}

std::uint32_t& SlotDemand::first_of(std::uint32_t owner) {
  const std::size_t index = owner == Event::kSystem ? 0 : std::size_t{owner} + 1;
  if (index >= owners_.size()) {
    owners_.resize(index + 1, kNone);
  }
  return owners_[index];
}

void SlotDemand::append(SlotOperation::Kind kind, const Class& wanted, std::uint32_t block) {
  operations_.push_back({kind, static_cast<std::uint8_t>(wanted.size_class),
                         static_cast<std::uint8_t>(wanted.least_class), block});
  if (kind != SlotOperation::Kind::give && kind != SlotOperation::Kind::leave) {
    ++requests_;
    is_exact_ = is_exact_ && wanted.size_class == wanted.least_class;
    classes_ = std::max(classes_, wanted.size_class + 1);
    blocks_ = std::max(blocks_, block + 1);
  }
}

// Counts of live blocks of a class, of larger and of smaller ones, and the most of each.
//
// A block that becomes smaller stays in its slot, so for `at_least` it counts as of its largest
// class until it goes; for `at_most` as of its smallest one, as it may fail to become larger. One
// that moves has two slots for a moment, which `at_most` has room for.
SlotPeaks::SlotPeaks(const SlotDemand& demand)
    : of_class(demand.classes()), at_least(demand.classes()), at_most(demand.classes()) {
  struct Range {
    bool is_there = false;
    std::uint8_t smallest = 0;
    std::uint8_t least = 0;  // that had the bytes: the largest of them
    std::uint8_t largest = 0;
  };
  const std::uint32_t classes = demand.classes();
  std::vector<Range> range_of(demand.blocks());
  std::vector<std::uint32_t> live(classes);
  std::vector<std::uint32_t> larger(classes);
  std::vector<std::uint32_t> smaller(classes);
  const auto occupy = [&](std::uint32_t size_class) {
    of_class[size_class] = std::max(of_class[size_class], ++live[size_class]);
  };
  const auto enlarge = [&](std::uint32_t from, std::uint32_t size_class) {
    for (std::uint32_t i = from; i <= size_class; ++i) {
      at_least[i] = std::max(at_least[i], ++larger[i]);
    }
  };
  const auto diminish = [&](std::uint32_t size_class, std::uint32_t to) {
    for (std::uint32_t i = size_class; i < to; ++i) {
      at_most[i] = std::max(at_most[i], ++smaller[i]);
    }
  };
  const auto remove = [&](const Range& range) {
    --live[range.largest];
    for (std::uint32_t i = 0; i <= range.least; ++i) {
      --larger[i];
    }
    for (std::uint32_t i = range.smallest; i < classes; ++i) {
      --smaller[i];
    }
  };
  bool resizes = false;
  for (const SlotOperation& operation : demand.operations()) {
    const std::uint8_t asked = operation.size_class;
    Range& range = range_of[operation.block];
    const bool ends =
        operation.kind == SlotOperation::Kind::give || operation.kind == SlotOperation::Kind::leave;
    if (ends) {
      if (range.is_there) {
        remove(range);
      }
      range.is_there = false;
    } else if (!range.is_there) {
      range = {true, asked, operation.least_class, asked};
      occupy(asked);
      enlarge(0, operation.least_class);
      diminish(asked, classes);
    } else {
      resizes = true;
      if (asked > range.largest) {
        --live[range.largest];
        occupy(asked);
        range.largest = asked;
      }
      if (operation.least_class > range.least) {
        enlarge(range.least + 1U, operation.least_class);
        range.least = operation.least_class;
      }
      if (asked < range.smallest) {
        diminish(asked, range.smallest);
        range.smallest = asked;
      }
    }
  }
  for (std::uint32_t& most : at_most) {
    most += resizes ? 1 : 0;
  }
}

}  // namespace modmem::tuning
