// SharedCopies: one copy in SRAM of read-only data elsewhere, shared by all who need it.
//
// Coefficients, filters and models lie in external memory, which is too slow to work from. The
// first get() of a source address copies it; further ones get the same copy, and the last put()
// frees it. What a module gets through its ModuleMemory goes back with the module.
//
// The owner of the copies may be a domain whose heap is readable (HeapSpec): then nobody but the
// library writes to them.
//
// A copy is a block of whole cache lines, written back when it is made, and invalidated in the
// cache of each core that gets it, so that no core reads what lay there before. Its entry lies in
// kernel memory that is reached past the caches: no module can write it, and all cores see the
// same. Both are charged to the owner given.
//
// Invariants (check()): no two entries have the same source or the same copy; references > 0.
// Cost: get() and put() O(copies) plus cache maintenance of the copy; the first get() also
// allocates and copies, the last put() also frees.
// Calling context: any thread and core; not the audio path, not an interrupt. The list is guarded
// by the port's lock, which is Memory's and not recursive: it is held only while the list is looked
// at, never across a call of Memory. So two first get() of a source may both make a copy; the
// second then finds the first one's, takes that and frees its own.
#pragma once

#include <cstddef>
#include <cstdint>

#include "memory/memory.hpp"
#include "module/module_memory.hpp"

namespace modmem {

enum class CopyStatus : std::uint8_t {
  good,
  invalid,     // no source, or no bytes
  other_size,  // the source is known with another size
  no_memory,
};

// What get() gives: a copy exactly when the status is `good`.
struct CopyResult {
  const void* copy = nullptr;
  CopyStatus status = CopyStatus::good;
  std::size_t known_bytes = 0;  // other_size: the size that is known
};

class SharedCopies {
 public:
  // Copies in blocks of `memory`, charged to `owner` (nullptr: the system). Both must outlive it.
  explicit SharedCopies(Memory& memory, Owner* owner = nullptr) : memory_(memory), owner_(owner) {}
  ~SharedCopies() { close(); }
  SharedCopies(const SharedCopies&) = delete;
  SharedCopies& operator=(const SharedCopies&) = delete;

  // A reference to the copy of the `bytes` at `source`, which do not change while it lives. Fails,
  // with nothing changed, as CopyStatus says.
  CopyResult get(const void* source, std::size_t bytes, Site site = MODMEM_HERE) {
    return get(source, bytes, 0, site);
  }

  // Drops a reference to `copy`; the last one frees it. nullptr: nothing happens, and `live` is
  // returned. What is not the start of a live copy changes nothing; returns `interior` where it
  // lies inside of one, else `foreign`: the fault is the caller's to report.
  PointerStatus put(const void* copy);

  // The same for a module: the reference is the module's, and returned when the module ends; one
  // still held then is reported as a leak of the copy's bytes, from `site`. The module must end
  // before the copies do. O(resources of the module) besides. put() returns `foreign` also where
  // others hold the copy but this module does not. That memory ran out is not explained to Memory's
  // observer, who would be told of the copies' owner, not of the module.
  CopyResult get(ModuleMemory& module, const void* source, std::size_t bytes,
                 Site site = MODMEM_HERE);
  PointerStatus put(ModuleMemory& module, const void* copy);

  // Frees all copies, whoever holds references: each is reported to Memory's observer as a leak,
  // from the first get(). Returns how many there were. No other call may run.
  std::size_t close();

  std::size_t copies() const;
  // References to the copy of `source`, 0 where there is none.
  std::size_t references(const void* source) const;
  bool check() const;

 private:
  struct Entry {
    const void* source = nullptr;
    std::byte* copy = nullptr;
    std::size_t bytes = 0;
    std::size_t references = 0;
    Site site;  // of the first get()
    Entry* next = nullptr;
  };
  class Reference;

  Port& port() const { return memory_.space().port(); }
  const Owner& owner() const { return owner_ != nullptr ? *owner_ : memory_.system(); }
  std::size_t whole_lines(std::size_t bytes) const;
  Entry* find(const void* source) const;
  static CopyResult refer(Entry& entry, std::size_t bytes);
  CopyResult hand_out(const CopyResult& referred);
  CopyResult get(const void* source, std::size_t bytes, Flags silence, Site site);
  Entry* make(const void* source, std::size_t bytes, Flags silence, Site site);
  void end(Entry& entry);

  Memory& memory_;
  Owner* owner_;
  Entry* first_ = nullptr;
};

}  // namespace modmem
