// What the threads of a stress run have in common: the Memory, and what goes between them.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "heap/object_pool.hpp"
#include "memory/memory.hpp"
#include "module/shared_copies.hpp"
#include "port/host/host_port.hpp"
#include "stress/block.hpp"

namespace modmem::stress {

// Mistakes that a run can be told to make, so that it is known to find them.
enum class Planted : std::uint8_t { none, overrun, free_twice, leak };

struct Counters {
  std::uint64_t operations = 0;
  std::uint64_t refused = 0;       // for want of memory
  std::uint64_t remote_frees = 0;  // of blocks that another core's thread took
  std::uint64_t owners_ended = 0;
  std::uint64_t ended_with_queue = 0;  // owners with a heap in which blocks waited for their core
  std::uint64_t regions_ended = 0;
  std::uint64_t copies = 0;
  std::uint64_t objects = 0;
  std::uint64_t misuses = 0;

  void add(const Counters& other);
};

// Counts what Memory reports; it does so under its lock.
class Observer final : public MemoryObserver {
 public:
  void on_failure(const Failure&) override {}
  void on_fault(const Fault&) override { ++faults; }
  void on_leak(const Leak&) override { ++leaks; }

  std::uint64_t faults = 0;
  std::uint64_t leaks = 0;
};

// A region that several threads work in, each with a reference of its own.
struct SharedRegion {
  std::mutex mutex;          // of the two below
  Owner* owner = nullptr;    // nullptr: there is none now
  std::uint32_t number = 0;  // of the one that there is
};

class SharedState {
 public:
  static constexpr std::uint32_t kRegions = 2;
  static constexpr std::uint32_t kSources = 6;
  static constexpr std::size_t kObjectBytes = 48;

  // Boots `policy` on the simulator. Throws std::runtime_error where that fails.
  SharedState(const PlatformConfig& platform, const Policy& policy, std::uint32_t threads,
              std::uint64_t seed, Planted planted);
  ~SharedState();
  SharedState(const SharedState&) = delete;
  SharedState& operator=(const SharedState&) = delete;

  Memory& memory() { return *memory_; }
  SharedCopies& copies() { return copies_; }
  Observer& observer() { return observer_; }
  Planted planted() const { return planted_; }
  std::uint64_t seed() const { return seed_; }
  std::uint32_t threads() const { return static_cast<std::uint32_t>(mailboxes_.size()); }

  Mailbox& mailbox(std::uint32_t thread) { return *mailboxes_[thread]; }
  SharedRegion& region(std::uint32_t number) { return regions_[number]; }
  // A tenant that nobody ends, under a pipeline of the system.
  Tenant& common() { return common_; }
  const std::vector<unsigned char>& source(std::uint32_t number) const { return sources_[number]; }

  // Objects of one pool, whose chunks are blocks.
  void* take_object();
  void give_object(void* object);

  std::uint64_t next_stamp() { return stamps_.fetch_add(1) * 0x9e3779b97f4a7c15U; }
  std::uint32_t next_id() { return ids_.fetch_add(1); }

  // Between phases, while no thread runs: every invariant, and compaction.
  void check_and_compact();
  // After the last: everything ends, and nothing is left.
  void finish();

 private:
  void close_objects();

  Planted planted_;
  std::uint64_t seed_;
  std::vector<std::uint64_t> arena_;
  HostPort port_;
  Observer observer_;
  std::unique_ptr<Memory> memory_;
  SharedCopies copies_;
  Tenant common_;
  std::vector<std::unique_ptr<Mailbox>> mailboxes_;
  std::array<SharedRegion, kRegions> regions_;
  std::vector<std::vector<unsigned char>> sources_;
  std::mutex objects_mutex_;
  ObjectPool objects_;
  std::atomic<std::uint64_t> stamps_ = 1;
  std::atomic<std::uint32_t> ids_ = 1;
};

}  // namespace modmem::stress
