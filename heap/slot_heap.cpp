#include "heap/slot_heap.hpp"

#include "base/check.hpp"

namespace modmem {

// --- opening and closing ---

// Adds a bundle behind those of `total` bytes; false where it breaks the rules.
bool SlotHeap::add_bundle(const SlotBundle& bundle, std::size_t region_bytes, std::size_t& total) {
  if (bundle_count_ == kMaxBundles || bundle.slots == 0 || !is_power_of_two(bundle.slot_bytes) ||
      bundle.slot_bytes < kMinSlotBytes ||
      bundle.slots > (region_bytes - total) / bundle.slot_bytes) {
    return false;
  }
  const std::size_t bytes = bundle.slots * bundle.slot_bytes;
  if (bytes % config::kPageBytes != 0) {
    return false;
  }
  const bool below_page = bundle.slot_bytes < config::kPageBytes;
  const std::size_t unit = below_page ? bundle.slot_bytes : config::kPageBytes;
  Bundle& added = bundles_[bundle_count_++];
  added = Bundle{};
  added.first_page = static_cast<std::uint32_t>(total / config::kPageBytes);  // of the region
  added.pages = static_cast<std::uint32_t>(bytes / config::kPageBytes);
  added.unit_bytes = static_cast<std::uint32_t>(unit);
  added.slot_units = static_cast<std::uint32_t>(bundle.slot_bytes / unit);
  added.page_units = static_cast<std::uint32_t>(config::kPageBytes / unit);
  total += bytes;
  return true;
}

bool SlotHeap::set_bundles(const SlotHeapOptions& options) {
  std::size_t total = 0;
  bundle_count_ = 0;
  for (const SlotBundle& bundle : options.bundles) {
    if (!add_bundle(bundle, options.region_bytes, total)) {
      return false;
    }
  }
  if (!options.bundles.empty()) {
    return true;
  }
  constexpr std::uint32_t kBundles = 5;
  const std::size_t share = align_down(options.region_bytes / kBundles, config::kPageBytes);
  for (std::uint32_t i = 0; i < kBundles; ++i) {
    const std::size_t slot_bytes = std::size_t{64} << i;
    const auto slots = static_cast<std::uint32_t>(share / slot_bytes);
    if (!add_bundle({slot_bytes, slots}, options.region_bytes, total)) {
      return false;
    }
  }
  return true;
}

bool SlotHeap::open(AddressSpace& space, MetadataStore<PageDescriptor>& descriptors, HeapId id,
                    PageAccount& account, const SlotHeapOptions& options) {
  MODMEM_ASSERT(!is_open());
  const std::size_t region_pages = options.region_bytes / config::kPageBytes;
  if (region_pages == 0 || options.region_bytes % config::kPageBytes != 0 ||
      region_pages > space.window_pages()) {
    return false;
  }
  const auto pages = static_cast<std::uint32_t>(region_pages);
  std::optional<Span> region;
  if (!set_bundles(options)) {
    bundle_count_ = 0;
    return false;
  }
  if (space.has_mmu()) {
    region = space.reserve_span(pages, pages);
  } else if (const std::optional<Frame> run = space.pool().find_run(pages, 1)) {
    region = Span{number(*run), pages};
  }
  if (!region) {
    bundle_count_ = 0;
    return false;
  }
  for (std::uint32_t i = 0; i < bundle_count_; ++i) {
    bundles_[i].first_page += region->first;
  }
  space_ = &space;
  descriptors_ = &descriptors;
  account_ = &account;
  id_ = id;
  contiguous_ = options.contiguous;
  region_ = *region;
  occupied_ = 0;
  live_blocks_ = 0;
  return true;
}

void SlotHeap::close() {
  do_release_all();
  space_->release_span(region_);
  space_ = nullptr;
  bundle_count_ = 0;
  descriptors_->drop_spare();
}

bool SlotHeap::owns_page(std::uint32_t page) const {
  return space_->has_mmu() ? region_.contains(page) : space_->heap_of(page) == id_;
}

SlotBundleStats SlotHeap::bundle(std::uint32_t index) const {
  MODMEM_ASSERT(index < bundle_count_);
  const Bundle& bundle = bundles_[index];
  return {bundle.slot_bytes(), bundle.units() / bundle.slot_units, bundle.used, bundle.most_used,
          bundle.run_out};
}

// --- pages and blocks ---

// The bundle of a page of this heap.
std::uint32_t SlotHeap::bundle_of(std::uint32_t page) const {
  std::uint32_t index = bundle_count_ - 1;
  while (page < bundles_[index].first_page) {
    --index;
  }
  return index;
}

std::byte* SlotHeap::address_of(const Bundle& bundle, std::uint32_t unit) const {
  return space_->address_of(bundle.first_page) + std::size_t{unit} * bundle.unit_bytes;
}

// A page has its second descriptor, which only slots below the granule need, where other heaps'
// pages have their bin.
PageSlots SlotHeap::slots_on(const Bundle& bundle, std::uint32_t page) const {
  const FrameInfo& notes = info(page);
  PageDescriptor* second =
      bundle.page_descriptors() == 2 ? &(*descriptors_)[notes.bin_next] : nullptr;
  return {&(*descriptors_)[notes.descriptor], second, bundle.page_units};
}

// Which of the page's units are among `units`, counted from the start of the page.
SlotHeap::Run SlotHeap::part_on(const Bundle& bundle, const Run& units, std::uint32_t page) const {
  const std::uint32_t base = bundle.first_unit(page);
  const std::uint32_t from = units.begin > base ? units.begin - base : 0;
  const std::uint32_t to = units.end - base;
  return {from, to < bundle.page_units ? to : bundle.page_units};
}

// The block that starts at `pointer`, a live one.
SlotHeap::Block SlotHeap::block_at(const void* pointer) const {
  const std::uint32_t page = *space_->page_of(pointer);
  const std::uint32_t index = bundle_of(page);
  const Bundle& bundle = bundles_[index];
  const auto offset =
      static_cast<std::size_t>(space_->to_cached(pointer) - space_->address_of(bundle.first_page));
  const auto begin = static_cast<std::uint32_t>(offset / bundle.unit_bytes);
  const std::uint32_t base = bundle.first_unit(page);
  std::uint32_t end = bundle.page_units;
  if (has_descriptor(page)) {
    end = slots_on(bundle, page).block_end(begin - base + 1);
  }
  const std::uint32_t reach = info(page).reach;
  if (end < bundle.page_units || reach < 2) {
    return {index, {begin, base + end}};
  }
  const std::uint32_t last = page + reach - 1;
  end = has_descriptor(last) ? slots_on(bundle, last).block_end(0) : bundle.page_units;
  return {index, {begin, bundle.first_unit(last) + end}};
}

PointerStatus SlotHeap::do_status(const void* pointer) const {
  const std::optional<std::uint32_t> page = space_->page_of(pointer);
  if (!page || !owns_page(*page)) {
    return PointerStatus::foreign;
  }
  if (!space_->is_busy(*page)) {
    return PointerStatus::not_live;
  }
  const Bundle& bundle = bundles_[bundle_of(*page)];
  const auto offset =
      static_cast<std::uint32_t>(space_->to_cached(pointer) - space_->address_of(*page));
  if (!has_descriptor(*page)) {
    const bool start = offset == 0 && info(*page).reach != 0;
    return start ? PointerStatus::live : PointerStatus::interior;
  }
  const std::uint32_t slot = offset / bundle.unit_bytes;
  const PageSlots slots = slots_on(bundle, *page);
  if (!slots.is_used(slot)) {
    return PointerStatus::not_live;
  }
  const bool start = offset % bundle.unit_bytes == 0 && slots.is_start(slot);
  return start ? PointerStatus::live : PointerStatus::interior;
}

std::size_t SlotHeap::do_usable_size(const void* pointer) const {
  if (do_status(pointer) != PointerStatus::live) {
    return 0;
  }
  const Block block = block_at(pointer);
  return std::size_t{block.units.size()} * bundles_[block.bundle].unit_bytes;
}

// --- allocation ---

void* SlotHeap::do_allocate(std::size_t bytes, std::size_t alignment) {
  MODMEM_ASSERT(is_open() && bytes > 0 && is_power_of_two(alignment));
  for (std::uint32_t i = 0; i < bundle_count_; ++i) {
    Bundle& bundle = bundles_[i];
    const std::size_t wanted = divide_up(bytes, bundle.unit_bytes);
    if (wanted > most_units(bundle)) {
      continue;
    }
    const auto units = static_cast<std::uint32_t>(wanted);
    if (const std::optional<Run> place = choose(bundle, units, alignment)) {
      void* block = put(bundle, *place);
      descriptors_->trim();
      return block;
    }
    if (!find(bundle, units, 1, kUnlimited, true)) {
      ++bundle.run_out;
    }
  }
  return nullptr;
}

void* SlotHeap::put(Bundle& bundle, const Run& place) {
  if (!claim(bundle, place)) {
    return nullptr;
  }
  const std::uint32_t page = bundle.page_of(place.begin);
  if (has_descriptor(page)) {
    slots_on(bundle, page).set_start(place.begin - bundle.first_unit(page));
  }
  note_reach(bundle, place, place.end);
  count_used(bundle, 0, place.size());
  ++live_blocks_;
  return address_of(bundle, place.begin);
}

// Uses the free units of `place`, for which there are descriptors. Returns false, with nothing
// changed, exactly when frames are not to be had.
bool SlotHeap::claim(Bundle& bundle, const Run& place) {
  MODMEM_ASSERT(cost(bundle, place).descriptors <= descriptors_->free());
  const std::uint32_t first = bundle.page_of(place.begin);
  const std::uint32_t last = bundle.page_of(place.end - 1);
  const std::uint32_t map_first = is_used(first) ? first + 1 : first;
  const std::uint32_t map_end = is_used(last) ? last : last + 1;
  if (map_first < map_end && !space_->map(map_first, map_end - map_first, id_, *account_)) {
    return false;
  }
  // From here on nothing can fail.
  for (const std::uint32_t page : {first, last}) {
    const Run part = part_on(bundle, place, page);
    if (part.size() < bundle.page_units && !has_descriptor(page)) {
      attach_descriptors(bundle, page);
    }
    if (has_descriptor(page)) {
      slots_on(bundle, page).use(part.begin, part.end);
    }
  }
  occupied_ += std::size_t{place.size()} * bundle.unit_bytes;
  return true;
}

// Gives the page empty descriptors. Returns false, with nothing changed, exactly when they are not
// to be had.
bool SlotHeap::attach_descriptors(const Bundle& bundle, std::uint32_t page) {
  const std::uint16_t first = descriptors_->create();
  if (first == FrameInfo::kNone) {
    return false;
  }
  if (bundle.page_descriptors() == 2) {
    const std::uint16_t second = descriptors_->create();
    if (second == FrameInfo::kNone) {
      descriptors_->destroy(first);
      return false;
    }
    info(page).bin_next = second;
  }
  info(page).descriptor = first;
  return true;
}

// Notes how many pages `block` has now. Its first page's reach is its own where the block comes to
// the end of that page, or did: `furthest` is the further of its old and new end.
void SlotHeap::note_reach(const Bundle& bundle, const Run& block, std::uint32_t furthest) {
  if (furthest < bundle.page_end(block.begin)) {
    return;
  }
  const std::uint32_t first = bundle.page_of(block.begin);
  const std::uint32_t pages = bundle.page_of(block.end - 1) - first + 1;
  const bool noted = pages > 1 || !has_descriptor(first);
  info(first).reach = static_cast<std::uint16_t>(noted ? pages : 0);
}

void SlotHeap::count_used(Bundle& bundle, std::uint32_t old_units, std::uint32_t new_units) {
  bundle.used += bundle.slots_of(new_units) - bundle.slots_of(old_units);
  bundle.most_used = bundle.used > bundle.most_used ? bundle.used : bundle.most_used;
}

// --- release ---

PointerStatus SlotHeap::do_free(void* pointer) {
  const PointerStatus what = do_status(pointer);
  if (what != PointerStatus::live) {
    return what;
  }
  const Block block = block_at(pointer);
  Bundle& bundle = bundles_[block.bundle];
  const std::uint32_t page = bundle.page_of(block.units.begin);
  if (has_descriptor(page)) {
    slots_on(bundle, page).clear_start(block.units.begin - bundle.first_unit(page));
  }
  if (block.units.end >= bundle.page_end(block.units.begin)) {
    info(page).reach = 0;  // it was the last block of its page
  }
  --live_blocks_;
  count_used(bundle, block.units.size(), 0);
  vacate(bundle, block.units);
  return what;
}

// Frees used units, which hold no start any more.
void SlotHeap::vacate(Bundle& bundle, const Run& units) {
  occupied_ -= std::size_t{units.size()} * bundle.unit_bytes;
  const std::uint32_t last = bundle.page_of(units.end - 1);
  for (std::uint32_t page = bundle.page_of(units.begin); page <= last; ++page) {
    const Run part = part_on(bundle, units, page);
    if (part.size() < bundle.page_units) {
      PageSlots slots = slots_on(bundle, page);
      slots.vacate(part.begin, part.end);
      if (!slots.empty()) {
        continue;
      }
    }
    release_page(page);
  }
}

// Unmaps a page without a used unit.
void SlotHeap::release_page(std::uint32_t page) {
  FrameInfo& notes = info(page);
  if (notes.descriptor != FrameInfo::kNone) {
    descriptors_->destroy(notes.descriptor);
  }
  if (notes.bin_next != FrameInfo::kNone) {
    descriptors_->destroy(notes.bin_next);
  }
  space_->unmap(page, 1, *account_);
}

void SlotHeap::do_release_all() {
  for (std::uint32_t page = region_.first; page < region_.end(); ++page) {
    if (is_used(page)) {
      release_page(page);
    }
  }
  for (Bundle& bundle : bundles_) {
    bundle.used = 0;
  }
  occupied_ = 0;
  live_blocks_ = 0;
}

// --- resize ---

bool SlotHeap::do_resize(void* pointer, std::size_t bytes) {
  if (do_status(pointer) != PointerStatus::live) {
    return false;
  }
  const Block block = block_at(pointer);
  const Bundle& bundle = bundles_[block.bundle];
  const std::uint32_t most = contiguous_ ? bundle.units() - block.units.begin : bundle.slot_units;
  const std::size_t wanted = divide_up(bytes, bundle.unit_bytes);
  if (wanted > most) {
    return false;
  }
  const std::uint32_t new_end = block.units.begin + static_cast<std::uint32_t>(wanted);
  return new_end <= block.units.end ? shrink(block, new_end) : grow(block, new_end);
}

bool SlotHeap::shrink(const Block& block, std::uint32_t new_end) {
  Bundle& bundle = bundles_[block.bundle];
  const Run& old = block.units;
  if (new_end == old.end) {
    return true;
  }
  const std::uint32_t last = bundle.page_of(new_end - 1);
  if (!has_descriptor(last) && new_end % bundle.page_units != 0) {
    // The page lay wholly inside the block and now gets free slots. Those behind it go first: the
    // descriptors may need a frame of theirs. Without them the block keeps the page.
    const std::uint32_t page_end = bundle.page_end(new_end);
    if (page_end < old.end) {
      return shrink(block, page_end) && shrink({block.bundle, {old.begin, page_end}}, new_end);
    }
    if (!attach_descriptors(bundle, last)) {
      return true;
    }
    PageSlots slots = slots_on(bundle, last);
    slots.use(0, bundle.page_units);
    if (last == bundle.page_of(old.begin)) {
      slots.set_start(0);
    }
  }
  note_reach(bundle, {old.begin, new_end}, old.end);
  count_used(bundle, old.size(), new_end - old.begin);
  vacate(bundle, {new_end, old.end});
  return true;
}

bool SlotHeap::grow(const Block& block, std::uint32_t new_end) {
  // Before the pages are looked at: without an MMU, a page of descriptors could take one of them.
  const Bundle& bundle = bundles_[block.bundle];
  const std::uint32_t pages = descriptors_->pages();
  if (cost(bundle, {block.units.end, new_end}).descriptors > descriptors_->free()) {
    descriptors_->reserve(bundle.page_descriptors());
  }
  const bool reserved = descriptors_->pages() != pages;
  const bool grown = extend(block, new_end);
  descriptors_->trim();
  return grown || (reserved && extend(block, new_end));
}

// Uses what lies behind the block up to `new_end`, or up to the end of that page where no
// descriptor is left for it.
bool SlotHeap::extend(const Block& block, std::uint32_t new_end) {
  Bundle& bundle = bundles_[block.bundle];
  const Run& old = block.units;
  if (next_used(bundle, old.end) < new_end) {
    return false;
  }
  Run more{old.end, new_end};
  if (cost(bundle, more).descriptors > descriptors_->free()) {
    more = widened(bundle, more);
  }
  if (!claim(bundle, more)) {
    return false;
  }
  note_reach(bundle, {old.begin, more.end}, more.end);
  count_used(bundle, old.size(), more.end - old.begin);
  return true;
}

}  // namespace modmem
