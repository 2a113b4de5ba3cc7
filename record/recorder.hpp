// Recorder: writes down what happens to memory, for those who look at it later.
//
// Memory tells it of each call that changes something (Memory::set_recorder()), RecordedPort of
// pages and banks, the integrator of pipelines and periods. Events go into the ring of the core
// they happen on (record/event.hpp says how they look). What is written is enough to make the same
// calls again.
//
// All functions but ring(), cores() and lost() are called under Memory's lock, and neither lock nor
// allocate. Cost: O(slots of the event), and O(length) for names.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "record/event.hpp"
#include "record/event_ring.hpp"

namespace modmem {

class Port;

// Who empties a ring that is full, so that nothing is lost: on hosts.
class RingSpill {
 public:
  // The ring of `core` has too little room. Called under Memory's lock; must not call Memory.
  virtual void on_full(std::uint32_t core) = 0;

 protected:
  ~RingSpill() = default;
};

class Recorder {
 public:
  static constexpr std::uint32_t kMostCores = 16;
  static constexpr std::size_t kMostText = 255;  // characters of a name that are kept

  // An owner, as create_owner() is asked for it.
  struct OwnerNote {
    std::uint16_t owner = event::kNone;  // none: it was refused
    std::uint16_t parent = event::kNone;
    std::uint8_t kind = 0;
    std::uint32_t id = 0;
    std::uint8_t core = 0;
    std::uint64_t limit = 0;
    std::uint64_t guarantee = 0;
    std::uint8_t heap_kind = 0;
    bool grows = false;
    bool contiguous = false;
    std::uint64_t heap_bytes = 0;
    std::uint32_t frame_limit = 0;
    std::uint32_t retained_pages = 0;
    std::uint32_t retained_us = 0;
    // Of plans only.
    bool created = false;
    std::uint16_t accounts = 0;
    std::uint16_t heaps = 0;
  };

  struct FailNote {
    std::uint8_t reason = 0;
    std::uint32_t flags = 0;  // all of them
    std::uint64_t bytes = 0;
    std::uint64_t largest = 0;  // request that would have been served
  };

  struct NeedNote {
    std::uint64_t bytes = 0;
    std::uint64_t largest = 0;
    std::uint32_t blocks = 0;
    std::uint32_t flags = 0;
    std::uint8_t alignment = 0;  // as a code
    bool apart = false;
  };

  // One ring for each of `cores` cores, in equal parts of `slots`: as many in each as a power of
  // two, kLeastSlots or more. Returns false, with nothing changed, exactly when there are too few
  // slots or too many cores. `port` tells time and core. All must outlive it.
  bool open(std::span<EventSlot> slots, std::uint32_t cores, const Port& port,
            RingSpill* spill = nullptr);
  static constexpr std::uint32_t kLeastSlots = 64;

  EventRing& ring(std::uint32_t core) { return rings_[core]; }
  std::uint32_t cores() const { return cores_; }
  std::uint64_t lost() const;

  // --- blocks ---

  void allocate(std::uint16_t owner, std::uint16_t site, std::uint8_t alignment,
                const event::Block& block);
  void free(std::uint16_t owner, const event::Block& block);
  void resize(std::uint16_t owner, std::uint16_t site, std::uint8_t alignment,
              const event::Block& block, const event::Block& before);
  void range(std::uint16_t owner, std::uint16_t site, std::uint8_t alignment,
             const event::Block& block, std::uint32_t least, std::uint32_t preferred,
             std::uint32_t step);
  void fail(std::uint16_t owner, std::uint16_t site, std::uint8_t alignment, const FailNote& note);

  // --- owners and plans ---

  void owner_begin(const OwnerNote& note, const char* name);
  void owner_limit(std::uint16_t owner, std::uint64_t limit, bool in_frames);
  void owner_end(std::uint16_t owner, OwnerEnd how);
  void bundle(std::uint64_t bytes, std::uint32_t count);
  void plan_entry(const OwnerNote& note, const char* name);
  void plan_need(const NeedNote& need);
  void plan_end(bool admitted);

  // --- all else ---

  void upkeep(Upkeep what, std::uint16_t owner = event::kNone, std::uint32_t first = 0,
              std::uint32_t second = 0, bool flag = false);
  void map(std::uint16_t page, std::uint16_t frame, std::uint8_t memory);
  void unmap(std::uint16_t page, std::uint8_t memory);
  void bank(std::uint16_t bank, bool on, std::uint8_t memory);

  // What pipelines do, as numbers of the integrator's own; a period of audio has passed.
  void pipeline(std::uint32_t id, std::uint32_t state);
  void period(std::uint64_t number);

  // Call sites have numbers, from 0 on; their names are told before the first use.
  std::uint16_t sites() const { return sites_; }
  // Names the next site, or, `unknown`, the one of the next event, which has no number. `where` is
  // a file's name with a line, else an address of code.
  void site_name(const void* where, std::uint32_t line, bool unknown = false);
  // Names the next site by a text alone.
  void site_text(const char* text);

 private:
  struct Clock {
    std::uint64_t time = 0;  // of the last event
    bool anchored = false;
  };

  void put(std::span<EventSlot> event);
  void put_name(EventKind kind, std::uint16_t number, std::uint32_t line, const char* text);
  void put_owner(EventKind kind, const OwnerNote& note);
  bool write(std::uint32_t core, std::span<const EventSlot> event);
  bool write_anchored(std::uint32_t core, std::uint64_t time, std::uint64_t number,
                      std::span<const EventSlot> event);

  const Port* port_ = nullptr;
  RingSpill* spill_ = nullptr;
  std::uint32_t cores_ = 0;
  std::uint32_t last_core_ = kMostCores;
  std::uint64_t events_ = 0;
  std::uint16_t sites_ = 0;
  std::array<EventRing, kMostCores> rings_;
  std::array<Clock, kMostCores> clocks_{};
};

}  // namespace modmem
