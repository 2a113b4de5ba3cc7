// Memory: owners, heaps and the policy between them.
//
// A request says what the memory is for (flags), how much, who for (owner) and where from (site);
// the policy says which heap serves it, how it is rounded and through which alias it is reached. On
// free the pointer alone finds its heap, block and owner in O(1), through either alias, from any
// core.
//
// Every block has a record, every heap's pages an account; both lie in metadata pages of their own.
//
// Invariants (check()):
//   frames taken = sum over heaps of mapped pages + metadata pages
//   sum over heaps of live bytes = sum over owners of own bytes = the system's tree
//   live bytes of a heap = sum of the bytes of the records of blocks on it
// Calling context: any thread and core (the port's lock is held inside); not an interrupt, and not
// the audio path: calls from there are served, and counted in audio_path_calls().
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

#include "memory/failure.hpp"
#include "memory/hardening.hpp"
#include "memory/heap_slot.hpp"
#include "memory/intent.hpp"
#include "memory/internal.hpp"
#include "memory/l3_image.hpp"
#include "memory/owner.hpp"
#include "memory/plan.hpp"
#include "memory/policy.hpp"
#include "memory/record.hpp"
#include "memory/reports.hpp"
#include "memory/site_table.hpp"
#include "page/address_space.hpp"
#include "page/metadata_heap.hpp"
#include "page/metadata_store.hpp"
#include "page/page_pool.hpp"
#include "port/port.hpp"
#include "record/recorder.hpp"

namespace modmem {

// What a caller wants.
struct Request {
  Owner* owner = nullptr;  // nullptr: the system
  std::size_t bytes = 0;
  std::size_t alignment = 0;  // a power of two; 0: natural, the granule
  Flags flags = 0;
  Site site;
};

// What became of a reference to a region.
enum class RegionPut : std::uint8_t {
  dropped,  // others are left
  last,     // the region has ended
  refused,  // nothing changed: all references that are left are held ones
};

class Memory {
 public:
  Memory() = default;
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;

  // Bytes of arena that boot() needs for this platform. O(1).
  static std::size_t arena_bytes(const PlatformConfig& config, Port& port);

  // Brings the system up: the pool, the system's owner and the heaps of the policy. `arena`
  // (aligned to MetadataArena::kAlignment), `port`, `policy` and `observer` (may be nullptr) must
  // outlive it. Returns false, with the pool untouched, exactly when the configuration is invalid
  // (see config_error()), the arena is too small or the policy's heaps do not fit. Once, from one
  // thread.
  bool boot(const PlatformConfig& config, const Policy& policy, Port& port,
            MemoryObserver* observer, std::span<std::byte> arena);

  // Has `recorder`, which must outlive it, told of all calls that change something; pages and banks
  // are its RecordedPort's. Before boot().
  void set_recorder(Recorder& recorder) { recorder_ = &recorder; }

  // Has it hardened by `hardening`, which is this Memory's alone and must outlive it. Before
  // boot(). Not where the port has a view of blocks: what that shows to checkers of memory is
  // exact.
  void set_hardening(Hardening& hardening) { hardening_ = &hardening; }

  // Has all of its memory writable again, where it was not (hardening): before that is taken away
  // without shutdown(), as where power is lost. No call of Memory may follow.
  void abandon();

  // Ends all owners, reporting what they still hold as leaks, and gives every frame back. Returns
  // the number of leaks.
  std::size_t shutdown();

  // Why boot() would refuse `config`, nullptr where it would not.
  static const char* config_error(const PlatformConfig& config);

  // --- owners ---

  Owner& system() { return *system_; }
  const Owner& system() const { return *system_; }

  // A new account under `parent`, with the heap that `heap` asks for, or else with one where the
  // policy gives its kind one and `parent` is neither below a private heap nor a module. nullptr,
  // with nothing changed, exactly when metadata, heaps, frames or address space are exhausted, the
  // guarantee can't be kept or would pass a limit, a region or heap of slots can't be as it is
  // asked for (Region::open(), SlotHeap::open()), or the platform has no such core; that is
  // explained to the observer.
  Owner* create_owner(Owner& parent, const OwnerSpec& spec, const HeapSpec& heap = {});

  // --- admission ---

  // Whether admit() would succeed now; `shortage` says what is missing. Changes nothing, explains
  // nothing. O(entries * (owners + reservations) + needs * pages).
  bool can_admit(std::span<const PlanEntry> plan, Shortage* shortage = nullptr) const;

  // Reserves what all entries of the plan need, and creates the owners that it says. Afterwards
  // every request of the plan succeeds, whatever other owners do: those served by elastic heaps of
  // the SRAM, as far as an MMU maps frames that lie apart. Others are checked as they would be now.
  // Returns false, with nothing changed, exactly when memory, a limit, or metadata does not
  // suffice; that is explained to the observer and in `shortage`. An owner has one reservation:
  // admitted again, the new one takes the old one's place.
  bool admit(Plan plan, Shortage* shortage = nullptr);

  // Ends what admit() reserved for the owner and it has not used; nothing where there is none.
  void return_unused(Owner& owner);

  // Frames that are reserved for the owner and not used yet.
  std::uint32_t reserved_frames(const Owner& owner) const;

  // --- pre-mapping (memory_premap.cpp) ---

  // For owners that allocate while audio runs: has `pages` pages of the owner's own heap mapped and
  // empty, on powered banks, and room for the records of `blocks` blocks, from now on. allocate()
  // then maps nothing, unmaps nothing and powers no bank, as long as records are left and holes,
  // ready pages or other empty ones have a place for the block, single or in one piece: what is
  // mapped by one call lies in one run of addresses. Pages and records that come free serve again,
  // up to these numbers, and free() unmaps nothing for them; what is beyond goes as ever. Requests
  // count that this heap serves, of the owner and those below it; allocate_range(), reallocate()
  // and largest_request() may map. The heap borrows no hole as long as a page is ready, and lends
  // none. The frames are held by the heap, within its limit, guarantee and reservation; limits in
  // bytes count blocks alone. compact() may move them, trim() leaves them. The system's: the heap
  // of the calling core.
  // A later call has other numbers take their place; 0 and 0 give back what is unused, as does the
  // owner's end. Returns false, with nothing changed, exactly when the owner has no elastic heap of
  // its own, or frames that others may not have, one run of them or of addresses, or metadata are
  // not to be had, or a limit would be passed; that is explained to the observer.
  // O(window pages / 64 + pages of the heap + blocks), plus mapping. Allocating in such a heap
  // where no mapped page has a hole: O(window pages / 64 + pages of the heap).
  bool premap(Owner& owner, std::uint32_t pages, std::uint32_t blocks);
  // With room for blocks of a KiB on average, as guarantees have.
  bool premap(Owner& owner, std::uint32_t pages) {
    return premap(owner, pages, pages * kBlocksPerPage);
  }
  static constexpr std::uint32_t kBlocksPerPage = config::kPageBytes / 1024;

  // Whether an owner lives at that address, which may be any: for those who are given owners by
  // others, and may be given one that has ended. O(pages of owners).
  bool is_owner(const Owner* owner) const;

  // Most bytes that the owner and its descendants may hold from now on. Returns false, with the
  // limit as before, exactly when they hold more.
  bool set_limit(Owner& owner, std::size_t limit);

  // Most frames that the owner's own heap may hold from now on. Returns false, with the limit as
  // before, exactly when it holds or is guaranteed more. Requires that it has a heap of its own.
  bool set_frame_limit(Owner& owner, std::uint32_t frames);

  // Tells the observer of something that outlived its owner and is no block: for those who hold
  // other things than blocks.
  void report_leak(const Leak& leak);

  // Ends the owner and its descendants. Blocks that they still hold are reported as leaks and
  // released; an owner's heap is released in O(pages). Returns the number of leaks. What the
  // calling core's cache has of them is dropped; other cores, also those of the heaps, clean their
  // own before.
  std::size_t destroy_owner(Owner& owner);

  // The same where the owner and its descendants hold nothing. Returns false, with nothing changed,
  // where they do.
  bool destroy_empty_owner(Owner& owner);

  // Ends the owner, its descendants and all that they hold, which is no leak: for owners whose end
  // ends what is theirs. Caches are as for destroy_owner(). O(pages of its heap), plus O(blocks)
  // for what lies in other heaps and for owners without a heap.
  void release_owner(Owner& owner);

  // Ends all blocks of the owner itself, newest first, without calling that a leak. Returns how
  // many.
  std::size_t release_all(Owner& owner);

  // --- regions: owners with a heap of kind `region`, which begin with one reference ---

  // `held`: a reference of the library's own, for somebody who works in the region.
  void get_region(Owner& region, bool held = false);
  // One reference less. The last one ends the region and all that lives in it, which is no leak,
  // and the owner. Refused exactly where all references that are left are held ones, and this is
  // none.
  RegionPut put_region(Owner& region, bool held = false);
  // Ends lifetime mode: see Region::set_interim().
  void set_interim(Owner& region);
  RegionInfo region_info(const Owner& region) const;
  // Where the region lies: its first byte, cached alias.
  std::byte* region_base(const Owner& region) const;

  // Figures of the owner's own heap; of none where it has none.
  HeapReport heap_report(const Owner& owner) const;

  // --- domains (memory_domains.cpp) ---

  // An owner that was created with an isolated heap is a domain: what lies in that heap can be
  // accessed while the owner is entered, by whoever runs then, and at other times by nobody but the
  // library, which zeroes, copies and moves blocks for their owner at any time. Everybody else's
  // access ends in the platform's fault, which locate() explains. What lies in other heaps is open
  // in between as well. One domain is entered at a time, for all cores.
  //
  // A domain can be granted what lies in the heap of another one, to read or to write as well: what
  // two of them share, as a buffer, or what several of them read, as a table, is a domain that each
  // of them is granted. Whatever comes to lie there later is a part of it. What is for all to read
  // needs no grants: all read, at any time, what lies in a domain whose heap is readable
  // (HeapSpec).
  //
  // Enters `domain`, nullptr: none, in place of the one that was entered, which is returned
  // (nullptr: none): given back, calls may nest. An owner that is no domain, or has ended, counts
  // as none. O(heaps + grants + window pages / 64 + mapped pages), and a call of Port::set_access()
  // for each page that one of the two domains reaches and the other does not. What is closed is
  // closed before anything is opened.
  Owner* enter_domain(Owner* domain);
  Owner* entered_domain() const;

  // Has `domain` reach what lies in the heap of `of`, another one, while it is entered: from this
  // very moment where it is. Access::closed takes a grant back. A grant ends with either of the
  // two. Returns false, with nothing changed, exactly when one of them is no domain, they are the
  // same, or metadata is exhausted. Requires that what is granted is ready: its content is the
  // domain's to see from now on. Cost as of enter_domain().
  bool grant(const Owner& domain, const Owner& of, Access access);
  void revoke(const Owner& domain, const Owner& of) { grant(domain, of, Access::closed); }

  // What `domain`, while it is entered, may do with what lies in the heap of `of`: everything where
  // they are the same or that heap is open to all, at least read it where that is readable
  // (HeapSpec). O(grants).
  Access access(const Owner& domain, const Owner& of) const;

  // Copies the `bytes` at `source`, which whoever runs can read, to `block`, whether that is open
  // to him or not, and writes the lines back. Requires a cached block of SRAM of at least so many
  // bytes, in lines of its own. O(bytes); copies under the lock where there are domains.
  void copy_to(void* block, const void* source, std::size_t bytes);
  // Drops what the calling core's cache has of such a block. O(lines).
  void invalidate(void* block, std::size_t bytes);

  // --- blocks ---

  // A block for the request. nullptr exactly when bytes is 0, the alignment is no power of two, the
  // owner is none (is_owner()), bytes + alignment overflows, a limit of the owner or of an ancestor
  // would be passed, the flags ask for memory that the platform lacks, the observer refuses, or the
  // heap can't serve it; all but the first three are explained to the observer, but for kSilent
  // ones. Nothing is changed then but the failure counters. O(1) where a mapped page has room, else
  // O(pages).
  void* allocate(const Request& request);

  // The same, zeroed. O(bytes) besides.
  void* allocate_zeroed(const Request& request);

  // A block of between request.bytes and `preferred` bytes, as large as fits while the headroom
  // stays free for others; above the minimum a multiple of `step`. Fails as allocate() does.
  Range allocate_range(const Request& request, std::size_t preferred, std::size_t step = 1);

  // Makes the block at `pointer` request.bytes long: in place where possible, else moved, with its
  // content up to the shorter of both sizes unless kNoCopy. The block keeps its owner; size, site
  // and alias are the request's.
  // pointer nullptr: allocates. Returns nullptr, with the block as it was, exactly when bytes is 0,
  // the pointer is no live block or a kept one (a fault), or memory runs out.
  void* reallocate(void* pointer, const Request& request);

  // Ends the block at `pointer`, of any heap, through either alias. nullptr: does nothing and
  // returns `live`. Where `owner` is given the block must be its; a
  // kept block's must be. What is not the start of a live
  // block changes nothing, is reported to the observer as a fault, and its status is returned.
  // What the calling core's cache has of the block is dropped; other cores clean their own before.
  // Where its heap is another core's and the block a cached one, it ends at once for its user, and
  // that core takes its memory back: drain().
  // `from` is where it is freed, for reports of what happens to it afterwards.
  // O(lines of the block), plus unmapping; hardened, O(bytes).
  PointerStatus free(void* pointer, const Owner* owner = nullptr, Site from = {});

  // Takes back the memory of at most `most` blocks in heaps of the calling core that other cores
  // ended. allocate(), free() and reallocate() do so by kDrainStep blocks, and in one go where a
  // request would fail; this is for cores that are idle, and gives pages back that metadata keeps
  // for the next call. Returns how many blocks are left. O(most + heaps), plus the lines of these
  // blocks and unmapping.
  std::size_t drain(std::uint32_t most);
  static constexpr std::uint32_t kDrainStep = 4;

  // What `pointer` is: `live` where free() would end a block. O(1); `interior` O(queued blocks).
  PointerStatus status(const void* pointer) const;

  // Whether a frame lies under the page that `address` stands in: of the window, of low-power SRAM
  // or of L3. O(1).
  bool is_mapped(const void* address) const;

  // Bytes that may be used at `pointer`; 0 where it is not the start of a live block. Where blocks
  // are watched, by a view or by guards, what was asked for.
  std::size_t usable_size(const void* pointer) const;

  // --- hardening (memory_hardening.cpp) ---

  // Looks at what guards live blocks, and at those that wait in quarantine, now: tells the observer
  // of each that was written to, and returns how many. Nothing where the level has neither. Not of
  // cached blocks of other cores. O(blocks + bytes that are watched).
  std::size_t check_blocks();

  // The memory of all blocks in quarantine is used again from now on, after a look at it. Requests
  // that would fail do so themselves. Returns how many there were. O(bytes of them).
  std::size_t empty_quarantine();
  // What is known of a block that was freed, starts at `pointer` and waits there: who took it, how
  // many bytes, and where it was taken and freed. `bytes` is 0 where none does. O(blocks there).
  Fault freed_block(const void* pointer) const;
  // Bytes that wait there, and blocks. They are no owner's, and their heaps hold them.
  std::size_t quarantined_bytes() const;
  std::size_t quarantined_blocks() const;

  // Bytes of the largest request that would succeed now for this owner, flags and alignment.
  std::size_t largest_request(const Request& request) const;

  // --- banks (memory_power.cpp) ---

  // Moves at most `budget` pages of SRAM to other frames, so that banks become empty and go off; no
  // pointer changes. See AddressSpace::compact(). Pinned blocks stay, and fixed arenas. Calls until
  // `more` is false reach the fewest banks that hold what is mapped and must not move. Requires
  // that no other core and no DMA accesses blocks that are not pinned meanwhile, and that no other
  // core's cache has dirty lines of them.
  Compaction compact(std::uint32_t budget);

  // Gives back what is kept for a time only and was kept for that long: empty pages of heaps, and
  // power of empty banks. compact() does so as well. O(heaps + banks), and O(spans / 64) for heaps
  // that keep pages.
  void trim();

  // Since boot. O(heaps).
  Energy energy() const;

  // Keeps the block at `pointer` in its frames, until unpin() was called as often: for what DMA or
  // another core accesses while compact() may be called. All pages that it touches stay, with what
  // else lies there. A pin ends with its block, however that ends; it follows one that is resized
  // where it stands, and does not hinder one from being moved by reallocate(). Returns false, with
  // nothing changed, exactly when that is no live block or metadata is exhausted. O(pins + pages of
  // the block); while there are pins, so is a free() in a pinned page, times the pins.
  bool pin(const void* pointer);

  // Returns false, with nothing changed, exactly when the block at `pointer` is not pinned.
  bool unpin(const void* pointer);

  // --- power cycles ---

  // Writes down, in L3 itself, what lives there, so that it outlives a power cycle of the DSP: the
  // blocks' places, sizes, call sites, and a sum of each one's content as it is now. Blocks that
  // come or go afterwards are not in it, and who writes to one saves anew. Power that fails
  // meanwhile leaves what was saved before. Returns false, with that still there as well, exactly
  // when the platform has no L3, the caller is not on the primary core, or L3 has too little room.
  // O(blocks + their bytes).
  bool save_l3();

  // Right after boot() in place of the boot before: brings back the blocks that save_l3() wrote
  // down, at their old addresses, with their content, charged to the system. One whose content is
  // not as it was saved is *damaged*: reported to the observer as a fault, with the owner that it
  // had and its call site; its place stays taken, filled with zeros, until free() or the next power
  // cycle without a save, its status() is `damaged`, and for all calls but these two it is no
  // block. Returns false, with nothing changed, exactly when nothing was saved, header or list of
  // what was saved are damaged, or of another firmware image, place or size of L3 (both a fault at
  // the header's address), the caller is not on the primary core, L3 is in use already, or metadata
  // has no room. Damage of one or two bits is always seen, other damage but for one time in 2^32.
  // O(blocks + their bytes).
  bool restore_l3();

  // --- looking at it ---

  const PlatformConfig& config() const { return config_; }
  const Policy& policy() const { return *policy_; }
  const PagePool& pool() const { return pool_; }
  const AddressSpace& space() const { return space_; }
  // Bytes of the arena and of the metadata pages that are mapped now.
  std::size_t metadata_bytes() const;
  // The same as it is on a target with 32-bit pointers, without what is only set aside.
  MetadataUse metadata_use() const;
  // Calls of allocating and freeing functions from the audio path so far.
  std::uint64_t audio_path_calls() const;
  // The owner as it is at one moment, while other threads may charge to it.
  Owner snapshot(const Owner& owner) const;

  // Calls visit(HeapReport) for every heap, metadata last. The sums over those in SRAM are the
  // pool's.
  template <typename Visit>
  void for_each_heap(Visit visit) const;

  // Which heap and owner an address belongs to, for fault reports. Takes no lock, so that a fault
  // handler can call it. The name is nullptr outside of all spans. Without an MMU a page that is
  // not mapped is a former one of the heap that had it last, as long as that lives.
  HeapReport locate(const void* address) const;
  // Likewise; `not_mapped` outside of all memories, but for the boot arena where it is read-only.
  PageState page_state(const void* address) const;

  // Checks the invariants: of the sums alone (cheap, O(heaps)), or everything (deep, O(blocks +
  // pages)). Builds with invariant checks do so after every call, accounts included.
  bool check(CheckDepth depth) const;

 private:
  static constexpr HeapId kMetadataHeap{0xfe};
  static constexpr std::uint32_t kMaxHeaps = internal::Sums::kMaxHeaps;
  static constexpr std::uint32_t kPrimaryCore = 0;
  static constexpr std::uint32_t kMaxCores = 16;

  static constexpr std::uint32_t kMaxPins = 1024;

  using Pin = internal::Pin;
  using Grant = internal::Grant;
  using Sums = internal::Sums;
  using Claim = internal::Claim;
  using Route = internal::Route;
  using Intent = internal::Intent;
  using Found = internal::Found;
  using Lines = ElasticHeap::Lines;

  bool set_up(MetadataArena& arena);
  bool set_up_policy();
  // What Kconfig leaves out is constant here, so that all that asks for it goes with it.
  bool has_side_memories() const { return config::kSideMemories; }
  HeapSlot* low_power_heap() const { return has_side_memories() ? low_power_.slot : nullptr; }
  HeapSlot* l3_heap() const { return has_side_memories() ? l3_.slot : nullptr; }
  std::uint32_t cores() const { return config::kMulticore ? config_.cores : 1; }
  std::uint32_t calling_core() const {
    return config::kMulticore ? port_->core_id() : kPrimaryCore;
  }
  BlockView* views() const { return config::kBlockViews ? views_ : nullptr; }
  Recorder* recorder() const { return config::kRecording ? recorder_ : nullptr; }
  bool has_core_heaps() const;
  bool open_core_heap(std::uint32_t core);
  HeapSlot* system_heap() const;
  // Whether the heap is one core's, and that is not the one that calls.
  bool is_of_another_core(const HeapSlot& slot) const {
    return cores() > 1 && slot.core != HeapSlot::kAnyCore && slot.core != calling_core();
  }
  HeapSlot* open_or(HeapKind kind, const char* name);
  bool set_up_low_power(MetadataArena& arena);
  bool set_up_l3();
  void close_l3();
  std::byte* l3_header(int half) const;
  SavedHeader new_header() const;
  int read_header(SavedHeader& header) const;
  void write_header(int half, const SavedHeader& header);
  void erase_header(int half);
  bool map_list(const Span& list);
  void drop_saved_list();
  internal::Lines lines_around(std::byte* block, std::size_t bytes) const;
  std::uint32_t write_list(const Span& list);
  bool bring_back(const SavedBlock* saved, std::uint32_t blocks);
  bool bring_back(const SavedBlock& saved, Owner*& damaged);
  bool take_in(const SavedBlock& saved, std::byte* block, Owner*& damaged);
  std::byte* saved_place(const SavedBlock& saved) const;
  bool is_damaged(const Record& record) const;
  void report_damage(const SavedBlock& saved);
  void refuse_image();
  bool open_side_heap(SideMemory& side, const char* name);
  bool open_engine(HeapSlot& slot, const HeapSpec& spec);
  bool open_slots(HeapSlot& slot, const HeapSpec& spec);
  bool open_region(HeapSlot& slot, const HeapSpec& spec);
  void close_engine(HeapSlot& slot);
  std::uint32_t fixed_arena_pages() const;
  static std::uint32_t metadata_share(std::uint32_t pages);
  void set_metadata_aside(const HeapSlot* slot) const;
  HeapSlot* add_heap();
  void remove_heap(HeapSlot& slot);
  HeapSlot& heap_at(HeapId id) const { return heaps_[heap_handles_[number(id)]]; }
  HeapSpec heap_of_role(HeapKind kind) const;
  HeapSlot* open_heap(const HeapSpec& spec, Owner& owner, const char* name, AddressSpace& space);
  void close_heap(HeapSlot& slot);
  static const Owner* keeper_of(const Owner& owner);
  Route route(const Request& request) const;
  Route route_opened(const Request& request);
  Intent intent_of(Flags flags, const Owner* keeper) const;
  Route rounded(const Request& request, const Intent& intent, HeapSlot* slot,
                bool for_all_cores) const;
  HeapSlot* place(Place place, const Owner& owner) const;
  bool may_borrow(const Owner& owner, std::size_t bytes, const Route& route) const;
  bool may_lend(const HeapSlot& slot, const Route& route) const;
  void* borrow(const Request& request, const Route& route);
  void* put(const Request& request, const Route& route, bool in_holes);
  bool is_tight(const HeapSlot& slot) const;
  std::size_t largest_to_borrow(const Owner& owner, const Route& route) const;
  HeapReport report(const HeapSlot& slot) const;
  HeapReport metadata_report() const;
  const AddressSpace& space_of(const void* pointer) const;
  const char* memory_name(const AddressSpace& space) const;
  HeapSlot* slot_of(const void* pointer) const;
  HeapSlot& own_heap(const Owner& owner) const;
  const void* in_window(const void* pointer) const;
  void watch(const AddressSpace& space, std::size_t pages, bool on);
  void watch_sram(bool on);
  void drop_lines(const HeapSlot& slot, std::byte* block, std::size_t kept) const;
  void take_back(std::byte* block, std::size_t bytes);
  bool resize_view(std::byte* block, std::size_t old_bytes, std::size_t bytes);
  std::byte* hand_out(std::byte* block, std::size_t bytes, std::size_t alignment);

  bool can_isolate(const OwnerSpec& spec, const HeapSpec& heap) const;
  HeapSlot* domain_heap(const Owner* owner) const;
  bool is_in_domain(const Owner& owner) const;
  template <typename Act>
  void reach(void* block, std::size_t bytes, const Act& act);
  void maintain(void* block, std::size_t bytes,
                void (Port::*what)(std::byte* address, std::size_t bytes));
  void zero(void* block, std::size_t bytes);
  Access access_locked(const Owner& domain, const HeapSlot& slot) const;
  std::uint16_t& link_to_grant(std::uint16_t domain, std::uint16_t of);
  void drop_grant(std::uint16_t& link);
  void end_domain(HeapSlot& slot);
  void settle_access();
  bool check_domains() const;
  bool check_grants() const;

  Owner& owner_of(const Request& request) const;
  bool lives(const Owner& owner) const;
  bool well_formed(const Request& request) const;
  void* allocate_locked(const Request& request);
  void* serve(const Request& request, const Route& route);
  bool resize_in_place(const Found& found, const Request& request, const Route& route);
  std::size_t largest_over_headroom(const Route& route) const;
  Range allocate_range_locked(const Request& request, std::size_t preferred, std::size_t step);
  void* commit(const Request& request, const Route& route, void* block, std::size_t bytes);
  std::size_t largest_for(const Owner& owner, const Route& route) const;
  void fail(const Request& request, const Route& route, FailureReason reason = FailureReason::none);
  bool is_refused(const Request& request) const;
  void fail_owner(Owner& parent, const OwnerSpec& spec, const HeapSpec& heap);
  void collect_top_owners(const Owner& owner, Failure& failure) const;
  void fault(const void* pointer, PointerStatus status, const Owner* owner);
  PointerStatus free_locked(void* pointer, const Owner* owner, const Site& from,
                            bool noted = false);
  static const Owner* guarantor_of(const Owner* owner);
  static std::uint32_t guaranteed_below(const Owner& owner);
  bool can_guarantee(const Owner* parent, std::size_t bytes, GuaranteeFigures& figures) const;
  bool begin_guarantee(HeapSlot& slot, const Owner& owner);
  void end_guarantee(HeapSlot& slot);
  bool is_served_by_own_heap(const Owner& parent, OwnerKind kind) const;
  bool passes_limit(const Owner& parent, const OwnerSpec& spec) const;
  // Admission (memory_plan.cpp)
  struct Sizes;
  bool check_plan(std::span<const PlanEntry> plan, Shortage& shortage) const;
  Sizes sizes_of(const PlanEntry& entry, Shortage& shortage) const;
  bool reserve(Owner& owner, const Sizes& sizes, std::uint32_t accounts);
  void undo_admission(Plan plan, std::uint32_t pages);
  void fail_plan(const PlanEntry& entry, const Shortage& shortage);
  bool has_new_heap(const PlanEntry& entry) const;
  HeapSpec heap_for(const Owner& parent, const OwnerSpec& spec, const HeapSpec& heap) const;
  HeapSlot* heap_to_premap(const Owner& owner) const;
  static bool is_premapped(const HeapSlot& slot);
  void drain_for(const Route& where) const;
  bool premap_locked(HeapSlot& slot, const Owner& owner, std::uint32_t pages, std::uint32_t blocks);
  void fail_premap(Owner& owner, const HeapSlot* slot, std::uint32_t pages, std::uint32_t blocks);
  Reservation* reservation_of(const Owner& owner) const;
  Reservation* reservation_for(const Owner& owner) const;
  void drop_reservation(const Owner& owner);
  bool promise(Reservation& reservation, const Reservation& terms);
  void end_promise(Reservation& reservation);
  void make_ready(HeapSlot* slot, const Owner& owner) const;
  void lend_frames(Reservation& reservation, HeapSlot& slot) const;
  void settle() const;
  std::uint32_t chunks_of_plan(std::uint32_t plan) const;
  void settle_chunks(Reservation& reservation) const;
  std::size_t sure_bytes(const Owner& owner) const;
  std::uint32_t promised_accounts(const Owner* parent) const;
  std::uint32_t pages_for_chunks(std::uint32_t chunks) const;
  void add_claim(const Owner& owner, Claim& above) const;
  Claim inner_claim(const Owner& owner, const Owner* without) const;
  std::size_t claim_of(const Owner& owner) const;
  std::size_t room_below_limits(const Owner& owner) const;
  void charge(Owner& owner, HeapSlot& slot, std::size_t bytes);
  void uncharge(Owner& owner, HeapSlot& slot, std::size_t bytes);
  bool is_outside(const Owner& owner, const HeapSlot& slot) const;
  static bool is_guest(const Owner& owner, const HeapSlot& slot);
  PointerStatus status_of(const void* pointer, Found* found = nullptr) const;
  PointerStatus status_for(const void* pointer, const Owner* owner, Found& found) const;
  Found find(const void* pointer) const;
  Found find(std::uint16_t handle) const;
  const AddressSpace& space_of(const Record& record) const;
  std::uint32_t number_of(const AddressSpace& space) const;
  std::uint32_t page_of(const Record& record) const;
  HeapSlot& heap_of(const Record& record) const;
  std::byte* block_of(const Record& record) const;
  void* handed_out(const Record& record, std::byte* block) const;
  void unlink_from_owner(const Record& record);
  void unlink_from_page(const Found& found) const;
  void drop_record(const Found& found);
  void end_block(const Found& found, const Site& from);
  static bool is_queued(const Record& record) { return record.owner == SlotStore::kNone; }
  HeapSlot* heir_of(const HeapSlot& slot) const;
  void queue(std::uint16_t handle, HeapSlot& slot);
  void link_queue(HeapSlot& slot);
  void unlink_queue(const HeapSlot& slot) const;
  std::uint16_t take_queued(HeapSlot& slot) const;
  std::uint32_t drain_locked(std::uint32_t most) const;
  void move_queue(HeapSlot& from, HeapSlot* to);
  bool check_queue(const HeapSlot& slot) const;
  std::size_t drop_blocks(Owner& owner, bool leaks, const HeapSlot* closing);
  HeapKind heap_kind_of(OwnerKind kind) const;
  std::uint8_t core_for(const Owner& parent, const OwnerSpec& spec) const;
  Owner* create_owner_locked(Owner& parent, const OwnerSpec& spec, const HeapSpec& heap);
  std::size_t destroy_tree(Owner& owner, HeapSlot* closing, bool leaks);
  std::size_t destroy_owner_locked(Owner& owner, bool own_leaks, bool others_leaks);
  void forget_blocks(Owner& owner, HeapSlot& closing);
  void drop_pages(const HeapSlot& slot) const;
  void unlink(Owner& owner);
  void end_owner(Owner& owner);

  // For the recorder, if there is one (memory_record.cpp)
  event::Block noted(const void* pointer, std::size_t bytes, Flags flags) const;
  std::uint16_t noted_site(const Site& site, const void* block);
  void note_allocation(const Request& request, const void* block);
  void note_range(const Request& request, const Range& range, std::size_t preferred,
                  std::size_t step);
  void note_resize(const Request& request, const void* block, const event::Block& before);
  void note_free(const Record& record, const void* block) const;
  void note_failure(const Owner& owner, const Failure& failure);
  void note_owner(const Owner* owner, const Owner& parent, const OwnerSpec& spec,
                  const HeapSpec& heap);
  void note_owner_end(const Owner& owner, OwnerEnd how) const;
  void note_limit(const Owner& owner, std::uint64_t limit, bool in_frames) const;
  void note_bundles(const HeapSpec& heap);
  void note_plan(Plan plan, bool admitted);
  void note_upkeep(Upkeep what, const Owner* owner = nullptr, std::uint32_t first = 0,
                   std::uint32_t second = 0, bool flag = false) const;

  // What each call that changes or looks at something is in.
  class Call {
   public:
    explicit Call(const Memory& memory) : memory_(memory) { memory.begin_call(); }
    ~Call() { memory_.end_call(); }
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;

   private:
    const Memory& memory_;
  };
  void begin_call() const {
    port_->lock();
    if (hardening() != nullptr && hardening()->is_read_only_) {
      set_metadata_writable(true);
    }
  }
  void end_call() const {
    if (hardening() != nullptr) {
      end_hardened_call();
    } else {
      port_->unlock();
    }
  }
  void end_hardened_call() const;
  void set_metadata_writable(bool writable) const;

  // Hardening (memory_hardening.cpp). All of these do nothing where there is none.
  Hardening* hardening() const { return config::kHardeningSupport ? hardening_ : nullptr; }
  bool has_guards() const { return hardening() != nullptr && hardening()->settings_.guard; }
  bool has_waiting() const { return hardening() != nullptr && hardening()->count_ != 0; }
  std::size_t guard_bytes(const HeapSlot* slot) const;
  void fill_guard(const Found& found) const;
  bool check_guard(const Found& found, const Owner* owner) const;
  void wipe(const Found& found) const;
  bool check_wiped(const Found& found, const Hardening::Waiting& block) const;
  bool quarantine(const Found& found, const Owner& owner, const Site& from);
  void release_waiting(std::uint32_t at) const;
  std::uint32_t release_all_waiting() const;
  void release_waiting_of(const Owner& owner) const;
  void release_waiting_in(const HeapSlot& slot) const;
  bool take_back_ended() const;
  std::size_t check_blocks_of(const Owner& owner) const;
  const Hardening::Waiting* waiting_at(const void* pointer) const;
  void note_damage(const Found& found, const Owner* owner, FaultKind kind, std::size_t offset,
                   std::size_t length, std::uint16_t freed_at) const;
  bool check_waiting() const;
  bool is_in_arena(const void* address) const;
  Lines lines_of(const HeapSlot& slot, std::byte* block) const;
  void sync_lines(const HeapSlot& slot, std::byte* begin, std::byte* end, bool drop) const;

  class Mover;
  void trim_locked();
  std::uint32_t place_of(const void* block) const;
  std::uint16_t find_pin(const void* block) const;
  void mark_pins(bool pinned);
  void settle_pins();

  void enter() const;
  void verify() const;
  bool check_locked(CheckDepth depth) const;
  bool check_accounts() const;
  bool check_owner(const Owner& owner, Sums& sums) const;
  bool check_guarantees(const Owner& owner) const;
  bool check_records(const Owner& owner) const;
  bool check_record_lists() const;
  static bool check_side(const SideMemory& side);

  PlatformConfig config_{};
  const Policy* policy_ = nullptr;
  Port* port_ = nullptr;
  BlockView* views_ = nullptr;  // the port's; nullptr where blocks are handed out as they are
  MemoryObserver* observer_ = nullptr;
  Recorder* recorder_ = nullptr;
  Hardening* hardening_ = nullptr;
  PagePool pool_;
  AddressSpace space_;
  SideMemory low_power_;
  SideMemory l3_;
  Span saved_list_;  // pages of L3 that hold the list of save_l3()
  mutable PageAccount metadata_account_;
  mutable PageAccount aside_account_;  // holds nothing: what is guaranteed to it is set aside
  std::uint32_t set_aside_ = 0;        // frames for the metadata of guaranteed blocks
  std::uint32_t guarantees_ = 0;       // owners that have one
  mutable MetadataHeap metadata_;
  SiteTable sites_;
  mutable MetadataStore<Reservation> reservations_;
  std::uint32_t admissions_ = 0;               // so far
  mutable std::uint32_t promised_chunks_ = 0;  // of metadata, by all reservations
  mutable std::uint32_t lent_chunks_ = 0;      // of these, those of who is served now
  mutable std::uint32_t chunks_before_ = 0;    // in use when they were lent
  std::uint16_t first_reservation_ = SlotStore::kNone;
  // What is lent to a heap while it serves who it is reserved for; the heap's guarantee without.
  mutable std::uint16_t lent_ = SlotStore::kNone;
  mutable HeapSlot* borrower_ = nullptr;
  mutable std::uint32_t borrower_guarantee_ = 0;
  mutable MetadataStore<PageDescriptor> descriptors_;
  mutable MetadataStore<Record> records_;
  MetadataStore<Owner> owners_;
  MetadataStore<HeapSlot> heaps_;
  std::uint16_t* heap_handles_ = nullptr;  // by heap number, kNone for those that there are not
  MetadataStore<SlotHeap> slot_heaps_;
  MetadataStore<Region> regions_;
  MetadataStore<Pin> pins_;
  MetadataStore<Grant> grants_;
  std::size_t arena_used_ = 0;
  Owner* system_ = nullptr;
  HeapSlot* system_heap_ = nullptr;                // that of the primary core, or the only one
  std::array<HeapSlot*, kMaxCores> core_heaps_{};  // the others', opened by their first request
  mutable std::array<std::uint16_t, kMaxCores> queues_{};  // first heap with queued blocks, by core
  HeapSlot* slots_heap_ = nullptr;  // the system's where the policy has none of its own
  HeapSlot* shared_heap_ = nullptr;
  std::uint16_t first_heap_ = SlotStore::kNone;  // in order of creation
  std::uint16_t first_pin_ = SlotStore::kNone;
  std::uint16_t first_grant_ = SlotStore::kNone;
  std::uint16_t domain_ = SlotStore::kNone;  // the owner that is entered
  // Isolated heaps; zero() reads it without the lock.
  std::atomic<std::uint16_t> domains_ = 0;
  std::uint64_t ended_frame_us_ = 0;
  mutable std::uint64_t audio_path_calls_ = 0;
};

template <>
inline constexpr std::size_t kTargetBytes<Memory> = 1448;
static_assert(sizeof(void*) != 4 || sizeof(Memory) <= kTargetBytes<Memory>);

template <typename Visit>
void Memory::for_each_heap(Visit visit) const {
  const LockGuard guard(*port_);
  for (std::uint16_t handle = first_heap_; handle != SlotStore::kNone;
       handle = heaps_[handle].next) {
    visit(report(heaps_[handle]));
  }
  visit(metadata_report());
}

}  // namespace modmem
