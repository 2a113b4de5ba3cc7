// Fence: modules work in domains of their own, and one that reaches for what is not its own is
// stopped there.
//
// A step of a module's runs in its domain: what is in the others can't be accessed meanwhile. An
// access that faults ends the step: the thread goes on behind it, and what happened is noted, with
// the address, whose that is, and where in the code it was. What the step had half done stays half
// done, and destructors of what it had on its stack do not run, so the module must not be called
// any more: all that it holds is in its domain, and goes with that.
//
// What the library notes, in its arena and in pages of the pool, can only be read meanwhile, but
// for the time in which the library holds its lock.
//
// One step runs at a time, as one domain is entered at a time: simulated cores take turns. Cost of
// a step: two calls of Memory::enter_domain(), and two system calls for the arena and each page of
// metadata.
#pragma once

#include <csetjmp>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "memory/memory.hpp"
#include "port/host/fault_report.hpp"
#include "port/posix/posix_port.hpp"
#include "testbench/modules/module_call.hpp"

namespace modmem::testbench {

class System;

// What a module reached for.
struct StrayNote {
  std::string module;
  std::uint32_t id = 0;        // of the component
  std::uint32_t pipeline = 0;  // its id
  std::uintptr_t address = 0;
  bool write = false;
  std::string place;  // "page closed, as its domain is not entered, in heap gain.2.1 of ..."
  std::string site;   // where in the code, of a loaded module where one is on the stack
  ModulePhase phase = ModulePhase::process;
};

class Fence final : private LockWatch {
 public:
  // Of Memory's pages that are no heap's.
  static constexpr HeapId kMetadata{0xfe};

  // `arena`: what the library notes in, whole pages of the host.
  Fence(System& system, std::span<std::byte> arena);
  ~Fence();
  Fence(const Fence&) = delete;
  Fence& operator=(const Fence&) = delete;

  Memory& memory() { return memory_; }

  // A domain called `name` below `parent`; nullptr where memory ran out. Both as of
  // Memory::create_owner().
  Owner* make_domain(Owner& parent, std::uint32_t id, const char* name) {
    return memory_.create_owner(parent, {.kind = OwnerKind::heap, .id = id, .name = name},
                                {.kind = HeapKind::elastic, .isolated = true});
  }

  // One that all others read, and nobody writes; of the system.
  Owner* make_readable(const char* name) {
    return memory_.create_owner(memory_.system(), {.kind = OwnerKind::heap, .name = name},
                                {.kind = HeapKind::elastic, .isolated = true, .readable = true});
  }

  // Ends a domain. What its modules hold through the C interface by nobody's name goes with it, and
  // is a leak like all that is left there, unless its module was `stopped`.
  void end_domain(Owner& domain, bool stopped = false);
  // Ends what is held through the C interface in the domain of a module that was stopped, without
  // a call of the module's. Before what lies there is ended otherwise.
  void abandon(const Owner& domain);

  // Does a step in `domain`. False where it was ended by an access that faulted: describe_last().
  // Throws what the step throws.
  template <typename Step>
  bool run(Owner& domain, const Step& step) {
    Entry entry(*this, domain);
    // An access that faults has no other way out.
    if (sigsetjmp(entry.jump, 0) != 0) {
      return false;
    }
    step();
    return true;
  }

  // What is to be said of the access that ended a step of the calling thread.
  static StrayNote describe_last(const OwnerSpec& module, std::uint32_t pipeline);

  // All that were noted, in order.
  void note(StrayNote stray) { strays_.push_back(std::move(stray)); }
  const std::vector<StrayNote>& strays() const { return strays_; }

  // For FaultReporter: ends the step that the calling thread is in, unless it is in none or the
  // library is in the middle of something.
  static void escape(void* fence, const StrayAccess& access);

 private:
  struct Entry {
    Entry(Fence& fence, Owner& domain);
    ~Entry();
    Entry(const Entry&) = delete;
    Entry& operator=(const Entry&) = delete;

    Fence& fence;
    Owner* domain_before = nullptr;
    Entry* entry_before;
    ModulePlace place_before;
    sigjmp_buf jump;
  };
  static thread_local Entry* innermost;

  void on_lock() override;
  void on_unlock() override;
  void set_guard(bool on);
  void protect(Access access);

  System& system_;
  Memory& memory_;
  std::span<std::byte> arena_;
  std::vector<std::uint32_t> guarded_pages_;  // of metadata
  bool guards_ = false;                       // a step runs
  std::vector<StrayNote> strays_;
};

}  // namespace modmem::testbench
