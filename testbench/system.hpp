// System: a simulated DSP with modmem booted on it, and what it has to say.
//
// Holds the host port, the metadata arena and the Memory, collects failures, faults and leaks as
// they are reported, and has stray accesses to simulated memory reported with heap and owner.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "memory/memory.hpp"
#include "port/host/fault_report.hpp"
#include "port/host/host_port.hpp"
#include "testbench/admission.hpp"
#include "testbench/core_turns.hpp"
#include "testbench/fence.hpp"
#include "testbench/modules/module_call.hpp"

namespace modmem::testbench {

// A failure with copies of all names: owners may be gone when it is reported.
struct FailureNote {
  struct TopOwner {
    std::string name;
    std::uint32_t id = 0;
    std::size_t bytes = 0;
  };
  std::string owner;
  std::uint32_t owner_id = 0;
  Failure figures;
  std::string guarantee;  // its arithmetic, where it is about guarantees
  std::vector<TopOwner> top_owners;
};

struct LeakNote {
  std::string owner;
  std::uint32_t owner_id = 0;
  std::size_t bytes = 0;
  std::size_t alignment = 0;
  std::string site;
};

struct FaultNote {
  std::string heap;
  std::string owner;
  std::uint32_t owner_id = 0;
  PointerStatus status = PointerStatus::live;
  FaultKind kind = FaultKind::pointer;
  std::size_t bytes = 0;  // of the block, where it is known
  // What hardening found: "overrun: 4 bytes behind a block of ...", and what to do about it; empty
  // where a wrong pointer was given back. Where the block was taken and freed, if that is known.
  std::string damage;
  std::string advice;
  std::string taken_at;
  std::string freed_at;
  ModulePlace place;     // who was at work
  std::string function;  // that a loaded module had called, and where; "" where it was none
  std::string site;
};

std::string to_text(const GuaranteeFigures& figures);
// "12,288 B missing: asked ..."
std::string to_text(const Shortage& shortage);

// The preset called `name`. Throws InputError, which lists the names there are, where there is
// none.
const PlatformConfig& find_platform(const std::string& name);

// The policy called `name`. Throws InputError, which lists the names there are, where there is
// none.
const Policy& find_policy_named(const std::string& name);

// The settings of the hardening level called so, of `standard` where nothing is said and nothing
// higher is configured. `traced`: for a run that is traced, which a replay, that is not hardened,
// is to find with each block in the same place. Throws InputError where there is no such level,
// which lists those that there are, or where it moves blocks and the run is traced.
HardeningSettings find_hardening_named(const std::optional<std::string>& name, bool traced);

// The preset that a topology file belongs to by its name, as docs/platforms.md lists them.
const PlatformConfig& platform_of_topology(const std::string& file_name);

class CoherenceCheck;
class Injector;
class RunTrace;
class TraceRecorder;

class System final : private MemoryObserver {
 public:
  // Boots. Throws InputError where the configuration does not hold or its heaps do not fit.
  // `recorder`, which must outlive it, writes down what is allocated; where `trace` names a
  // directory, all that happens to memory is traced there (docs/tracing.md). Throws TraceError
  // where that can't be written. `injector`, which must outlive it, has something fail;
  // `coherence`, likewise, has its cores work through caches that are not coherent, in turns.
  System(const PlatformConfig& config, const Policy& policy, TraceRecorder* recorder = nullptr,
         const std::optional<std::filesystem::path>& trace = std::nullopt,
         Injector* injector = nullptr, CoherenceCheck* coherence = nullptr,
         const HardeningSettings& hardening = kHardeningNone);
  ~System();
  System(const System&) = delete;
  System& operator=(const System&) = delete;

  // Reports as leaks what is still held, and gives every frame back. Nothing may be asked of the
  // memory afterwards. Does nothing the second time.
  void shut_down();

  Memory& memory() { return memory_; }
  const Memory& memory() const { return memory_; }
  HostPort& port() { return port_; }

  // The time that the port tells, which starts at 0, goes on, to the end of a period.
  void pass_time(std::uint64_t time_us);

  // Whose turns the cores take; nullptr where they all run at the same time.
  CoreTurns* turns();

  // The trace, nullptr where there is none.
  RunTrace* trace() { return trace_.get(); }
  // Shuts down and completes the trace, if there is one. Throws TraceError where it can't be
  // written. Once.
  void finish_trace();

  // From now on sessions have a domain for each module and each buffer, and modules that reach for
  // what is not theirs are removed.
  void isolate();
  // nullptr where that was not asked for.
  Fence* fence() { return fence_ ? &*fence_ : nullptr; }
  const Fence* fence() const { return fence_ ? &*fence_ : nullptr; }

  // Writes what lies at `address`, and what an access there meets, into `text` (`size` bytes,
  // ending included). Neither locks nor allocates: for signal handlers.
  void describe(const void* address, char* text, std::size_t size) const;

  // Bytes that were mapped when boot() had finished.
  std::size_t boot_mapped_bytes() const { return boot_mapped_bytes_; }
  std::size_t mapped_bytes() const;

  // Writes what lies at the address into `text`; nothing of one that is in none of its memories.
  // Takes no lock.
  static void describe_access(const void* system, const void* address, char* text,
                              std::size_t size);

  // What parts of pipelines took when they were set up, and what became of admissions.
  NeedsBook& needs() { return needs_; }
  AdmissionFigures& admissions() { return admissions_; }
  const AdmissionFigures& admissions() const { return admissions_; }

  const std::optional<FailureNote>& first_failure() const { return first_failure_; }
  const std::vector<LeakNote>& leaks() const { return leaks_; }
  const std::vector<FaultNote>& faults() const { return faults_; }

  // Looks for damage that nothing has found yet, in blocks that live and in those that wait, and
  // has the latter wait no longer: before it is asked what there is.
  void look_for_damage();

 private:
  void on_failure(const Failure& failure) override;
  void on_fault(const Fault& fault) override;
  void on_damage(const Fault& damage) override;
  void on_leak(const Leak& leak) override;
  bool on_request(const Request& request) override;
  void note(const Fault& fault, const char* damage);

  HostPort port_;
  std::unique_ptr<RunTrace> trace_;
  std::uint64_t time_us_ = 0;
  std::vector<std::byte> arena_;
  std::span<std::byte> guarded_arena_;  // the whole pages of it that the library has
  Hardening hardening_;
  Memory memory_;
  std::optional<FaultReporter> fault_reporter_;
  std::optional<Fence> fence_;
  std::size_t boot_mapped_bytes_ = 0;
  bool shut_down_ = false;
  std::optional<FailureNote> first_failure_;
  std::vector<LeakNote> leaks_;
  std::vector<FaultNote> faults_;
  std::mutex damage_mutex_;  // damage is told of without Memory's lock
  TraceRecorder* recorder_ = nullptr;
  Injector* injector_ = nullptr;
  CoherenceCheck* coherence_ = nullptr;
  NeedsBook needs_;
  AdmissionFigures admissions_;
};

}  // namespace modmem::testbench
