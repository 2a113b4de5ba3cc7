// Properties of AddressSpace::compact(): random calls on the simulator's real mappings, with a
// pattern in every page that is looked at through both aliases after each step.

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <functional>
#include <map>
#include <vector>

#include "page/address_space.hpp"
#include "page/testing/page_world.hpp"

namespace modmem {
namespace {

constexpr HeapId kMoves{1};
constexpr HeapId kStays{2};

struct ModelPage {
  HeapId heap = kMoves;
  unsigned char pattern = 0;
  bool kept = false;
  bool pinned = false;
};

class Mover final : public PageMover {
 public:
  explicit Mover(const std::map<std::uint32_t, ModelPage>& model) : model_(model) {}
  bool may_move(std::uint32_t page) override { return model_.at(page).heap == kMoves; }

 private:
  const std::map<std::uint32_t, ModelPage>& model_;
};

class Run {
 public:
  Run(std::uint32_t frames, std::uint32_t reserve)
      : world(config_of(frames, reserve), PortKind::host), mover(model) {}

  void step() {
    const std::uint32_t page = *rc::gen::inRange<std::uint32_t>(0, world.frames());
    const auto found = model.find(page);
    switch (*rc::gen::inRange(0, 8)) {
      case 0:
      case 1:
      case 2:
        map(page);
        break;
      case 3:
      case 4:
        drop(found);
        break;
      case 5:
        if (found != model.end()) {
          found->second.pinned = !found->second.pinned;
          world.space().set_pinned(page, found->second.pinned);
        }
        break;
      case 6:
        take_or_give_raw(page);
        break;
      default:
        compact();
        break;
    }
    compare();
  }

 private:
  static PlatformConfig config_of(std::uint32_t frames, std::uint32_t reserve) {
    PlatformConfig config = small_platform(true, frames);
    config.reserve_bytes = reserve * config::kPageBytes;
    config.sram_bytes = config.reserve_bytes + std::size_t{frames} * config::kPageBytes;
    config.window_bytes =
        std::size_t{frames + 1} * config::kPageBytes;  // the last one is for copies
    return config;
  }

  void map(std::uint32_t first) {
    const auto count = std::min(*rc::gen::inRange<std::uint32_t>(1, 9), world.frames() - first);
    std::uint32_t end = first;
    while (end < first + count && model.count(end) == 0) {
      ++end;
    }
    const HeapId heap = *rc::gen::inRange(0, 8) == 0 ? kStays : kMoves;
    if (end == first || !world.space().map(first, end - first, heap, account)) {
      return;
    }
    for (std::uint32_t page = first; page < end; ++page) {
      const auto pattern = static_cast<unsigned char>(++patterns);
      model[page] = {heap, pattern, false, false};
      std::memset(world.space().address_of(page), pattern, config::kPageBytes);
    }
  }

  void drop(std::map<std::uint32_t, ModelPage>::iterator found) {
    if (found == model.end()) {
      return;
    }
    if (!found->second.kept && *rc::gen::inRange(0, 4) == 0) {
      world.space().keep_empty(found->first);
      found->second.kept = true;
      return;
    }
    world.space().unmap(found->first, 1, account);
    model.erase(found);
  }

  void take_or_give_raw(std::uint32_t index) {
    const Frame frame{static_cast<std::uint16_t>(index)};
    if (raw[index]) {
      world.pool().give(other, frame, 1);
      raw[index] = false;
    } else if (*rc::gen::inRange(0, 4) == 0) {
      raw[index] = world.pool().take_at(other, frame, 1);
    }
  }

  void compact() {
    const auto budget = *rc::gen::inRange<std::uint32_t>(0, 12);
    const bool fails = *rc::gen::inRange(0, 3) == 0;
    if (fails) {
      world.fail_maps_after(*rc::gen::inRange<std::uint64_t>(0, 12));
    }
    const std::uint32_t on = world.pool().banks_on();
    const std::map<std::uint32_t, std::uint16_t> before = frames();
    const Compaction result = world.space().compact(budget, mover);
    world.fail_maps_after(HostPort::kNever);
    RC_ASSERT(result.moved <= budget);
    check_moves(before, result.moved);
    RC_ASSERT(world.pool().banks_on() <= on);
    compare();
    if (*rc::gen::arbitrary<bool>()) {
      return;
    }
    // To the end: no page is moved more than once, and no fewer banks would do.
    const std::map<std::uint32_t, std::uint16_t> then = frames();
    std::uint32_t moved = 0;
    Compaction each{0, true};
    while (each.more) {
      each = world.space().compact(3, mover);
      moved += each.moved;
      RC_ASSERT(moved <= world.frames());
      compare();
    }
    check_moves(then, moved);
    RC_ASSERT(world.pool().banks_on() == least_banks());
    RC_ASSERT(world.space().compact(100, mover).moved == 0U);
  }

  std::map<std::uint32_t, std::uint16_t> frames() const {
    std::map<std::uint32_t, std::uint16_t> frames;
    for (const auto& [page, state] : model) {
      frames[page] = world.space().frame_of(page);
    }
    return frames;
  }

  // As many pages lie elsewhere as were moved, so none was moved twice; none that must stay was.
  void check_moves(const std::map<std::uint32_t, std::uint16_t>& before, std::uint32_t moved) {
    std::uint32_t changed = 0;
    for (const auto& [page, frame] : before) {
      const bool here = world.space().frame_of(page) == frame;
      changed += here ? 0 : 1;
      RC_ASSERT(here || (model.at(page).heap == kMoves && !model.at(page).pinned));
    }
    RC_ASSERT(changed == moved);
  }

  // Banks that have to be on whatever moves, and as many more as it takes, the largest first.
  std::uint32_t least_banks() {
    PagePool& pool = world.pool();
    std::vector<bool> stays(pool.banks(), false);
    const auto bank_of = [&](std::uint32_t frame) {
      return number(pool.bank_of(Frame{static_cast<std::uint16_t>(frame)}));
    };
    for (std::uint32_t frame = 0; frame < pool.frames(); ++frame) {
      if (raw[frame]) {
        stays[bank_of(frame)] = true;
      }
    }
    for (const auto& [page, state] : model) {
      if (state.pinned || state.heap == kStays) {
        stays[bank_of(world.space().frame_of(page))] = true;
      }
    }
    stays[0] = stays[0] || world.config().reserve_bytes % world.config().bank_bytes != 0;
    std::uint32_t least = 0;
    std::uint32_t room = 0;
    std::vector<std::uint32_t> others;
    for (std::uint16_t bank = 0; bank < pool.banks(); ++bank) {
      if (stays[bank]) {
        ++least;
        room += pool.frames_in(Bank{bank});
      } else {
        others.push_back(pool.frames_in(Bank{bank}));
      }
    }
    std::sort(others.begin(), others.end(), std::greater<>());
    for (std::size_t i = 0; room < pool.taken(); ++i, ++least) {
      room += others.at(i);
    }
    return least;
  }

  void compare() {
    AddressSpace& space = world.space();
    RC_ASSERT(world.check());
    RC_ASSERT(space.mapped_pages() == model.size());
    RC_ASSERT(account.held == model.size());
    for (const auto& [page, state] : model) {
      RC_ASSERT(space.heap_of(page) == state.heap);
      RC_ASSERT(space.info(page).pinned == state.pinned);
      RC_ASSERT(space.is_busy(page) == !state.kept);
      const unsigned char pattern = state.pattern;
      const auto* cached = reinterpret_cast<const unsigned char*>(space.address_of(page));
      const auto* uncached =
          reinterpret_cast<const unsigned char*>(space.to_uncached(space.address_of(page)));
      for (const unsigned char* bytes : {cached, uncached}) {
        const bool same = std::all_of(bytes, bytes + config::kPageBytes,
                                      [pattern](unsigned char byte) { return byte == pattern; });
        RC_ASSERT(same || state.kept);
      }
    }
  }

  std::map<std::uint32_t, ModelPage> model;
  PageWorld world;
  Mover mover;
  PageAccount account;
  PageAccount other;
  std::map<std::uint32_t, bool> raw;
  unsigned patterns = 0;
};

RC_GTEST_PROP(Compact, KeepsContentAndEndsWithTheFewestBanks, ()) {
  Run run(*rc::gen::inRange<std::uint32_t>(9, 48), *rc::gen::inRange<std::uint32_t>(0, 9));
  const int steps = *rc::gen::inRange(1, 60);
  for (int step = 0; step < steps; ++step) {
    run.step();
  }
}

}  // namespace
}  // namespace modmem
