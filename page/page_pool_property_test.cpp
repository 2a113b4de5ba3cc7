// Properties of PagePool: the best run by brute force, and its invariants under random calls.

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "page/page_pool.hpp"
#include "page/testing/test_pool.hpp"

namespace modmem {
namespace {

// What find_run() is to find, by looking at every place.
struct BestRun {
  std::uint32_t banks = UINT32_MAX;
  std::uint32_t gap = UINT32_MAX;
};
BestRun rate(const PagePool& pool, std::uint32_t first, std::uint32_t count) {
  BestRun run;
  std::uint32_t begin = first;
  while (begin > 0 && !pool.is_taken(frame(begin - 1))) {
    --begin;
  }
  std::uint32_t end = first + count;
  while (end < pool.frames() && !pool.is_taken(frame(end))) {
    ++end;
  }
  run.gap = end - begin;
  run.banks = 0;
  for (std::uint32_t i = number(pool.bank_of(frame(first)));
       i <= number(pool.bank_of(frame(first + count - 1))); ++i) {
    run.banks += pool.is_powered(bank(i)) ? 0U : 1U;
  }
  return run;
}

RC_GTEST_PROP(PagePool, FindsTheBestRunThereIs, ()) {
  const auto frames = *rc::gen::inRange<std::uint32_t>(1, 70);
  TestPool setup(frames, *rc::gen::inRange<std::uint32_t>(0, 12));
  PageAccount account;
  // Runs of taken and free frames: single random ones leave no gaps to choose from.
  std::uint32_t at = 0;
  while (at < frames) {
    at += *rc::gen::inRange<std::uint32_t>(0, 20);
    const auto count = *rc::gen::inRange<std::uint32_t>(1, 6);
    if (at + count <= frames) {
      RC_ASSERT(setup.pool.take_at(account, frame(at), count));
    }
    at += count;
  }
  const auto count = *rc::gen::inRange<std::uint32_t>(1, 24);
  const std::uint32_t alignment = 1U << *rc::gen::inRange<std::uint32_t>(0, 5);
  BestRun best;
  for (std::uint32_t first = 0; first + count <= frames; first += alignment) {
    if (setup.pool.taken_map().count(first, first + count) == 0) {
      const BestRun run = rate(setup.pool, first, count);
      if (run.banks < best.banks || (run.banks == best.banks && run.gap < best.gap)) {
        best = run;
      }
    }
  }
  const std::optional<Frame> found = setup.pool.find_run(count, alignment);
  RC_ASSERT(found.has_value() == (best.banks != UINT32_MAX));
  if (found) {
    RC_ASSERT(number(*found) % alignment == 0U);
    RC_ASSERT(number(*found) + count <= frames);
    RC_ASSERT(setup.pool.taken_map().count(number(*found), number(*found) + count) == 0U);
    const BestRun run = rate(setup.pool, number(*found), count);
    RC_ASSERT(run.banks == best.banks);
    RC_ASSERT(run.gap == best.gap);
    RC_ASSERT(setup.pool.banks_to_power(number(*found), count) == best.banks);
    RC_ASSERT(setup.pool.take_run(account, count, alignment) == found);
  } else {
    RC_ASSERT(!setup.pool.take_run(account, count, alignment));
  }
  RC_ASSERT(setup.sound());
}

RC_GTEST_PROP(PagePool, KeepsItsInvariantsWhateverComes, ()) {
  const auto frames = *rc::gen::inRange<std::uint32_t>(1, 60);
  TestPool setup(frames, *rc::gen::inRange<std::uint32_t>(0, 12));
  PageAccount accounts[3];
  accounts[2].limit = *rc::gen::inRange<std::uint32_t>(0, 20);
  std::vector<int> owner(frames, -1);
  const auto steps = *rc::gen::inRange(1, 200);
  for (int step = 0; step < steps; ++step) {
    const int who = *rc::gen::inRange(0, 3);
    PageAccount& account = accounts[who];
    // What may be taken, from the definitions alone.
    std::uint32_t others = 0;
    for (const PageAccount& each : accounts) {
      others += &each == &account ? 0 : std::max(each.guarantee, each.held) - each.held;
    }
    const std::uint32_t may =
        std::min(setup.pool.free() - others, account.limit - std::min(account.limit, account.held));
    RC_ASSERT(setup.pool.available(account) == may);
    const auto first = *rc::gen::inRange<std::uint32_t>(0, frames);
    const auto count = *rc::gen::inRange<std::uint32_t>(1, 8);
    const auto note = [&](std::uint32_t from, std::uint32_t length, int whose) {
      for (std::uint32_t i = from; i < from + length; ++i) {
        RC_ASSERT((owner[i] == -1) != (whose == -1));
        owner[i] = whose;
      }
    };
    switch (*rc::gen::inRange(0, 5)) {
      case 0: {
        const std::optional<Frame> taken = setup.pool.take(account);
        RC_ASSERT(taken.has_value() == (may > 0));
        if (taken) {
          note(number(*taken), 1, who);
        }
        break;
      }
      case 1: {
        const bool fits = first + count <= frames &&
                          std::all_of(owner.begin() + first, owner.begin() + first + count,
                                      [](int each) { return each == -1; });
        const bool done = setup.pool.take_at(account, frame(first), count);
        RC_ASSERT(done == (fits && count <= may));
        if (done) {
          note(first, count, who);
        }
        break;
      }
      case 2: {
        const std::optional<Frame> run = setup.pool.take_run(account, count, 1);
        if (run) {
          note(number(*run), count, who);
        }
        break;
      }
      case 3: {
        std::uint32_t end = first;
        while (end < frames && owner[end] == who) {
          ++end;
        }
        if (end > first) {
          setup.pool.give(account, frame(first), end - first);
          note(first, end - first, -1);
        }
        break;
      }
      default: {
        const std::uint32_t now = std::max(account.guarantee, account.held) - account.held;
        const std::uint32_t then = std::max(count, account.held) - account.held;
        const bool fits =
            count <= account.limit && setup.pool.reserved() - now + then <= setup.pool.free();
        RC_ASSERT(setup.pool.set_guarantee(account, count) == fits);
        break;
      }
    }
    std::uint32_t reserved = 0;
    for (int i = 0; i < 3; ++i) {
      RC_ASSERT(accounts[i].held ==
                static_cast<std::uint32_t>(std::count(owner.begin(), owner.end(), i)));
      RC_ASSERT(accounts[i].held <= accounts[i].peak);
      RC_ASSERT(accounts[i].held <= accounts[i].limit);
      reserved += accounts[i].unused_guarantee();
    }
    RC_ASSERT(setup.pool.reserved() == reserved);
    for (std::uint32_t i = 0; i < frames; ++i) {
      RC_ASSERT(setup.pool.is_taken(frame(i)) == (owner[i] != -1));
    }
    RC_ASSERT(setup.power().find('!') == std::string::npos);
    RC_ASSERT(setup.sound());
  }
}

}  // namespace
}  // namespace modmem
