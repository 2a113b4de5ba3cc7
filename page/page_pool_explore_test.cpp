// All that can happen to a small pool: every operation of PagePool in every state that any sequence
// of them leads to, with banks that refuse to come on, against a model that knows nothing but the
// definitions.

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>

#include "page/page_pool.hpp"
#include "page/testing/exploration.hpp"
#include "page/testing/test_pool.hpp"
#include "port/testing/fake_port.hpp"

namespace modmem {
namespace {

constexpr std::uint32_t kBanks = 3;
constexpr std::uint32_t kInBank = 2;
constexpr std::uint32_t kMost = kBanks * kInBank;
constexpr std::uint32_t kAccounts = 2;
constexpr std::uint32_t kHoldUs = 100;
constexpr std::int8_t kNobody = -1;

struct Setup {
  std::uint32_t reserve = 0;  // frames of the first bank
  bool holds = false;         // banks stay on for a while when they are empty
  bool moves = false;         // frames are pinned and moved
  std::uint32_t most_guaranteed = 0;
  std::uint32_t limit = 4;  // of the first account

  std::uint32_t frames() const { return kMost - reserve; }
};

PlatformConfig platform_of(const Setup& setup) {
  PlatformConfig config = platform(setup.frames(), setup.reserve);
  config.bank_bytes = kInBank * config::kPageBytes;
  config.bank_hold_us = setup.holds ? kHoldUs : 0;
  return config;
}

void require(bool holds, const char* what) {
  if (!holds) {
    throw std::runtime_error(what);
  }
}

// What the pool is to be, by the definitions.
struct Model {
  enum class Hold : std::uint8_t { none, fresh, due };

  std::array<std::int8_t, kMost> owner{};
  std::array<bool, kMost> pinned{};
  std::array<std::uint32_t, kAccounts> guarantee{};
  std::array<Hold, kBanks> hold{};

  std::uint32_t held(std::uint32_t who) const {
    return static_cast<std::uint32_t>(
        std::count(owner.begin(), owner.end(), static_cast<std::int8_t>(who)));
  }
  std::uint32_t unused(std::uint32_t who) const {
    return std::max(guarantee[who], held(who)) - held(who);
  }

  std::string key() const {
    std::string text;
    for (std::size_t i = 0; i < kMost; ++i) {
      text += static_cast<char>('b' + owner[i] + (pinned[i] ? 4 : 0));
    }
    for (std::size_t i = 0; i < kAccounts; ++i) {
      text += static_cast<char>('0' + guarantee[i]);
    }
    for (const Hold each : hold) {
      text += static_cast<char>('0' + static_cast<int>(each));
    }
    return text;
  }
};

// A pool, and what it takes to put it back where it was.
class ExploredPool {
 public:
  struct Node {
    Model model;
    PagePool pool;
    std::array<std::byte, 256> tables{};
    std::array<PageAccount, kAccounts> accounts{};
    std::uint64_t time = 0;
  };

  explicit ExploredPool(const Setup& setup)
      : setup_(setup), frames_(setup.frames()), port_(platform_of(setup)) {
    MetadataArena arena(tables_);
    require(pool_.boot(platform_of(setup), port_, arena), "the tables are too large");
    accounts_[0].limit = setup.limit;
    model_.owner.fill(kNobody);
  }

  Exploration explore_all() {
    check();
    return explore(model_.key(), save(), UINT32_MAX,
                   [this](const Node& node, auto offer) { step(node, offer); });
  }

 private:
  Node save() const { return {model_, pool_, tables_, accounts_, time_}; }

  void restore(const Node& node) {
    model_ = node.model;
    pool_ = node.pool;
    tables_ = node.tables;
    accounts_ = node.accounts;
    time_ = node.time;
    port_.set_time_us(time_);
    for (std::uint32_t i = 0; i < kBanks; ++i) {
      port_.break_bank(bank(i), false);
      if (port_.is_on(bank(i)) != pool_.is_powered(bank(i))) {
        port_.set_bank_power(bank(i), pool_.is_powered(bank(i)));
      }
    }
  }

  // Does `operation`, in the state of `node` and with the banks of `broken` refusing to come on.
  template <typename Offer, typename Operation>
  void attempt(const Node& node, std::uint32_t broken, const char* name, Offer& offer,
               Operation operation) {
    restore(node);
    for (std::uint32_t i = 0; i < kBanks; ++i) {
      port_.break_bank(bank(i), (broken >> i & 1U) != 0);
    }
    try {
      operation();
      check();
    } catch (const std::runtime_error& wrong) {
      throw std::runtime_error(std::string(wrong.what()) + ", after " + name + " in " +
                               node.model.key() + ", broken " + std::to_string(broken));
    }
    offer(model_.key(), save());
  }

  // Banks that are on have no say.
  static bool matters(const Node& node, std::uint32_t broken) {
    for (std::uint32_t i = 0; i < kBanks; ++i) {
      if (node.pool.is_powered(bank(i)) && (broken >> i & 1U) != 0) {
        return false;
      }
    }
    return true;
  }

  template <typename Offer>
  void step(const Node& node, Offer& offer) {
    for (std::uint32_t who = 0; who < kAccounts; ++who) {
      for (std::uint32_t broken = 0; broken < 1U << kBanks; ++broken) {
        if (matters(node, broken)) {
          attempt(node, broken, "take", offer, [&] { take(who, broken); });
          for (std::uint32_t first = 0; first < frames_; ++first) {
            for (std::uint32_t count = 1; count <= 4; ++count) {
              attempt(node, broken, "take_at", offer, [&] { take_at(who, first, count, broken); });
            }
          }
        }
      }
      for (std::uint32_t count = 1; count <= 4; ++count) {
        for (const std::uint32_t alignment : {1U, 2U}) {
          attempt(node, 0, "take_run", offer, [&] { take_run(who, count, alignment); });
        }
      }
      for (std::uint32_t first = 0; first < frames_; ++first) {
        for (std::uint32_t end = first; end < frames_ && may_give(node.model, who, end); ++end) {
          attempt(node, 0, "give", offer, [&] { give(who, first, end + 1); });
        }
      }
      for (std::uint32_t frames = 0; frames <= setup_.most_guaranteed; ++frames) {
        attempt(node, 0, "set_guarantee", offer, [&] { set_guarantee(who, frames); });
      }
      if (node.model.guarantee[who] == 0 && node.model.held(who) != 0) {
        attempt(node, 0, "hand_over", offer, [&] { hand_over(who); });
      }
    }
    if (setup_.holds) {
      attempt(node, 0, "time", offer, [&] { pass_time(); });
      attempt(node, 0, "trim", offer, [&] { trim(); });
    }
    for (std::uint32_t at = 0; setup_.moves && at < frames_; ++at) {
      if (node.model.owner[at] != kNobody) {
        attempt(node, 0, "pin", offer, [&] { toggle_pin(at); });
      }
      if (node.model.owner[at] != kNobody && !node.model.pinned[at]) {
        attempt(node, 0, "move", offer, [&] { move(at); });
      }
    }
  }

  // --- the operations, and what has to come of them ---

  // A frame that is pinned is unpinned first.
  static bool may_give(const Model& model, std::uint32_t who, std::uint32_t at) {
    return model.owner[at] == static_cast<std::int8_t>(who) && !model.pinned[at];
  }

  // Frames that the account may have.
  std::uint32_t may_take(std::uint32_t who) const {
    const std::uint32_t held = model_.held(who);
    const std::uint32_t below = std::max(accounts_[who].limit, held) - held;
    const std::uint32_t free = free_frames() - model_.unused(1 - who);
    return std::min(below, free);
  }
  std::uint32_t free_frames() const { return frames_ - model_.held(0) - model_.held(1); }
  std::uint32_t bank_at(std::uint32_t at) const { return (at + setup_.reserve) / kInBank; }
  bool is_broken(std::uint32_t which, std::uint32_t broken) const {
    return !is_on(which) && (broken >> which & 1U) != 0;
  }

  std::uint32_t taken_in(std::uint32_t which) const {
    std::uint32_t taken = 0;
    for (std::uint32_t at = 0; at < frames_; ++at) {
      taken += bank_at(at) == which && model_.owner[at] != kNobody ? 1 : 0;
    }
    return taken;
  }
  bool has_reserve(std::uint32_t which) const { return setup_.reserve != 0 && which == 0; }
  std::uint32_t frames_in(std::uint32_t which) const {
    return has_reserve(which) ? kInBank - setup_.reserve : kInBank;
  }
  bool has_room(std::uint32_t which) const { return taken_in(which) < frames_in(which); }
  bool is_in_use(std::uint32_t which) const { return taken_in(which) != 0 || has_reserve(which); }
  bool is_on(std::uint32_t which) const {
    return is_in_use(which) || model_.hold[which] != Model::Hold::none;
  }
  bool stays_on(std::uint32_t which) const {
    bool stays = has_reserve(which);
    for (std::uint32_t at = 0; at < frames_; ++at) {
      stays = stays || (bank_at(at) == which && model_.pinned[at]);
    }
    return stays;
  }
  std::uint32_t fill(std::uint32_t which) const {
    return taken_in(which) + (stays_on(which) ? kInBank : 0);
  }

  void note(std::uint32_t at, std::int8_t whose) {
    require((model_.owner[at] == kNobody) != (whose == kNobody), "a frame is taken twice");
    model_.owner[at] = whose;
    const std::uint32_t which = bank_at(at);
    const bool holds = setup_.holds && !is_in_use(which);
    model_.hold[which] = holds ? Model::Hold::fresh : Model::Hold::none;
  }

  void take(std::uint32_t who, std::uint32_t broken) {
    bool can = false;
    std::optional<std::uint32_t> most;  // fill of the fullest bank that is on and has room
    for (std::uint32_t i = 0; i < kBanks; ++i) {
      can = can || (has_room(i) && !is_broken(i, broken));
      if (is_on(i) && has_room(i)) {
        most = std::max(most.value_or(0), fill(i));
      }
    }
    const bool due = can && may_take(who) != 0;
    const std::optional<Frame> taken = pool_.take(accounts_[who]);
    require(taken.has_value() == due, "whether a frame is given");
    if (taken) {
      const std::uint32_t which = bank_at(number(*taken));
      require(most ? is_on(which) && fill(which) == *most : !is_on(which), "the fullest bank");
      note(number(*taken), static_cast<std::int8_t>(who));
    }
  }

  bool is_free(std::uint32_t first, std::uint32_t count) const {
    bool free = first + count <= frames_;
    for (std::uint32_t at = first; free && at < first + count; ++at) {
      free = model_.owner[at] == kNobody;
    }
    return free;
  }

  void take_at(std::uint32_t who, std::uint32_t first, std::uint32_t count, std::uint32_t broken) {
    bool can = is_free(first, count) && count <= may_take(who);
    for (std::uint32_t at = first; can && at < first + count; ++at) {
      can = !is_broken(bank_at(at), broken);
    }
    require(pool_.take_at(accounts_[who], frame(first), count) == can, "whether it takes them");
    for (std::uint32_t at = first; can && at < first + count; ++at) {
      note(at, static_cast<std::int8_t>(who));
    }
  }

  std::uint32_t banks_to_power(std::uint32_t first, std::uint32_t count) const {
    std::uint32_t off = 0;
    for (std::uint32_t i = bank_at(first); i <= bank_at(first + count - 1); ++i) {
      off += is_on(i) ? 0 : 1;
    }
    return off;
  }

  void take_run(std::uint32_t who, std::uint32_t count, std::uint32_t alignment) {
    std::optional<std::uint32_t> fewest;  // banks
    for (std::uint32_t first = 0; first < frames_; first += alignment) {
      if (is_free(first, count)) {
        const std::uint32_t off = banks_to_power(first, count);
        fewest = std::min(fewest.value_or(off), off);
      }
    }
    const bool due = fewest && may_take(who) >= count;
    const std::optional<Frame> run = pool_.take_run(accounts_[who], count, alignment);
    require(run.has_value() == due, "whether there is a run");
    if (run) {
      const std::uint32_t first = number(*run);
      require(first % alignment == 0 && is_free(first, count), "the run");
      require(banks_to_power(first, count) == *fewest, "the banks of the run");
      for (std::uint32_t at = first; at < first + count; ++at) {
        note(at, static_cast<std::int8_t>(who));
      }
    }
  }

  void give(std::uint32_t who, std::uint32_t first, std::uint32_t end) {
    pool_.give(accounts_[who], frame(first), end - first);
    for (std::uint32_t at = first; at < end; ++at) {
      note(at, kNobody);
    }
  }

  void set_guarantee(std::uint32_t who, std::uint32_t frames) {
    const std::uint32_t unused = std::max(frames, model_.held(who)) - model_.held(who);
    const bool can =
        frames <= accounts_[who].limit && unused + model_.unused(1 - who) <= free_frames();
    require(pool_.set_guarantee(accounts_[who], frames) == can, "whether it guarantees them");
    model_.guarantee[who] = can ? frames : model_.guarantee[who];
  }

  // The charge of one frame, be it the first.
  void hand_over(std::uint32_t who) {
    pool_.hand_over(accounts_[who], accounts_[1 - who], 1);
    *std::find(model_.owner.begin(), model_.owner.end(), static_cast<std::int8_t>(who)) =
        static_cast<std::int8_t>(1 - who);
  }

  void pass_time() {
    time_ += kHoldUs;
    port_.set_time_us(time_);
    for (Model::Hold& each : model_.hold) {
      each = each == Model::Hold::none ? each : Model::Hold::due;
    }
  }

  void trim() {
    pool_.trim();
    for (Model::Hold& each : model_.hold) {
      each = each == Model::Hold::due ? Model::Hold::none : each;
    }
  }

  void toggle_pin(std::uint32_t at) {
    model_.pinned[at] ? pool_.unpin(frame(at)) : pool_.pin(frame(at));
    model_.pinned[at] = !model_.pinned[at];
  }

  void move(std::uint32_t from) {
    std::optional<std::uint32_t> most;
    std::uint32_t room = 0;
    for (std::uint32_t i = 0; i < kBanks; ++i) {
      if (i != bank_at(from) && is_in_use(i) && has_room(i)) {
        most = std::max(most.value_or(0), fill(i));
        room += frames_in(i) - taken_in(i);
      }
    }
    const Bank source = pool_.bank_of(frame(from));
    const std::optional<Frame> to = pool_.frame_to_move_to(source);
    require(to.has_value() == most.has_value(), "whether there is a frame to move to");
    require(pool_.room_beside(source) == room, "room_beside()");
    if (to) {
      require(fill(bank_at(number(*to))) == *most, "the fullest bank to move to");
      pool_.move(frame(from), *to);
      const std::int8_t whose = model_.owner[from];
      note(number(*to), whose);
      note(from, kNobody);
    }
  }

  // The pool is what the model says, and keeps its own invariants and the port's rules.
  void check() const {
    std::uint32_t on_free = 0;
    std::uint32_t on = 0;
    for (std::uint32_t at = 0; at < frames_; ++at) {
      const bool taken = model_.owner[at] != kNobody;
      require(pool_.is_taken(frame(at)) == taken, "which frames are taken");
      on_free += !taken && is_on(bank_at(at)) ? 1 : 0;
    }
    for (std::uint32_t i = 0; i < kBanks; ++i) {
      require(pool_.is_powered(bank(i)) == is_on(i), "which banks are on");
      require(port_.is_on(bank(i)) == is_on(i), "which banks the port has on");
      require(pool_.is_held_on(bank(i)) == stays_on(i), "which banks stay on");
      require(pool_.taken_in(bank(i)) == taken_in(i), "frames taken in a bank");
      on += is_on(i) ? 1 : 0;
    }
    for (std::uint32_t who = 0; who < kAccounts; ++who) {
      const PageAccount& account = accounts_[who];
      require(account.held == model_.held(who), "frames held");
      require(account.peak >= account.held, "the most frames held");
      require(account.guarantee == model_.guarantee[who], "guarantee");
      require(pool_.available(account) == may_take(who), "available()");
      // What is guaranteed can be had: by as much as the account's limit still allows.
      const std::uint32_t below = std::max(account.limit, account.held) - account.held;
      require(may_take(who) >= std::min(model_.unused(who), below), "a guarantee");
    }
    require(pool_.reserved() == model_.unused(0) + model_.unused(1), "reserved");
    require(pool_.free() == free_frames(), "free frames");
    require(pool_.powered_free() == on_free, "free frames of banks that are on");
    require(pool_.banks_on() == on, "banks that are on");
    require(pool_.check(), "check()");
    require(port_.violations() == 0, port_.violation());
  }

  Setup setup_;
  std::uint32_t frames_;
  FakePort port_;
  alignas(std::max_align_t) std::array<std::byte, 256> tables_{};
  PagePool pool_;
  std::array<PageAccount, kAccounts> accounts_{};
  Model model_;
  std::uint64_t time_ = 0;
};

void explore_all(const char* name, const Setup& setup, std::uint64_t at_least) {
  ExploredPool pool(setup);
  const Exploration done = pool.explore_all();
  done.print(name);
  EXPECT_TRUE(done.complete);
  EXPECT_GE(done.states, at_least);
}

TEST(PagePoolExploration, GuaranteesAndLimits) {
  explore_all("guarantees and limits", {.most_guaranteed = 3}, 10000);
}
TEST(PagePoolExploration, BanksThatAreHeldAndAReserve) {
  explore_all("banks held, and a reserve", {.reserve = 1, .holds = true, .most_guaranteed = 3},
              5000);
}
TEST(PagePoolExploration, PinsAndMoves) { explore_all("pins and moves", {.moves = true}, 15000); }
TEST(PagePoolExploration, PinsMovesAndBanksThatAreHeld) {
  explore_all("pins, moves, banks held", {.reserve = 1, .holds = true, .moves = true}, 3500);
}

}  // namespace
}  // namespace modmem
