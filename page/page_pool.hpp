// PagePool: all SRAM that modmem manages, as frames in banks.
//
// It knows which frames are taken and which banks are powered, hands frames out of the fullest
// powered bank so that the others can stay off, and keeps the guarantees and limits of
// PageAccounts. It knows nothing of addresses: AddressSpace maps what the pool hands out.
//
// Invariants (check()):
//   taken frames = sum of taken over banks = sum of held over accounts
//   a bank is powered exactly when a frame of it is taken, when the reserve lies in it, or when it
//   is held: it became empty, and trim() has not found that long enough ago
//   reserved = sum over accounts of max(0, guarantee - held), and reserved <= free frames
// Cost: O(banks) a frame, O(frames / 64) a contiguous run. Not thread-safe: Memory's lock is held.
#pragma once

#include <cstdint>
#include <optional>

#include "base/arena.hpp"
#include "base/bitmap.hpp"
#include "page/page_account.hpp"
#include "port/port.hpp"

namespace modmem {

class PagePool {
 public:
  // Sets up the pool that `config` describes: all frames free, all banks off but those that hold a
  // part of the reserve. Takes its tables from `arena`; returns false where the arena has too
  // little. `port` must outlive the pool.
  bool boot(const PlatformConfig& config, Port& port, MetadataArena& arena);

  // Guarantees `frames` to `account`, in place of what was guaranteed before. Returns false, with
  // nothing changed, exactly when the guarantees would exceed what is free or the account's limit.
  bool set_guarantee(PageAccount& account, std::uint32_t frames);

  // Frames that `account` could take now: within its limit, leaving the guarantees of all others.
  std::uint32_t available(const PageAccount& account) const {
    const std::uint32_t others = reserved_ - account.unused_guarantee();
    const std::uint32_t unreserved = free() - others;
    const std::uint32_t below_limit =
        account.limit > account.held ? account.limit - account.held : 0;
    return unreserved < below_limit ? unreserved : below_limit;
  }

  // Takes one frame out of the fullest powered bank that has one, powering a bank where none has.
  // Banks that are on anyway, for the reserve's end or a pinned frame, count as the fullest.
  // Nothing exactly when available() is zero or no bank can be powered.
  std::optional<Frame> take(PageAccount& account);

  // Takes exactly the frames [first, first + count). Returns false, with nothing taken, exactly
  // when one of them is taken, the account may not have them, or a bank can't be powered.
  bool take_at(PageAccount& account, Frame first, std::uint32_t count);

  // A free run of `count` (> 0) contiguous frames, the first a multiple of `alignment` frames: the
  // one that powers the fewest banks, then the one in the smallest gap. Nothing exactly when there
  // is none.
  std::optional<Frame> find_run(std::uint32_t count, std::uint32_t alignment) const;

  // Takes what find_run() finds. Nothing exactly when there is none or take_at() would fail.
  std::optional<Frame> take_run(PageAccount& account, std::uint32_t count, std::uint32_t alignment);

  // --- energy ---

  // Counts, from now on, what banks and accounts take: a clock is read at each change.
  void start_energy();
  // Frames that the account held times microseconds, since start_energy() or since the account was
  // there. A frame is one part in bank_frames() of a bank, so this divided by that is the time for
  // which the account kept one bank powered, all its frames together.
  std::uint64_t frame_us(const PageAccount& account) const;
  // The same of all frames of powered banks, whoever holds them or nobody: bank_frames() for each
  // powered bank, be it smaller.
  std::uint64_t powered_frame_us() const;
  std::uint32_t bank_frames() const { return bank_frames_; }

  // Powers down banks that have been empty for the time that the configuration says. Called where
  // time has passed: nothing else looks at it. O(banks).
  void trim();

  // --- moving what lies in frames, so that banks can go off (see AddressSpace::compact()) ---

  // Notes that a taken frame must stay where it is (one more reason, one less). Banks with such a
  // frame are on anyway: take() fills them first.
  void pin(Frame frame);
  void unpin(Frame frame);

  // The free frame that what lies in `source` should move to: of the fullest other bank in use, as
  // take() would choose. Nothing exactly when no other bank in use has one.
  std::optional<Frame> frame_to_move_to(Bank source) const;
  // Free frames of the banks in use other than `source`.
  std::uint32_t room_beside(Bank source) const;
  // True where the bank is on whatever moves: it holds the reserve or a pinned frame.
  bool is_held_on(Bank bank) const;
  // Frames of the bank, all and taken.
  Frame first_frame(Bank bank) const;
  std::uint32_t frames_in(Bank bank) const;
  std::uint32_t taken_in(Bank bank) const { return banks_[number(bank)].taken; }
  // Takes `to`, a free frame of a powered bank, in place of `from`: whoever holds that. Powers an
  // emptied bank down.
  void move(Frame from, Frame to);

  // Returns the frames [first, first + count), all held by `account`; powers down emptied banks.
  void give(PageAccount& account, Frame first, std::uint32_t count);

  // Charges `count` frames that `from` holds to `to`, whatever its limit: they stay where they are.
  // Requires that `from` has no guarantee.
  void hand_over(PageAccount& from, PageAccount& to, std::uint32_t count);

  // Banks that would have to be powered to use the frames [first, first + count).
  std::uint32_t banks_to_power(std::uint32_t first, std::uint32_t count) const;

  std::uint32_t frames() const { return frames_; }
  std::uint32_t taken() const { return taken_; }
  std::uint32_t peak_taken() const { return peak_taken_; }
  std::uint32_t free() const { return frames_ - taken_; }
  std::uint32_t reserved() const { return reserved_; }
  std::uint32_t banks() const { return bank_count_; }
  std::uint32_t banks_on() const { return banks_on_; }
  // Free frames of banks that are powered. O(1).
  std::uint32_t powered_free() const;
  std::uint32_t banks_on_peak() const { return banks_on_peak_; }
  bool is_taken(Frame frame) const { return taken_map_.test(number(frame)); }
  bool is_powered(Bank bank) const { return banks_[number(bank)].powered; }
  Bank bank_of(Frame frame) const;

  // One bit a frame, set where taken: where page = frame, this is also the map of used pages.
  const BitmapView& taken_map() const { return taken_map_; }

  // Checks the invariants above, but for the sums over accounts, which only their owner can see.
  // O(frames). Returns false where one is broken.
  bool check() const;

 private:
  struct BankState {
    std::uint16_t taken = 0;
    std::uint16_t pinned = 0;
    bool powered = false;
    bool holds_reserve = false;
    bool held = false;              // powered although empty
    std::uint64_t empty_since = 0;  // where held
  };

  std::uint32_t bank_first(std::uint32_t bank) const;  // first frame of the bank
  std::uint32_t bank_end(std::uint32_t bank) const;
  bool has_room(std::uint32_t bank) const;
  bool is_in_use(std::uint32_t bank) const;
  std::uint32_t fill(std::uint32_t bank) const;
  std::uint32_t powered_bank_with_room();  // powers one where none has room
  bool power_up(std::uint32_t bank);
  void power_down(std::uint32_t bank);
  void emptied(std::uint32_t bank);
  std::uint64_t now() const { return counts_energy_ || hold_us_ != 0 ? port_->time_us() : 0; }
  void settle(PageAccount& account) const;
  void settle_banks();
  void charge(PageAccount& account, std::uint32_t count);
  void mark_taken(std::uint32_t first, std::uint32_t count);

  Port* port_ = nullptr;
  BitmapView taken_map_;
  BankState* banks_ = nullptr;
  std::uint32_t frames_ = 0;
  std::uint32_t bank_count_ = 0;
  std::uint32_t bank_frames_ = 0;   // frames in a whole bank
  std::uint32_t first_offset_ = 0;  // frames of the first bank that belong to the reserve
  std::uint32_t taken_ = 0;
  std::uint32_t peak_taken_ = 0;
  std::uint32_t reserved_ = 0;
  std::uint32_t banks_on_ = 0;
  std::uint32_t banks_on_peak_ = 0;
  std::uint32_t hold_us_ = 0;
  bool counts_energy_ = false;
  std::uint64_t powered_frame_us_ = 0;  // up to powered_since_
  std::uint64_t powered_since_ = 0;
};

}  // namespace modmem
