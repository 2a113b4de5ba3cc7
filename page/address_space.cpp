#include "page/address_space.hpp"

#include "base/bits.hpp"

namespace modmem {

namespace {
constexpr Page as_page(std::uint32_t page) { return Page{static_cast<std::uint16_t>(page)}; }
constexpr Frame as_frame(std::uint32_t frame) { return Frame{static_cast<std::uint16_t>(frame)}; }
}  // namespace

bool AddressSpace::boot(const PlatformConfig& config, Port& port, PagePool& pool,
                        MetadataArena& arena) {
  port_ = &port;
  pool_ = &pool;
  has_mmu_ = config.has_mmu;
  base_ = port.window();
  blocks_ = port.blocks();
  alias_offset_ = port.alias_offset();
  window_pages_ = has_mmu() ? static_cast<std::uint32_t>(config.window_bytes / config::kPageBytes)
                            : pool.frames();
  window_bytes_ = std::size_t{window_pages_} * config::kPageBytes;
  const std::size_t words = BitmapView::words_for(window_pages_);
  auto* reserved = arena.take<BitmapView::Word>(has_mmu() ? words : 0);
  auto* mapped = arena.take<BitmapView::Word>(words);
  auto* busy = arena.take<BitmapView::Word>(words);
  frame_of_page_ = arena.take<std::uint16_t>(has_mmu() ? window_pages_ : 0);
  frame_info_ = arena.take<FrameInfo>(pool.frames());
  if (arena.exhausted() || frame_info_ == nullptr) {
    return false;
  }
  reserved_ = BitmapView(reserved, has_mmu() ? window_pages_ : 0);
  mapped_ = BitmapView(mapped, window_pages_);
  busy_ = BitmapView(busy, window_pages_);
  return true;
}

std::optional<Span> AddressSpace::reserve_span(std::uint32_t wanted, std::uint32_t minimum) {
  if (!has_mmu()) {
    return Span{0, window_pages_};
  }
  Span best;
  std::uint32_t from = 0;
  while (from < window_pages_) {
    const std::uint32_t begin = reserved_.next_clear(from, window_pages_);
    const std::uint32_t end = reserved_.next_set(begin, window_pages_);
    const std::uint32_t pages = end - begin;
    from = end;
    if (pages >= wanted) {
      best = Span{begin, wanted};
      break;
    }
    if (pages > best.pages) {
      best = Span{begin, pages};
    }
  }
  if (best.pages == 0 || best.pages < minimum) {
    return std::nullopt;
  }
  reserved_.set_range(best.first, best.end());
  return best;
}

std::optional<std::uint32_t> AddressSpace::reserve_page() {
  if (!has_mmu()) {
    const std::uint32_t page = pool_->taken_map().next_clear(0, window_pages_);
    return page < window_pages_ ? std::optional(page) : std::nullopt;
  }
  const std::uint32_t end = reserved_.end_of_last_clear(0, window_pages_);
  if (end == 0) {
    return std::nullopt;
  }
  reserved_.set(end - 1);
  return end - 1;
}

std::uint32_t AddressSpace::largest_gap() const {
  std::uint32_t largest = 0;
  std::uint32_t from = 0;
  while (from < reserved_.size()) {
    const std::uint32_t begin = reserved_.next_clear(from, reserved_.size());
    from = reserved_.next_set(begin, reserved_.size());
    largest = from - begin > largest ? from - begin : largest;
  }
  return largest;
}

void AddressSpace::release_span(const Span& span) {
  if (has_mmu()) {
    MODMEM_ASSERT(mapped_.count(span.first, span.end()) == 0);
    reserved_.clear_range(span.first, span.end());
  }
}

bool AddressSpace::map_frame(std::uint32_t page, Frame frame, HeapId heap) {
  if (!port_->map(as_page(page), frame)) {
    return false;
  }
  if (has_mmu()) {
    frame_of_page_[page] = number(frame);
  }
  FrameInfo& info = frame_info_[number(frame)];
  MODMEM_ASSERT(info.page == FrameInfo::kNone);
  info = FrameInfo{};
  info.page = static_cast<std::uint16_t>(page);
  info.heap = heap;
  mapped_.set(page);
  ++mapped_pages_;
  return true;
}

bool AddressSpace::map_page(std::uint32_t page, HeapId heap, PageAccount& account) {
  std::optional<Frame> frame;
  if (has_mmu()) {
    frame = pool_->take(account);
  } else if (pool_->take_at(account, as_frame(page), 1)) {
    frame = as_frame(page);
  }
  if (!frame) {
    return false;
  }
  if (!map_frame(page, *frame, heap)) {
    pool_->give(account, *frame, 1);
    return false;
  }
  set_access(page, account.access);
  return true;
}

void AddressSpace::set_access(std::uint32_t page, Access access) {
  FrameInfo& notes = info(page);
  if (notes.access != access) {
    MODMEM_ASSERT(port_->can_close_pages());
    notes.access = access;
    port_->set_access(as_page(page), access);
  }
}

void AddressSpace::open(std::uint32_t first, std::uint32_t count) {
  for (std::uint32_t page = first; page < first + count; ++page) {
    set_access(page, Access::open);
  }
}

void AddressSpace::close(std::uint32_t first, std::uint32_t count, const PageAccount& account) {
  for (std::uint32_t page = first; page < first + count; ++page) {
    if (is_mapped(page)) {
      set_access(page, account.access);
    }
  }
}

void AddressSpace::forget(std::uint32_t page) {
  set_pinned(page, false);
  port_->unmap(as_page(page));
  FrameInfo& notes = info(page);
  const HeapId last = has_mmu() ? kNoHeap : notes.heap;
  notes = FrameInfo{};
  notes.heap = last;
  mapped_.clear(page);
  busy_.clear(page);
  --mapped_pages_;
}

void AddressSpace::forget_heap(HeapId heap) {
  for (std::uint32_t page = 0; !has_mmu() && page < window_pages_; ++page) {
    if (last_heap_of(page) == heap) {
      frame_info_[page].heap = kNoHeap;
    }
  }
}

// Maps those pages of [first, first + count) that are not mapped, as map() does.
bool AddressSpace::map_missing(std::uint32_t first, std::uint32_t count, HeapId heap,
                               PageAccount& account) {
  // Asked once for all pages, so that a request that can't be served touches nothing.
  if (unmapped_in(first, count) > pool_->available(account)) {
    return false;
  }
  for (std::uint32_t page = first; page < first + count; ++page) {
    if (is_mapped(page)) {
      MODMEM_ASSERT(info(page).empty && info(page).heap == heap);
      continue;
    }
    if (!map_page(page, heap, account)) {
      // Undo: what this call mapped is not busy yet, what was kept empty is still marked so.
      while (page-- > first) {
        if (!info(page).empty) {
          unmap(page, 1, account);
        }
      }
      return false;
    }
  }
  return true;
}

bool AddressSpace::map(std::uint32_t first, std::uint32_t count, HeapId heap,
                       PageAccount& account) {
  if (mapped_.next_clear(first, first + count) != first + count &&
      !map_missing(first, count, heap, account)) {
    return false;
  }
  for (std::uint32_t page = first; page < first + count; ++page) {
    FrameInfo& notes = info(page);
    MODMEM_ASSERT(notes.heap == heap && !is_busy(page));
    notes.empty = false;
    notes.bin_next = notes.bin_prev = FrameInfo::kNone;
  }
  busy_.set_range(first, first + count);
  return true;
}

void AddressSpace::unmap(std::uint32_t first, std::uint32_t count, PageAccount& account) {
  for (std::uint32_t page = first; page < first + count; ++page) {
    const Frame frame = as_frame(frame_of(page));
    forget(page);
    pool_->give(account, frame, 1);
  }
}

void AddressSpace::keep_empty(std::uint32_t page, bool timed) {
  info(page).empty = true;
  if (timed) {
    info(page).set_empty_since(port_->time_us());
  }
  busy_.clear(page);
}

void AddressSpace::hand_over(std::uint32_t page, HeapId heir, PageAccount& from, PageAccount& to) {
  MODMEM_ASSERT(is_busy(page));
  info(page).heap = heir;
  pool_->hand_over(from, to, 1);
}

void AddressSpace::set_pinned(std::uint32_t page, bool pinned) {
  FrameInfo& notes = info(page);
  if (notes.pinned == pinned) {
    return;
  }
  notes.pinned = pinned;
  pinned ? pool_->pin(as_frame(frame_of(page))) : pool_->unpin(as_frame(frame_of(page)));
}

bool AddressSpace::is_free_for(std::uint32_t page, HeapId heap) const {
  return !busy_.test(page) && (!mapped_.test(page) || info(page).heap == heap);
}

// First page of [page, last) that is mapped for another heap, `last` where there is none.
std::uint32_t AddressSpace::kept_by_others(std::uint32_t page, std::uint32_t last,
                                           HeapId heap) const {
  std::uint32_t kept = mapped_.next_set(page, last);
  while (kept < last && info(kept).heap == heap) {
    kept = mapped_.next_set(kept + 1, last);
  }
  return kept;
}

std::uint32_t AddressSpace::next_kept(std::uint32_t page, std::uint32_t last) const {
  page = mapped_.next_set(page, last);
  while (page < last && busy_.test(page)) {
    page = mapped_.next_set(page + 1, last);
  }
  return page;
}

std::uint32_t AddressSpace::kept_run_end(std::uint32_t page, std::uint32_t last) const {
  const std::uint32_t unmapped = mapped_.next_clear(page, last);
  return busy_.next_set(page, unmapped);
}

bool AddressSpace::is_uncached(const void* address) const {
  if (alias_offset_ == 0) {
    return false;
  }
  const auto at = reinterpret_cast<std::uintptr_t>(address);
  const auto start = reinterpret_cast<std::uintptr_t>(base_ + alias_offset_);
  return at - start < std::size_t{window_pages_} * config::kPageBytes;
}

std::byte* AddressSpace::to_cached(const void* address) const {
  auto* bytes = static_cast<std::byte*>(const_cast<void*>(address));
  return is_uncached(address) ? bytes - alias_offset_ : bytes;
}

std::optional<std::uint32_t> AddressSpace::page_of(const void* address) const {
  const std::size_t offset = offset_of(address);
  if (offset >= window_bytes_) {
    return std::nullopt;
  }
  return static_cast<std::uint32_t>(offset / config::kPageBytes);
}

bool AddressSpace::check() const {
  std::uint32_t mapped = 0;
  for (std::uint32_t page = 0; page < window_pages_; ++page) {
    if (!is_mapped(page)) {
      if (is_busy(page)) {
        return false;
      }
      continue;
    }
    ++mapped;
    const std::uint16_t frame = frame_of(page);
    if (frame >= pool_->frames() || frame_info_[frame].page != page ||
        frame_info_[frame].heap == kNoHeap || frame_info_[frame].empty == is_busy(page) ||
        !pool_->is_taken(as_frame(frame))) {
      return false;
    }
  }
  return mapped == mapped_pages_;
}

}  // namespace modmem
