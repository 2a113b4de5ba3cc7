#include "page/page_pool.hpp"

#include "base/bits.hpp"
#include "base/check.hpp"
#include "modmem/config.hpp"

namespace modmem {

namespace {
constexpr std::uint32_t kNoBank = UINT32_MAX;
constexpr Frame as_frame(std::uint32_t frame) { return Frame{static_cast<std::uint16_t>(frame)}; }
}  // namespace

bool PagePool::boot(const PlatformConfig& config, Port& port, MetadataArena& arena) {
  port_ = &port;
  hold_us_ = config.bank_hold_us;
  bank_frames_ = static_cast<std::uint32_t>(config.bank_bytes / config::kPageBytes);
  frames_ =
      static_cast<std::uint32_t>((config.sram_bytes - config.reserve_bytes) / config::kPageBytes);
  const auto reserve = static_cast<std::uint32_t>(config.reserve_bytes / config::kPageBytes);
  first_offset_ = reserve % bank_frames_;
  bank_count_ = static_cast<std::uint32_t>(divide_up(frames_ + first_offset_, bank_frames_));
  auto* words = arena.take<BitmapView::Word>(BitmapView::words_for(frames_));
  banks_ = arena.take<BankState>(bank_count_);
  if (words == nullptr || banks_ == nullptr) {
    return false;
  }
  taken_map_ = BitmapView(words, frames_);
  if (first_offset_ != 0) {
    banks_[0].holds_reserve = true;
    banks_[0].powered = true;  // the reserve's own: the platform runs from it
    banks_on_ = banks_on_peak_ = 1;
  }
  return true;
}

std::uint32_t PagePool::bank_first(std::uint32_t bank) const {
  return bank == 0 ? 0 : bank * bank_frames_ - first_offset_;
}

std::uint32_t PagePool::bank_end(std::uint32_t bank) const {
  const std::uint32_t end = (bank + 1) * bank_frames_ - first_offset_;
  return end < frames_ ? end : frames_;
}

std::uint32_t PagePool::powered_free() const {
  // Not of the pool: the reserve's part of the first bank, which is always on then, and what is
  // beyond the end of the last one.
  const std::uint32_t beyond = bank_count_ * bank_frames_ - first_offset_ - frames_;
  const bool last_on = banks_[bank_count_ - 1].powered;
  return banks_on_ * bank_frames_ - first_offset_ - (last_on ? beyond : 0) - taken_;
}

Bank PagePool::bank_of(Frame frame) const {
  return Bank{static_cast<std::uint16_t>((number(frame) + first_offset_) / bank_frames_)};
}

bool PagePool::set_guarantee(PageAccount& account, std::uint32_t frames) {
  const std::uint32_t before = account.unused_guarantee();
  const std::uint32_t after = frames > account.held ? frames - account.held : 0;
  if (frames > account.limit || reserved_ - before + after > free()) {
    return false;
  }
  reserved_ = reserved_ - before + after;
  account.guarantee = frames;
  return true;
}

bool PagePool::has_room(std::uint32_t bank) const {
  return banks_[bank].taken < bank_end(bank) - bank_first(bank);
}

std::uint32_t PagePool::powered_bank_with_room() {
  std::uint32_t fullest = kNoBank;
  std::uint32_t most = 0;
  for (std::uint32_t bank = 0; bank < bank_count_; ++bank) {
    if (banks_[bank].powered && has_room(bank) && (fullest == kNoBank || fill(bank) > most)) {
      fullest = bank;
      most = fill(bank);
    }
  }
  // A bank that refuses to come up is passed over: another may serve.
  for (std::uint32_t bank = 0; fullest == kNoBank && bank < bank_count_; ++bank) {
    if (!banks_[bank].powered && power_up(bank)) {
      fullest = bank;
    }
  }
  return fullest;
}

void PagePool::charge(PageAccount& account, std::uint32_t count) {
  settle(account);
  const std::uint32_t before = account.unused_guarantee();
  account.held += count;
  account.peak = account.held > account.peak ? account.held : account.peak;
  reserved_ -= before - account.unused_guarantee();
}

void PagePool::mark_taken(std::uint32_t first, std::uint32_t count) {
  taken_map_.set_range(first, first + count);
  for (std::uint32_t frame = first; frame < first + count; ++frame) {
    BankState& bank = banks_[number(bank_of(as_frame(frame)))];
    ++bank.taken;
    bank.held = false;
  }
  taken_ += count;
  peak_taken_ = taken_ > peak_taken_ ? taken_ : peak_taken_;
}

std::optional<Frame> PagePool::take(PageAccount& account) {
  if (available(account) == 0) {
    return std::nullopt;
  }
  const std::uint32_t bank = powered_bank_with_room();
  if (bank == kNoBank) {
    return std::nullopt;
  }
  const std::uint32_t frame = taken_map_.next_clear(bank_first(bank), bank_end(bank));
  MODMEM_ASSERT(frame < bank_end(bank));
  mark_taken(frame, 1);
  charge(account, 1);
  return as_frame(frame);
}

bool PagePool::take_at(PageAccount& account, Frame first, std::uint32_t count) {
  const std::uint32_t begin = number(first);
  const std::uint32_t end = begin + count;
  if (count == 0 || end > frames_ || available(account) < count ||
      taken_map_.next_set(begin, end) != end) {
    return false;
  }
  const std::uint32_t first_bank = number(bank_of(first));
  const std::uint32_t last_bank = number(bank_of(as_frame(end - 1)));
  for (std::uint32_t bank = first_bank; bank <= last_bank; ++bank) {
    if (!power_up(bank)) {
      // Those that this call powered are empty and not held.
      while (bank-- > first_bank) {
        if (!is_in_use(bank) && !banks_[bank].held) {
          power_down(bank);
        }
      }
      return false;
    }
  }
  mark_taken(begin, count);
  charge(account, count);
  return true;
}

std::uint32_t PagePool::banks_to_power(std::uint32_t first, std::uint32_t count) const {
  std::uint32_t off = 0;
  const std::uint32_t first_bank = (first + first_offset_) / bank_frames_;
  const std::uint32_t last_bank = (first + count - 1 + first_offset_) / bank_frames_;
  for (std::uint32_t bank = first_bank; bank <= last_bank; ++bank) {
    off += banks_[bank].powered ? 0 : 1;
  }
  return off;
}

std::optional<Frame> PagePool::find_run(std::uint32_t count, std::uint32_t alignment) const {
  MODMEM_ASSERT(count > 0 && is_power_of_two(alignment));
  std::uint32_t best = frames_;
  std::uint32_t best_banks = 0;
  std::uint32_t best_gap = 0;
  std::uint32_t from = 0;
  while (from < frames_) {
    const std::uint32_t begin = taken_map_.next_clear(from, frames_);
    const std::uint32_t end = taken_map_.next_set(begin, frames_);
    const std::uint32_t gap = end - begin;
    from = end;
    // Both ends of a gap are candidates: the other banks that it touches stay off.
    const auto low = static_cast<std::uint32_t>(align_up(begin, alignment));
    if (low >= end || end - low < count) {
      continue;
    }
    const auto high = static_cast<std::uint32_t>(align_down(end - count, alignment));
    for (const std::uint32_t start : {low, high}) {
      const std::uint32_t banks = banks_to_power(start, count);
      if (best == frames_ || banks < best_banks || (banks == best_banks && gap < best_gap)) {
        best = start;
        best_banks = banks;
        best_gap = gap;
      }
    }
  }
  return best == frames_ ? std::nullopt : std::optional<Frame>(as_frame(best));
}

std::optional<Frame> PagePool::take_run(PageAccount& account, std::uint32_t count,
                                        std::uint32_t alignment) {
  const std::optional<Frame> first = find_run(count, alignment);
  return first && take_at(account, *first, count) ? first : std::nullopt;
}

void PagePool::give(PageAccount& account, Frame first, std::uint32_t count) {
  MODMEM_ASSERT(account.held >= count);
  const std::uint32_t begin = number(first);
  settle(account);
  const std::uint32_t before = account.unused_guarantee();
  account.held -= count;
  reserved_ += account.unused_guarantee() - before;
  taken_ -= count;
  taken_map_.clear_range(begin, begin + count);
  for (std::uint32_t frame = begin; frame < begin + count; ++frame) {
    const std::uint32_t bank = number(bank_of(as_frame(frame)));
    MODMEM_ASSERT(banks_[bank].taken > 0);
    --banks_[bank].taken;
    emptied(bank);
  }
}

void PagePool::hand_over(PageAccount& from, PageAccount& to, std::uint32_t count) {
  MODMEM_ASSERT(from.guarantee == 0 && from.held >= count);
  settle(from);
  from.held -= count;
  charge(to, count);
}

bool PagePool::check() const {
  std::uint32_t taken = 0;
  std::uint32_t on = 0;
  for (std::uint32_t bank = 0; bank < bank_count_; ++bank) {
    const std::uint32_t in_bank = taken_map_.count(bank_first(bank), bank_end(bank));
    const BankState& state = banks_[bank];
    if (in_bank != state.taken || state.pinned > state.taken ||
        state.powered != (in_bank != 0 || state.holds_reserve || state.held) ||
        (state.held && (in_bank != 0 || hold_us_ == 0))) {
      return false;
    }
    taken += in_bank;
    on += state.powered ? 1 : 0;
  }
  return taken == taken_ && on == banks_on_ && reserved_ <= free() && taken_ <= peak_taken_ &&
         banks_on_ <= banks_on_peak_ && powered_free() <= free();
}

}  // namespace modmem
