// The part of AddressSpace that moves pages to other frames, so that banks can go off.

#include "base/check.hpp"
#include "modmem/config.hpp"
#include "page/address_space.hpp"

namespace modmem {

namespace {

constexpr Page as_page(std::uint32_t page) { return Page{static_cast<std::uint16_t>(page)}; }
constexpr Frame as_frame(std::uint32_t frame) { return Frame{static_cast<std::uint16_t>(frame)}; }

// Copies a page, whatever lies there and whoever may not touch it: a checker of accesses knows what
// modules may, and this is none.
[[gnu::no_sanitize_address]] void copy_page(std::byte* to, const std::byte* from) {
  using Word [[gnu::may_alias]] = std::uintptr_t;
  // Volatile, so that it does not become a call of memcpy(), which a checker looks into.
  auto* const target = reinterpret_cast<volatile Word*>(to);
  const auto* const source = reinterpret_cast<const volatile Word*>(from);
  for (std::size_t i = 0; i < config::kPageBytes / sizeof(Word); ++i) {
    target[i] = source[i];
  }
}

}  // namespace

// Whether all that is taken in the bank, which has no pinned page, may go elsewhere.
bool AddressSpace::is_movable(Bank bank, PageMover& mover) const {
  const std::uint32_t first = number(pool_->first_frame(bank));
  const std::uint32_t last = first + pool_->frames_in(bank);
  const BitmapView& taken = pool_->taken_map();
  for (std::uint32_t frame = taken.next_set(first, last); frame < last;
       frame = taken.next_set(frame + 1, last)) {
    const FrameInfo& notes = frame_info_[frame];
    if (notes.page == FrameInfo::kNone || !mover.may_move(notes.page)) {
      return false;
    }
  }
  return true;
}

// The bank that is emptied with the fewest moves, nothing where none can be. As all banks but the
// first and the last are of one size, which of them goes does not change how many can go.
std::optional<Bank> AddressSpace::bank_to_empty(PageMover& mover) const {
  std::optional<Bank> best;
  for (std::uint32_t index = 0; index < pool_->banks(); ++index) {
    const Bank bank{static_cast<std::uint16_t>(index)};
    const std::uint32_t taken = pool_->taken_in(bank);
    if (taken != 0 && !pool_->is_held_on(bank) && (!best || taken < pool_->taken_in(*best)) &&
        taken <= pool_->room_beside(bank) && is_movable(bank, mover)) {
      best = bank;
    }
  }
  return best;
}

// Copies what lies in `page` into the free frame `to`, by way of the unmapped page `scratch`.
// Returns false, with nothing changed, where the port can't map that.
bool AddressSpace::copy_content(std::uint32_t page, Frame to, std::uint32_t scratch) {
  if (!port_->map(as_page(scratch), to)) {
    return false;
  }
  // Past the cache on both sides: coherent blocks are there only, and no line of the scratch page
  // is left behind. The page's own lines are written back before, and dropped, as a cache may know
  // them by their frame.
  std::byte* const source = address_of(page);
  std::byte* const target = address_of(scratch);
  port_->cache_writeback(source, config::kPageBytes);
  copy_page(to_uncached(target), to_uncached(source));
  if (alias_offset_ == 0) {
    port_->cache_writeback(target, config::kPageBytes);
  }
  port_->cache_invalidate(source, config::kPageBytes);
  port_->unmap(as_page(scratch));
  return true;
}

bool AddressSpace::move_page(std::uint32_t page, Frame to, std::uint32_t scratch) {
  const std::uint16_t from = frame_of(page);
  const Access access = info(page).access;
  set_access(page, Access::open);
  // What is kept empty has no content.
  const bool done = (!is_busy(page) || copy_content(page, to, scratch)) &&
                    port_->remap(as_page(page), as_frame(from), to);
  set_access(page, access);
  if (!done) {
    return false;
  }
  frame_info_[number(to)] = frame_info_[from];
  frame_info_[from] = FrameInfo{};
  frame_of_page_[page] = number(to);
  pool_->move(as_frame(from), to);
  return true;
}

Compaction AddressSpace::compact(std::uint32_t budget, PageMover& mover) {
  Compaction result;
  std::optional<Bank> source = has_mmu() ? bank_to_empty(mover) : std::nullopt;
  const std::optional<std::uint32_t> scratch = source ? reserve_page() : std::nullopt;
  if (!scratch) {
    return result;
  }
  while (source && result.moved < budget) {
    const std::uint32_t first = number(pool_->first_frame(*source));
    const std::uint32_t from = pool_->taken_map().next_set(first, pool_->frames());
    const std::uint32_t page = frame_info_[from].page;
    const std::optional<Frame> to = pool_->frame_to_move_to(*source);
    MODMEM_ASSERT(to.has_value());
    if (!move_page(page, *to, *scratch)) {
      source = std::nullopt;
      break;
    }
    ++result.moved;
    if (pool_->taken_in(*source) == 0) {
      source = bank_to_empty(mover);
    }
  }
  result.more = source.has_value();
  release_span({*scratch, 1});
  return result;
}

}  // namespace modmem
