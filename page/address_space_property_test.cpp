// Properties of AddressSpace: random calls against a plain model of pages.

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "page/address_space.hpp"
#include "page/testing/page_world.hpp"

namespace modmem {
namespace {

struct ModelPage {
  HeapId heap = kNoHeap;  // kNoHeap: not mapped
  bool kept = false;
};

// Two heaps: with an MMU each uses one half of the window, without they share it.
class Model {
 public:
  Model(bool mmu, std::uint32_t pages) : has_mmu(mmu), pages_(pages) {}

  std::uint32_t first(int who) const { return has_mmu ? (who == 0 ? 0 : size() / 2) : 0; }
  std::uint32_t end(int who) const { return has_mmu ? (who == 0 ? size() / 2 : size()) : size(); }
  std::uint32_t size() const { return static_cast<std::uint32_t>(pages_.size()); }
  ModelPage& operator[](std::uint32_t page) { return pages_[page]; }
  bool free_for(std::uint32_t page, HeapId heap) const {
    return pages_[page].heap == kNoHeap || (pages_[page].heap == heap && pages_[page].kept);
  }

  bool has_mmu;

 private:
  std::vector<ModelPage> pages_;
};

// Compares everything that can be asked with what the model says.
void compare(PageWorld& world, Model& model, const PageAccount* accounts) {
  AddressSpace& space = world.space();
  std::uint32_t mapped = 0;
  for (std::uint32_t page = 0; page < model.size(); ++page) {
    const ModelPage& expected = model[page];
    const bool is_mapped = expected.heap != kNoHeap;
    mapped += is_mapped ? 1 : 0;
    RC_ASSERT(space.is_mapped(page) == is_mapped);
    RC_ASSERT(space.is_busy(page) == (is_mapped && !expected.kept));
    RC_ASSERT(space.heap_of(page) == expected.heap);
    for (int who = 0; who < 2; ++who) {
      const HeapId heap{static_cast<std::uint8_t>(who)};
      if (page < model.first(who) || page >= model.end(who)) {
        continue;
      }
      RC_ASSERT(space.is_free_for(page, heap) == model.free_for(page, heap));
      std::uint32_t end = page;
      while (end < model.end(who) && model.free_for(end, heap)) {
        ++end;
      }
      RC_ASSERT(space.free_run_end(page, model.end(who), heap) == end);
    }
    std::uint32_t kept = page;
    while (kept < model.size() && !model[kept].kept) {
      ++kept;
    }
    RC_ASSERT(space.next_kept(page, model.size()) == kept);
  }
  RC_ASSERT(space.mapped_pages() == mapped);
  RC_ASSERT(world.pool().taken() == mapped);
  RC_ASSERT(accounts[0].held + accounts[1].held == mapped);
  RC_ASSERT(world.check());
}

void any_calls(bool has_mmu) {
  const auto frames = *rc::gen::inRange<std::uint32_t>(8, 40);
  PlatformConfig config = small_platform(has_mmu, frames);
  config.window_bytes = has_mmu ? std::size_t{2} * frames * config::kPageBytes : 0;
  PageWorld world(config, PortKind::fake);
  AddressSpace& space = world.space();
  Model model(has_mmu, world.window_pages());
  PageAccount accounts[2];
  const int steps = *rc::gen::inRange(1, 60);
  for (int step = 0; step < steps; ++step) {
    const int who = *rc::gen::inRange(0, 2);
    const HeapId heap{static_cast<std::uint8_t>(who)};
    const auto first = *rc::gen::inRange(model.first(who), model.end(who));
    const auto most = std::min(*rc::gen::inRange<std::uint32_t>(1, 12), model.end(who) - first);
    std::uint32_t free = 0;
    std::uint32_t busy = 0;
    while (free < most && model.free_for(first + free, heap)) {
      ++free;
    }
    while (busy < most && model[first + busy].heap == heap && !model[first + busy].kept) {
      ++busy;
    }
    if (free > 0) {
      std::uint32_t needed = 0;
      for (std::uint32_t page = first; page < first + free; ++page) {
        needed += model[page].heap == kNoHeap ? 1 : 0;
      }
      RC_ASSERT(space.unmapped_in(first, free) == needed);
      const auto maps = *rc::gen::weightedOneOf<std::uint64_t>(
          {{3, rc::gen::just(FakePort::kNever)}, {1, rc::gen::inRange<std::uint64_t>(0, 8)}});
      const std::uint32_t available = world.pool().available(accounts[who]);
      world.fail_maps_after(maps);
      const bool done = space.map(first, free, heap, accounts[who]);
      world.fail_maps_after(FakePort::kNever);
      RC_ASSERT(done == (needed <= available && needed <= maps));
      for (std::uint32_t page = first; done && page < first + free; ++page) {
        model[page] = {heap, false};
      }
    } else if (busy > 0 && *rc::gen::arbitrary<bool>()) {
      space.unmap(first, busy, accounts[who]);
      for (std::uint32_t page = first; page < first + busy; ++page) {
        model[page] = {};
      }
    } else if (busy > 0) {
      space.keep_empty(first);
      model[first].kept = true;
    }
    compare(world, model, accounts);
  }
}

RC_GTEST_PROP(AddressSpace, KeepsItsInvariantsWithAnMmu, ()) { any_calls(true); }
RC_GTEST_PROP(AddressSpace, KeepsItsInvariantsWithoutAnMmu, ()) { any_calls(false); }

RC_GTEST_PROP(AddressSpace, ReservesTheLowestGapOrTheLargest, ()) {
  PageWorld world(small_platform(true, 10), PortKind::fake);
  std::vector<bool> used(world.window_pages(), false);
  std::vector<Span> spans;
  const int steps = *rc::gen::inRange(1, 40);
  for (int step = 0; step < steps; ++step) {
    if (!spans.empty() && *rc::gen::inRange(0, 3) == 0) {
      const auto index = *rc::gen::inRange<std::size_t>(0, spans.size());
      world.space().release_span(spans[index]);
      std::fill_n(used.begin() + spans[index].first, spans[index].pages, false);
      spans.erase(spans.begin() + static_cast<std::ptrdiff_t>(index));
      continue;
    }
    const auto wanted = *rc::gen::inRange<std::uint32_t>(1, 16);
    const auto minimum = *rc::gen::inRange<std::uint32_t>(1, wanted + 1);
    Span best;
    std::uint32_t largest = 0;
    for (std::uint32_t page = 0; page < used.size();) {
      std::uint32_t end = page;
      while (end < used.size() && !used[end]) {
        ++end;
      }
      largest = std::max(largest, end - page);
      if (best.pages < wanted && std::min(end - page, wanted) > best.pages) {
        best = {page, std::min(end - page, wanted)};
      }
      page = end + 1;
    }
    RC_ASSERT(world.space().largest_gap() == largest);
    const auto span = world.space().reserve_span(wanted, minimum);
    RC_ASSERT(span.has_value() == (best.pages >= minimum));
    if (span) {
      RC_ASSERT(span->first == best.first);
      RC_ASSERT(span->pages == best.pages);
      std::fill_n(used.begin() + span->first, span->pages, true);
      spans.push_back(*span);
    }
  }
}

}  // namespace
}  // namespace modmem
