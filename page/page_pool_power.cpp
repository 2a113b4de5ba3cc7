// The part of PagePool that is about power: which banks are on, what that costs whom, and what
// moves so that one can go off.

#include "base/check.hpp"
#include "page/page_pool.hpp"

namespace modmem {

namespace {
constexpr std::uint32_t kNoBank = UINT32_MAX;
constexpr Frame as_frame(std::uint32_t frame) { return Frame{static_cast<std::uint16_t>(frame)}; }
constexpr Bank as_bank(std::uint32_t bank) { return Bank{static_cast<std::uint16_t>(bank)}; }
}  // namespace

// --- on and off ---

bool PagePool::power_up(std::uint32_t bank) {
  if (banks_[bank].powered) {
    return true;
  }
  if (!port_->set_bank_power(as_bank(bank), true)) {
    return false;
  }
  settle_banks();
  banks_[bank].powered = true;
  ++banks_on_;
  banks_on_peak_ = banks_on_ > banks_on_peak_ ? banks_on_ : banks_on_peak_;
  return true;
}

void PagePool::power_down(std::uint32_t bank) {
  settle_banks();
  banks_[bank].powered = false;
  banks_[bank].held = false;
  --banks_on_;
  port_->set_bank_power(as_bank(bank), false);
}

// A frame of the bank has gone: it goes off with the last one, at once or when trim() says.
void PagePool::emptied(std::uint32_t bank) {
  BankState& state = banks_[bank];
  if (is_in_use(bank) || !state.powered) {
    return;
  }
  if (hold_us_ == 0) {
    power_down(bank);
  } else {
    state.held = true;
    state.empty_since = now();
  }
}

void PagePool::trim() {
  const std::uint64_t time = now();
  for (std::uint32_t bank = 0; bank < bank_count_; ++bank) {
    if (banks_[bank].held && time - banks_[bank].empty_since >= hold_us_) {
      power_down(bank);
    }
  }
}

// --- energy ---

void PagePool::start_energy() {
  counts_energy_ = true;
  powered_since_ = now();
}

void PagePool::settle(PageAccount& account) const {
  if (counts_energy_) {
    const std::uint64_t time = now();
    account.frame_us += account.held * (time - account.since);
    account.since = time;
  }
}

void PagePool::settle_banks() {
  if (counts_energy_) {
    powered_frame_us_ = powered_frame_us();
    powered_since_ = now();
  }
}

std::uint64_t PagePool::frame_us(const PageAccount& account) const {
  return counts_energy_ ? account.frame_us + account.held * (now() - account.since) : 0;
}

std::uint64_t PagePool::powered_frame_us() const {
  const std::uint64_t frames = std::uint64_t{banks_on_} * bank_frames_;
  return counts_energy_ ? powered_frame_us_ + frames * (now() - powered_since_) : 0;
}

// --- where frames are, and could be ---

// How much speaks for using the bank. What is on anyway comes first: what lies there keeps no other
// bank on.
std::uint32_t PagePool::fill(std::uint32_t bank) const {
  return banks_[bank].taken + (is_held_on(as_bank(bank)) ? bank_frames_ : 0U);
}

bool PagePool::is_held_on(Bank bank) const {
  return banks_[number(bank)].holds_reserve || banks_[number(bank)].pinned != 0;
}

// On for a reason that lasts.
bool PagePool::is_in_use(std::uint32_t bank) const {
  return banks_[bank].taken != 0 || banks_[bank].holds_reserve;
}

Frame PagePool::first_frame(Bank bank) const { return as_frame(bank_first(number(bank))); }

std::uint32_t PagePool::frames_in(Bank bank) const {
  return bank_end(number(bank)) - bank_first(number(bank));
}

void PagePool::pin(Frame frame) {
  MODMEM_ASSERT(is_taken(frame));
  ++banks_[number(bank_of(frame))].pinned;
}

void PagePool::unpin(Frame frame) {
  BankState& bank = banks_[number(bank_of(frame))];
  MODMEM_ASSERT(bank.pinned > 0);
  --bank.pinned;
}

std::uint32_t PagePool::room_beside(Bank source) const {
  std::uint32_t room = 0;
  for (std::uint32_t bank = 0; bank < bank_count_; ++bank) {
    room += bank != number(source) && is_in_use(bank)
                ? frames_in(as_bank(bank)) - banks_[bank].taken
                : 0;
  }
  return room;
}

std::optional<Frame> PagePool::frame_to_move_to(Bank source) const {
  std::uint32_t fullest = kNoBank;
  for (std::uint32_t bank = 0; bank < bank_count_; ++bank) {
    if (bank != number(source) && is_in_use(bank) && has_room(bank) &&
        (fullest == kNoBank || fill(bank) > fill(fullest))) {
      fullest = bank;
    }
  }
  if (fullest == kNoBank) {
    return std::nullopt;
  }
  return as_frame(taken_map_.next_clear(bank_first(fullest), bank_end(fullest)));
}

void PagePool::move(Frame from, Frame to) {
  MODMEM_ASSERT(is_taken(from) && !is_taken(to) && is_powered(bank_of(to)));
  taken_map_.set(number(to));
  ++banks_[number(bank_of(to))].taken;
  taken_map_.clear(number(from));
  --banks_[number(bank_of(from))].taken;
  emptied(number(bank_of(from)));
}

}  // namespace modmem
