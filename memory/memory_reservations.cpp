// Reservations: what is kept for those whose plans were admitted.
//
// A reservation is a guarantee of an account that holds nothing. While Memory serves its owner, or
// one below, what is left of it is lent to the account of the heap that serves (make_ready()), and
// what the heap has not taken by then is taken back before the next one is served (settle()). So
// it may be used in any heap, and nobody else's request can touch it.
//
//   guarantee of a reservation + what of it is lent <= what was reserved
//
// Cost: make_ready() O(reservations * depth of the owner), O(1) where nothing is reserved.

#include "memory/memory.hpp"

namespace modmem {

Reservation* Memory::reservation_of(const Owner& owner) const {
  std::uint16_t handle = first_reservation_;
  while (handle != SlotStore::kNone && reservations_[handle].owner != &owner) {
    handle = reservations_[handle].next;
  }
  return handle != SlotStore::kNone ? &reservations_[handle] : nullptr;
}

// The reservation that requests of `owner` use: its own or that of the nearest owner above, but
// that of the system is for the system alone.
Reservation* Memory::reservation_for(const Owner& owner) const {
  if (first_reservation_ == SlotStore::kNone) {
    return nullptr;
  }
  for (const Owner* at = &owner; at != nullptr; at = at->parent) {
    Reservation* found = reservation_of(*at);
    if (found != nullptr && (at != system_ || &owner == system_)) {
      return found;
    }
  }
  return nullptr;
}

void Memory::drop_reservation(const Owner& owner) {
  settle();
  std::uint16_t* link = &first_reservation_;
  while (*link != SlotStore::kNone && reservations_[*link].owner != &owner) {
    link = &reservations_[*link].next;
  }
  if (*link == SlotStore::kNone) {
    return;
  }
  Reservation& reservation = reservations_[*link];
  end_promise(reservation);
  *link = reservation.next;
  reservations_.destroy(reservation.handle);
}

// Promises what `terms` say to who has promised nothing. Returns false, with nothing changed, where
// the pool has too little.
bool Memory::promise(Reservation& reservation, const Reservation& terms) {
  if (!pool_.set_guarantee(reservation.account, terms.account.guarantee)) {
    return false;
  }
  reservation.most = terms.most;
  reservation.metadata = terms.metadata;
  reservation.chunks = terms.chunks;
  reservation.most_chunks = terms.most_chunks;
  reservation.accounts = terms.accounts;
  reservation.plan = terms.plan;
  reservation.bytes = terms.bytes;
  set_aside_ += terms.metadata;
  promised_chunks_ += terms.chunks;
  set_metadata_aside(nullptr);
  return true;
}

// The reservation stays, and nothing is promised by it.
void Memory::end_promise(Reservation& reservation) {
  pool_.set_guarantee(reservation.account, 0);
  set_aside_ -= reservation.metadata;
  promised_chunks_ -= reservation.chunks;
  reservation.metadata = 0;
  reservation.chunks = 0;
  reservation.accounts = 0;
  reservation.bytes = 0;
  set_metadata_aside(nullptr);
}

// Before `slot`, which may be nullptr, serves `owner`: what is reserved for that one is the heap's,
// and room for the metadata of what is guaranteed is kept.
void Memory::make_ready(HeapSlot* slot, const Owner& owner) const {
  settle();
  Reservation* reservation = slot != nullptr ? reservation_for(owner) : nullptr;
  if (reservation != nullptr) {
    lent_ = reservation->handle;
    lent_chunks_ = chunks_of_plan(reservation->plan);
    chunks_before_ = metadata_.used_chunks();
    if (slot->space == &space_ && slot->kind == HeapKind::elastic) {
      lend_frames(*reservation, *slot);
    }
  }
  set_metadata_aside(slot);
}

void Memory::lend_frames(Reservation& reservation, HeapSlot& slot) const {
  PagePool& pool = space_.pool();
  PageAccount& account = slot.account;
  const std::uint32_t held = account.guarantee > account.held ? account.guarantee : account.held;
  const std::uint32_t room = account.limit - held;
  const std::uint32_t left = reservation.account.guarantee;
  const std::uint32_t lent = left < room ? left : room;
  borrower_ = &slot;
  borrower_guarantee_ = account.guarantee;
  pool.set_guarantee(reservation.account, left - lent);
  pool.set_guarantee(account, held + lent);
}

// Takes back what is lent and not used, and with it what was used and has come back since.
void Memory::settle() const {
  if (lent_ == SlotStore::kNone) {
    return;
  }
  PagePool& pool = space_.pool();
  Reservation& reservation = reservations_[lent_];
  if (borrower_ != nullptr) {
    PageAccount& account = borrower_->account;
    const std::uint32_t lent = account.unused_guarantee();
    pool.set_guarantee(account, borrower_guarantee_);
    std::uint32_t left = reservation.account.guarantee + lent - account.unused_guarantee();
    left = left < reservation.most ? left : reservation.most;
    pool.set_guarantee(reservation.account, left);
  }
  settle_chunks(reservation);
  lent_chunks_ = 0;
  lent_ = SlotStore::kNone;
  borrower_ = nullptr;
}

// Chunks that are left to those that were admitted together.
std::uint32_t Memory::chunks_of_plan(std::uint32_t plan) const {
  std::uint32_t chunks = 0;
  for (std::uint16_t handle = first_reservation_; handle != SlotStore::kNone;
       handle = reservations_[handle].next) {
    chunks += reservations_[handle].plan == plan ? reservations_[handle].chunks : 0;
  }
  return chunks;
}

// Takes the chunks that came into use off what is left, of this reservation first; or gives back
// those that came out of use.
void Memory::settle_chunks(Reservation& reservation) const {
  const std::uint32_t used = metadata_.used_chunks();
  if (used <= chunks_before_) {
    const std::uint32_t back = chunks_before_ - used;
    const std::uint32_t room = reservation.most_chunks - reservation.chunks;
    reservation.chunks += back < room ? back : room;
    promised_chunks_ += back < room ? back : room;
    return;
  }
  std::uint32_t taken = used - chunks_before_;
  const auto take = [&](Reservation& from) {
    const std::uint32_t part = taken < from.chunks ? taken : from.chunks;
    from.chunks -= part;
    promised_chunks_ -= part;
    taken -= part;
  };
  take(reservation);
  for (std::uint16_t handle = first_reservation_; handle != SlotStore::kNone;
       handle = reservations_[handle].next) {
    if (reservations_[handle].plan == reservation.plan) {
      take(reservations_[handle]);
    }
  }
}

// Frames that metadata needs to have so many free chunks.
std::uint32_t Memory::pages_for_chunks(std::uint32_t chunks) const {
  constexpr std::uint32_t kPerPage = MetadataHeap::kChunksPerPage - MetadataHeap::kNoteChunks;
  const std::uint32_t free = metadata_.all_free_chunks();
  return chunks > free ? static_cast<std::uint32_t>(divide_up(chunks - free, kPerPage)) : 0;
}

// Bytes that the owner is sure to get below limits, as a guarantee.
std::size_t Memory::sure_bytes(const Owner& owner) const {
  const Reservation* reservation =
      first_reservation_ != SlotStore::kNone ? reservation_of(owner) : nullptr;
  return reservation != nullptr && reservation->bytes > owner.spec.guarantee ? reservation->bytes
                                                                             : owner.spec.guarantee;
}

// Owners that are promised to others than those who create below `parent`.
std::uint32_t Memory::promised_accounts(const Owner* parent) const {
  std::uint32_t accounts = 0;
  const Reservation* own = parent != nullptr ? reservation_for(*parent) : nullptr;
  for (std::uint16_t handle = first_reservation_; handle != SlotStore::kNone;
       handle = reservations_[handle].next) {
    accounts += &reservations_[handle] != own ? reservations_[handle].accounts : 0;
  }
  return accounts;
}

}  // namespace modmem
