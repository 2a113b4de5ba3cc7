// ReplayMemory: a Memory for a trace to be played on, with the platform and the metadata it takes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "memory/memory.hpp"

namespace modmem::trace {

enum class ReplayPort : std::uint8_t {
  plain,      // ordinary memory: mapping keeps book only
  simulated,  // the simulator, with a system call for every mapping
};

class ReplayMemory {
 public:
  // Boots it at `time_us`, where given, which stands still until set_time(); else time is the
  // host's. Throws TraceError where the configuration does not hold or the policy's heaps do not
  // fit it. `observer` outlives it. With `counts`, mappings() and switches() say something.
  ReplayMemory(const PlatformConfig& platform, const Policy& policy, ReplayPort port,
               MemoryObserver* observer = nullptr,
               std::optional<std::uint64_t> time_us = std::nullopt, bool counts = false);
  // Shuts it down.
  ~ReplayMemory();
  ReplayMemory(const ReplayMemory&) = delete;
  ReplayMemory& operator=(const ReplayMemory&) = delete;

  Memory& operator*() { return *memory_; }
  Memory* operator->() { return memory_.get(); }
  const Memory& operator*() const { return *memory_; }
  const Memory* operator->() const { return memory_.get(); }

  void set_time(std::uint64_t time_us);

  // Calls of the port's map() and unmap(), and banks switched on or off, since it was booted.
  std::uint64_t mappings() const;
  std::uint64_t switches() const;

 private:
  struct Platform;

  std::unique_ptr<Platform> platform_;
  std::vector<std::byte> arena_;
  std::unique_ptr<Memory> memory_;
};

}  // namespace modmem::trace
