// L3 over a power cycle: what lives there is written down, and found again by the next boot.
//
// save_l3() puts a list of the blocks into free pages of L3, with the sum of each one's content,
// and says in a header where it is (l3_image.hpp); restore_l3() of the next boot claims the blocks'
// places again before anything else can. What is not as it was saved is not handed on: without a
// good header and list nothing is; a block whose content has changed comes back as a *damaged* one.
// That keeps its place, so that nobody else gets it whose pointer somebody still has, but holds
// zeros, is live for no call but free(), and belongs to an owner of its own, by which it is known.

#include <cstring>

#include "base/check.hpp"
#include "memory/l3_image.hpp"
#include "memory/memory.hpp"

namespace modmem {

namespace {

// By address.
constexpr char kDamagedOwner[] = "l3-damaged";

// What the firmware image is known by: where the linker put things. One that was built otherwise
// has others, most likely.
std::uint64_t image_mark() {
  return reinterpret_cast<std::uintptr_t>(&kDamagedOwner) * std::uint64_t{31} +
         reinterpret_cast<std::uintptr_t>(&image_mark);
}

}  // namespace

std::byte* Memory::l3_header(int half) const {
  return l3_.port->window() + config_.l3_bytes - config::kPageBytes +
         static_cast<std::size_t>(half) * SavedHeader::kHalfBytes;
}

// The header of a save now, but for what it saves.
SavedHeader Memory::new_header() const {
  SavedHeader header;
  header.magic = SavedHeader::kMagic;
  header.window = reinterpret_cast<std::uintptr_t>(l3_.port->window());
  header.image = image_mark();
  header.pool_pages = l3_.pool.frames();
  return header;
}

// The good header of the last save, if there is one, and the half that it is in. Returns that, or
// -1.
int Memory::read_header(SavedHeader& header) const {
  const SavedHeader here = new_header();
  int found = -1;
  for (int half = 0; half < SavedHeader::kHalves; ++half) {
    SavedHeader one;
    std::memcpy(static_cast<void*>(&one), l3_header(half), sizeof one);
    if (one.fits(here) && (found < 0 || one.generation > header.generation)) {
      header = one;
      found = half;
    }
  }
  return found;
}

void Memory::write_header(int half, const SavedHeader& header) {
  std::memcpy(l3_header(half), &header, sizeof header);
  l3_.port->cache_writeback(l3_header(half), align_up(sizeof header, config_.cache_line_bytes));
}

void Memory::erase_header(int half) {
  std::memset(l3_header(half), 0, sizeof(SavedHeader));
  l3_.port->cache_writeback(l3_header(half),
                            align_up(sizeof(SavedHeader), config_.cache_line_bytes));
}

bool Memory::map_list(const Span& list) {
  if (!l3_.space.map(list.first, list.pages, kMetadataHeap, l3_.tables)) {
    return false;
  }
  if (views() != nullptr) {
    views()->expose(l3_.space.address_of(list.first), std::size_t{list.pages} * config::kPageBytes);
  }
  return true;
}

void Memory::drop_saved_list() {
  if (saved_list_.pages != 0) {
    if (views() != nullptr) {
      views()->cover(l3_.space.address_of(saved_list_.first),
                     std::size_t{saved_list_.pages} * config::kPageBytes);
    }
    l3_.space.unmap(saved_list_.first, saved_list_.pages, l3_.tables);
    saved_list_ = {};
  }
}

bool Memory::save_l3() {
  const Call call(*this);
  enter();
  note_upkeep(Upkeep::save_l3);
  if (l3_heap() == nullptr || calling_core() != kPrimaryCore) {
    return false;
  }
  release_all_waiting();
  SavedHeader before;
  const int old = read_header(before);
  SavedHeader header = new_header();
  header.generation = before.generation + 1;
  header.blocks = l3_.slot->heap->stats().live_blocks;
  Span list{0, SavedBlock::list_pages(header.blocks)};
  if (list.pages != 0) {
    const std::optional<Frame> run = l3_.pool.find_run(list.pages, 1);
    if (!run || !map_list({number(*run), list.pages})) {
      return false;
    }
    list.first = number(*run);
  }
  header.first_page = list.first;
  header.list_crc = write_list(list);
  header.crc = header.sum();
  const int half = old == 0 ? 1 : 0;
  write_header(half, header);
  erase_header(1 - half);
  drop_saved_list();
  saved_list_ = list;
  return true;
}

// [block, block + bytes) as whole lines of the cache.
internal::Lines Memory::lines_around(std::byte* block, std::size_t bytes) const {
  const std::size_t into = reinterpret_cast<std::uintptr_t>(block) % config_.cache_line_bytes;
  return {block - into, align_up(into + bytes, config_.cache_line_bytes)};
}

// Writes the list of L3's blocks, and their content back from the cache. Returns the list's sum.
std::uint32_t Memory::write_list(const Span& list) {
  auto* saved = reinterpret_cast<SavedBlock*>(l3_.space.address_of(list.first));
  std::uint32_t count = 0;
  for (std::uint32_t page = 0; page < l3_.space.window_pages(); ++page) {
    if (l3_.space.heap_of(page) != l3_.slot->id()) {
      continue;
    }
    std::uint16_t handle = l3_.space.info(page).records;
    while (handle != SlotStore::kNone) {
      const Record& record = records_[handle];
      std::byte* block = block_of(record);
      const std::size_t room = l3_.slot->heap->usable_size(block);
      // All of it is summed, what lies between the members included.
      std::memset(static_cast<void*>(saved + count), 0, sizeof *saved);
      const Site site = sites_[record.site];
      const Owner& owner = owners_[record.owner];
      SavedBlock& entry = saved[count++];
      entry.site.where = site.where;
      entry.site.line = site.line;
      entry.place = page * Record::kPlacesPerPage + record.place;
      entry.bytes = record.bytes;
      entry.room = static_cast<std::uint32_t>(room);
      entry.content_crc = crc32(handed_out(record, block), record.bytes);
      entry.owner_id = owner.spec.id;
      entry.owner_kind = static_cast<std::uint8_t>(owner.spec.kind);
      entry.alignment_log2 = record.alignment_log2;
      entry.damaged = is_damaged(record) ? 1 : 0;
      const internal::Lines lines = lines_around(block, room);
      l3_.port->cache_writeback(lines.begin, lines.bytes);
      handle = record.last != 0 ? std::uint16_t{SlotStore::kNone} : record.page_next;
    }
  }
  MODMEM_ASSERT(SavedBlock::list_pages(count) == list.pages);
  if (count != 0) {
    l3_.port->cache_writeback(l3_.space.address_of(list.first),
                              std::size_t{list.pages} * config::kPageBytes);
  }
  return crc32(saved, SavedBlock::list_bytes(count));
}

bool Memory::restore_l3() {
  const Call call(*this);
  enter();
  note_upkeep(Upkeep::restore_l3);
  if (l3_heap() == nullptr || calling_core() != kPrimaryCore ||
      l3_.slot->heap->stats().live_blocks != 0 || saved_list_.pages != 0) {
    return false;
  }
  // What the cache has of L3 is of before.
  l3_.port->cache_invalidate(l3_header(0), config::kPageBytes);
  SavedHeader header;
  if (read_header(header) < 0) {
    refuse_image();
    return false;
  }
  const Span list{header.first_page, SavedBlock::list_pages(header.blocks)};
  if (list.pages != 0) {
    if (!map_list(list)) {
      return false;
    }
    l3_.port->cache_invalidate(l3_.space.address_of(list.first),
                               std::size_t{list.pages} * config::kPageBytes);
  }
  saved_list_ = list;
  const auto* saved = reinterpret_cast<const SavedBlock*>(l3_.space.address_of(list.first));
  bool good = header.list_crc == crc32(saved, SavedBlock::list_bytes(header.blocks));
  if (!good) {
    refuse_image();
  } else {
    good = bring_back(saved, header.blocks);
  }
  drop_saved_list();
  if (good) {
    // Used up: a power cycle without another save brings nothing back.
    erase_header(0);
    erase_header(1);
  }
  verify();
  return good;
}

// Claims the places of all blocks of the list, or of none.
bool Memory::bring_back(const SavedBlock* saved, std::uint32_t blocks) {
  Owner* damaged = nullptr;
  std::uint32_t done = 0;
  while (done < blocks && bring_back(saved[done], damaged)) {
    ++done;
  }
  if (done == blocks) {
    for (std::uint32_t i = 0; damaged != nullptr && i < blocks; ++i) {
      report_damage(saved[i]);
    }
    return true;
  }
  while (done > 0) {
    std::byte* block = saved_place(saved[--done]);
    free_locked(handed_out(records_[find(block).handle], block), nullptr, {});
  }
  return false;  // and the owner of damaged ones went with the last of them
}

std::byte* Memory::saved_place(const SavedBlock& saved) const {
  return l3_.space.address_of(0) + std::size_t{saved.place} * Record::kPlaceBytes;
}

// Claims the place of one block again and notes it as the system's, or as damaged.
bool Memory::bring_back(const SavedBlock& saved, Owner*& damaged) {
  const std::size_t places = std::size_t{l3_.space.window_pages()} * Record::kPlacesPerPage;
  if (saved.place >= places || saved.bytes == 0 || saved.bytes > saved.room ||
      saved.alignment_log2 >= 32 || !records_.reserve(l3_.slot->records, 1)) {
    return false;
  }
  std::byte* block = saved_place(saved);
  bool done = l3_.slot->elastic.allocate_at(block, saved.room);
  if (done && !take_in(saved, block, damaged)) {
    l3_.slot->heap->free(block);
    done = false;
  }
  records_.trim(l3_.slot->records);
  return done;
}

// Looks at the content of the block, whose place is claimed, and notes it.
bool Memory::take_in(const SavedBlock& saved, std::byte* block, Owner*& damaged) {
  const std::size_t alignment = std::size_t{1} << saved.alignment_log2;
  const internal::Lines lines = lines_around(block, saved.room);
  l3_.port->cache_invalidate(lines.begin, lines.bytes);
  std::byte* user = hand_out(block, saved.bytes, alignment);
  if (user == nullptr) {
    return false;
  }
  const bool whole = saved.damaged == 0 && crc32(user, saved.bytes) == saved.content_crc;
  if (!whole && damaged == nullptr) {
    const OwnerSpec spec{.kind = OwnerKind::buffer, .name = kDamagedOwner};
    damaged = create_owner_locked(*system_, spec, {});
  }
  if (!whole && damaged == nullptr) {
    take_back(block, saved.bytes);
    return false;
  }
  Owner* owner = whole ? system_ : damaged;
  commit({.owner = owner, .bytes = saved.bytes, .site = saved.site},
         {.slot = l3_.slot, .alignment = alignment}, block, saved.bytes);
  if (!whole) {
    std::memset(user, 0, saved.bytes);
    l3_.port->cache_writeback(lines.begin, lines.bytes);
  }
  return true;
}

bool Memory::is_damaged(const Record& record) const {
  return has_side_memories() && record.memory == number_of(l3_.space) && !is_queued(record) &&
         owners_[record.owner].spec.name == kDamagedOwner;
}

// Says of a block of the list that it is damaged, where it is.
void Memory::report_damage(const SavedBlock& saved) {
  const Record& record = records_[find(saved_place(saved)).handle];
  if (observer_ != nullptr && is_damaged(record)) {
    Fault fault;
    fault.pointer = handed_out(record, saved_place(saved));
    fault.status = PointerStatus::damaged;
    fault.heap = l3_.slot->name;
    fault.owner_kind = static_cast<OwnerKind>(saved.owner_kind);
    fault.owner_id = saved.owner_id;
    fault.bytes = saved.bytes;
    fault.site = saved.site;
    observer_->on_fault(fault);
  }
}

// Says that there is something that was saved and nothing of it is used, where that is so.
void Memory::refuse_image() {
  for (int half = 0; half < SavedHeader::kHalves; ++half) {
    SavedHeader header;
    std::memcpy(static_cast<void*>(&header), l3_header(half), sizeof header);
    if (header.is_there() && observer_ != nullptr) {
      Fault fault;
      fault.pointer = l3_header(half);
      fault.status = PointerStatus::damaged;
      fault.heap = l3_.slot->name;
      fault.owner_name = system_->spec.name;
      observer_->on_fault(fault);
      return;
    }
  }
}

}  // namespace modmem
