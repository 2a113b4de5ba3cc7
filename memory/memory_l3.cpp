// L3 over a power cycle: what lives there is written down, and found again by the next boot.
//
// save_l3() puts a list of the blocks into free pages of L3 and says in the header, L3's last page,
// where it is; restore_l3() of the next boot claims the blocks' places again before anything else
// can. Both are of the same firmware image, so a call site is as good after as before.

#include <cstring>

#include "base/check.hpp"
#include "memory/memory.hpp"

namespace modmem {

namespace {

constexpr std::uint64_t kMagic = 0x6d6f646d656d4c33;  // "modmemL3"

struct SavedBlock {
  Site site;
  std::uint32_t place = 0;
  std::uint32_t bytes = 0;  // as asked for
  std::uint32_t room = 0;   // that it takes
  std::uint32_t alignment_log2 = 0;
};

struct SavedHeader {
  std::uint64_t magic = 0;
  std::uint32_t page_bytes = 0;
  std::uint32_t granule_bytes = 0;
  std::uint32_t pool_pages = 0;
  std::uint32_t first_page = 0;  // of the list
  std::uint32_t blocks = 0;
  std::uint32_t unused = 0;
  std::uint64_t list_sum = 0;
  std::uint64_t sum = 0;  // of all before
};

// FNV-1a, 64 bits (Fowler, Noll, Vo): finds what was never written, or half.
std::uint64_t sum_of(const void* from, std::size_t bytes) {
  const auto* at = static_cast<const unsigned char*>(from);
  std::uint64_t sum = 0xcbf29ce484222325;
  for (std::size_t i = 0; i < bytes; ++i) {
    sum = (sum ^ at[i]) * 0x100000001b3;
  }
  return sum;
}

std::uint64_t sum_of(const SavedHeader& header) {
  return sum_of(&header, offsetof(SavedHeader, sum));
}

std::size_t list_bytes(std::uint32_t blocks) { return std::size_t{blocks} * sizeof(SavedBlock); }

std::uint32_t list_pages(std::uint32_t blocks) {
  return static_cast<std::uint32_t>(divide_up(list_bytes(blocks), config::kPageBytes));
}

}  // namespace

std::byte* Memory::l3_header() const {
  return l3_.port->window() + config_.l3_bytes - config::kPageBytes;
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
  const LockGuard guard(*port_);
  enter();
  note_upkeep(Upkeep::save_l3);
  if (l3_heap() == nullptr || calling_core() != kPrimaryCore) {
    return false;
  }
  SavedHeader header{.magic = kMagic,
                     .page_bytes = static_cast<std::uint32_t>(config::kPageBytes),
                     .granule_bytes = static_cast<std::uint32_t>(config::kGranuleBytes),
                     .pool_pages = l3_.pool.frames(),
                     .blocks = l3_.slot->heap->stats().live_blocks};
  Span list{0, list_pages(header.blocks)};
  if (list.pages != 0) {
    const std::optional<Frame> run = l3_.pool.find_run(list.pages, 1);
    if (!run || !map_list({number(*run), list.pages})) {
      return false;
    }
    list.first = number(*run);
  }
  header.first_page = list.first;
  header.list_sum = write_list(list);
  header.sum = sum_of(header);
  std::memcpy(l3_header(), &header, sizeof header);
  l3_.port->cache_writeback(l3_header(), align_up(sizeof header, config_.cache_line_bytes));
  drop_saved_list();
  saved_list_ = list;
  return true;
}

// Writes the list of L3's blocks, and their content back from the cache. Returns the list's sum.
std::uint64_t Memory::write_list(const Span& list) {
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
      SavedBlock& entry = saved[count++];
      entry.site.where = site.where;
      entry.site.line = site.line;
      entry.place = page * Record::kPlacesPerPage + record.place;
      entry.bytes = record.bytes;
      entry.room = static_cast<std::uint32_t>(room);
      entry.alignment_log2 = record.alignment_log2;
      l3_.port->cache_writeback(block, align_up(room, config_.cache_line_bytes));
      handle = record.last != 0 ? std::uint16_t{SlotStore::kNone} : record.page_next;
    }
  }
  MODMEM_ASSERT(list_pages(count) == list.pages);
  if (count != 0) {
    l3_.port->cache_writeback(l3_.space.address_of(list.first),
                              std::size_t{list.pages} * config::kPageBytes);
  }
  return sum_of(saved, list_bytes(count));
}

bool Memory::restore_l3() {
  const LockGuard guard(*port_);
  enter();
  note_upkeep(Upkeep::restore_l3);
  if (l3_heap() == nullptr || calling_core() != kPrimaryCore ||
      l3_.slot->heap->stats().live_blocks != 0 || saved_list_.pages != 0) {
    return false;
  }
  SavedHeader header;
  std::memcpy(&header, l3_header(), sizeof header);
  const Span list{header.first_page, list_pages(header.blocks)};
  if (header.magic != kMagic || header.sum != sum_of(header) ||
      header.page_bytes != config::kPageBytes || header.granule_bytes != config::kGranuleBytes ||
      header.pool_pages != l3_.pool.frames() || list.first > header.pool_pages ||
      list.pages > header.pool_pages - list.first) {
    return false;
  }
  if (list.pages != 0 && !map_list(list)) {
    return false;
  }
  saved_list_ = list;
  const auto* saved = reinterpret_cast<const SavedBlock*>(l3_.space.address_of(list.first));
  std::uint32_t done = 0;
  bool good = header.list_sum == sum_of(saved, list_bytes(header.blocks));
  while (good && done < header.blocks) {
    good = bring_back(saved[done].site, saved[done].place, saved[done].room, saved[done].bytes,
                      saved[done].alignment_log2);
    done += good ? 1 : 0;
  }
  while (!good && done > 0) {
    free_locked(block_of(records_[system_->newest]), nullptr);
    --done;
  }
  drop_saved_list();
  if (good) {
    // Used up: a power cycle without another save brings nothing back.
    std::memset(l3_header(), 0, sizeof header);
    l3_.port->cache_writeback(l3_header(), align_up(sizeof header, config_.cache_line_bytes));
  }
  verify();
  return good;
}

// Claims the place of one block again and notes it as the system's.
bool Memory::bring_back(const Site& site, std::uint32_t place, std::uint32_t room,
                        std::uint32_t bytes, std::uint32_t alignment_log2) {
  const std::size_t places = std::size_t{l3_.space.window_pages()} * Record::kPlacesPerPage;
  if (place >= places || bytes == 0 || bytes > room || alignment_log2 >= 32 ||
      !records_.reserve(l3_.slot->records, 1)) {
    return false;
  }
  std::byte* block = l3_.space.address_of(0) + std::size_t{place} * Record::kPlaceBytes;
  bool claimed = l3_.slot->elastic.allocate_at(block, room);
  if (claimed && hand_out(block, bytes, std::size_t{1} << alignment_log2) == nullptr) {
    l3_.slot->heap->free(block);
    claimed = false;
  }
  if (claimed) {
    const Route route{.slot = l3_.slot, .alignment = std::size_t{1} << alignment_log2};
    commit({.bytes = bytes, .site = site}, route, block, bytes);
  }
  records_.trim(l3_.slot->records);
  return claimed;
}

}  // namespace modmem
