// Replay: plays the events of a trace on a Memory and measures it.
//
// Every stream is an owner of kind pipeline below the system, with the heap that the policy gives
// it; blocks of no stream are the system's. A request that fails is counted, and what the trace
// does with that block later does nothing. Memory::compact() runs after every start and stop, as
// firmware would that has the time then.
//
// All metadata lies in the boot arena, however much the platform sets aside there, so that frames
// of the pool hold blocks only and nothing is counted twice.
//
// Unless told otherwise every block is filled with a pattern of its own, which is looked at when it
// is resized and when it goes.
//
// Memory: O(most blocks that live at a time), besides the Memory's own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "memory/memory.hpp"
#include "trace/call_timer.hpp"
#include "trace/event.hpp"
#include "trace/latencies.hpp"
#include "trace/replay_memory.hpp"

namespace modmem::trace {

struct ReplayOptions {
  ReplayPort port = ReplayPort::plain;
  bool check_payload = true;
  bool time_calls = true;
  bool compact = true;                 // after every start and stop, to the end
  bool stop_at_failure = false;        // play() gives up with the first request that fails
  MemoryObserver* observer = nullptr;  // is told of failures; outlives the replay
  // The trace's time is the port's: Memory::trim() runs when what is kept for a while is due, and
  // what depends on time is measured (ReplayTimes).
  bool follow_time = false;
  std::size_t stream_limit = OwnerSpec::kNoLimit;  // OwnerSpec::limit of every stream
  std::size_t stream_guarantee = 0;                // OwnerSpec::guarantee
};

// What a replay measured. Bytes are as asked for, or of frames that were held from the pool.
struct ReplayFigures {
  std::uint64_t allocations = 0;  // requests for a block, those that failed among them
  std::uint64_t frees = 0;        // of blocks that were there, one by one
  std::uint64_t failures = 0;     // of allocations, resizes and owners' heaps
  std::size_t peak_live_bytes = 0;
  std::size_t peak_mapped_bytes = 0;
  std::size_t peak_banks_on = 0;
  std::size_t metadata_bytes = 0;  // at its most, as on a target with 32-bit pointers
  // Sums over `boundaries` starts and stops.
  std::uint64_t boundaries = 0;
  std::uint64_t live_bytes_sum = 0;
  std::uint64_t mapped_bytes_sum = 0;
  std::uint64_t banks_on_sum = 0;
  std::uint64_t banks_lower_bound_sum = 0;  // ceil(live bytes / bank)
  // Of every single call that allocates, resizes or frees, less what reading the clock takes.
  Latencies ns_per_operation;
};

// What a replay that follows the trace's time measured besides. From the first event's time to the
// last one's; sums over time are in microseconds.
struct ReplayTimes {
  std::uint64_t mappings = 0;  // calls of map() and unmap()
  std::uint64_t switches = 0;  // of banks, on or off
  std::uint64_t us = 0;
  std::uint64_t live_byte_us = 0;
  std::uint64_t mapped_byte_us = 0;
  std::uint64_t bank_us = 0;  // of powered banks
};

class Replay {
 public:
  // Boots a Memory. Throws TraceError where the platform's configuration does not hold or the
  // policy's heaps do not fit it.
  Replay(const PlatformConfig& platform, const Policy& policy, const ReplayOptions& options = {});
  Replay(const Replay&) = delete;
  Replay& operator=(const Replay&) = delete;

  // Plays `events`, which follow those of the call before. Returns false where it gave up, as
  // ReplayOptions::stop_at_failure says. Throws TraceError where a block does not hold what was
  // written to it.
  bool play(std::span<const Event> events);

  // What it has measured up to the end of the last play().
  const ReplayFigures& figures() const { return figures_; }
  // All 0 where it does not follow the trace's time.
  ReplayTimes times() const;
  // The memory that it takes: the frames of the pool, and metadata.
  std::size_t memory_bytes() const;
  Memory& memory() { return *memory_; }
  const Memory& memory() const { return *memory_; }
  std::size_t live_bytes() const { return live_bytes_; }
  // Where the block at a place of events lies; nullptr where it was refused or has gone.
  const std::byte* address(std::uint32_t block) const {
    return block < blocks_.size() ? blocks_[block].address : nullptr;
  }
  // The owner of the stream at a place; nullptr where it was refused or has gone. Its id is the
  // number of its start, from 1.
  const Owner* owner(std::uint32_t stream) const {
    return stream < streams_.size() ? streams_[stream].owner : nullptr;
  }

 private:
  static constexpr std::uint32_t kNone = UINT32_MAX;

  struct Block {
    std::byte* address = nullptr;  // nullptr: there is none
    std::uint32_t bytes = 0;
    std::uint32_t owner = Event::kSystem;
    std::uint32_t next = kNone;  // in the list of its owner's
    std::uint32_t previous = kNone;
    std::uint64_t pattern = 0;
  };
  struct Stream {
    Owner* owner = nullptr;
    std::uint32_t first = kNone;  // newest block
    bool lives = false;           // owner is nullptr then where it was refused
  };

  bool play_all(std::span<const Event> events);
  std::size_t metadata_bytes() const;
  void allocate(const Event& event);
  void resize(const Event& event);
  void free(const Event& event);
  void release(const Event& event);
  void end_boundary();
  void go_to(std::uint64_t time_us);
  void pass(std::uint64_t time_us);
  void note_peaks();
  bool begin_stream(std::uint32_t place);
  Block& block_at(std::uint32_t place);
  void link(Block& block, std::uint32_t place);
  void unlink(const Block& block);
  static void fill(const Block& block);
  void check(const Block& block, std::size_t bytes) const;
  void count_failure();

  ReplayOptions options_;
  ReplayMemory memory_;
  CallTimer timer_;
  std::vector<Block> blocks_;    // by place
  std::vector<Stream> streams_;  // by place
  std::uint64_t requests_ = 0;
  std::uint32_t owners_ = 0;
  std::size_t live_bytes_ = 0;
  bool gave_up_ = false;
  bool has_begun_ = false;
  std::uint64_t time_us_ = 0;  // of the trace
  ReplayTimes times_;
  ReplayFigures figures_;
};

}  // namespace modmem::trace
