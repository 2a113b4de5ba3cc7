#include "trace/replay_memory.hpp"

#include <cerrno>
#include <memory>
#include <span>
#include <string>
#include <system_error>

#include "port/host/host_port.hpp"
#include "port/posix/plain_port.hpp"
#include "trace/counting_port.hpp"
#include "trace/trace_error.hpp"

namespace modmem::trace {

struct ReplayMemory::Platform {
  Platform(const PlatformConfig& config, ReplayPort kind) : is_plain(kind == ReplayPort::plain) {
    if (!(is_plain ? plain.open(config) : simulated.open(config))) {
      throw TraceError(std::string("platform ") + config.name + ": " +
                       (is_plain ? plain.failure() : simulated.failure()) + ": " +
                       std::generic_category().message(errno));
    }
  }

  Port& port() { return is_plain ? static_cast<Port&>(plain) : simulated; }

  bool is_plain;
  PlainPort plain;
  HostPort simulated;
  CountingPort counting{port()};
};

ReplayMemory::ReplayMemory(const PlatformConfig& platform, const Policy& policy, ReplayPort port,
                           MemoryObserver* observer, std::optional<std::uint64_t> time_us,
                           bool counts)
    : memory_(std::make_unique<Memory>()) {
  const std::string name = std::string("platform ") + platform.name + ": ";
  if (const char* error = Memory::config_error(platform)) {
    throw TraceError(name + error);
  }
  platform_ = std::make_unique<Platform>(platform, port);
  if (time_us) {
    set_time(*time_us);
  }
  // Room to align within: what a vector gives is aligned for any fundamental type only.
  const std::size_t needed = Memory::arena_bytes(platform, platform_->port());
  arena_.resize(needed + MetadataArena::kAlignment);
  void* start = arena_.data();
  std::size_t space = arena_.size();
  std::align(MetadataArena::kAlignment, needed, start, space);
  const std::span<std::byte> arena(static_cast<std::byte*>(start), needed);
  Port& used = counts ? platform_->counting : platform_->port();
  if (!memory_->boot(platform, policy, used, observer, arena)) {
    throw TraceError(name + "the heaps of policy " + policy.name + " do not fit its memory");
  }
}

ReplayMemory::~ReplayMemory() { memory_->shutdown(); }

std::uint64_t ReplayMemory::mappings() const { return platform_->counting.mappings(); }

std::uint64_t ReplayMemory::switches() const { return platform_->counting.switches(); }

void ReplayMemory::set_time(std::uint64_t time_us) {
  platform_->is_plain ? platform_->plain.set_time_us(time_us)
                      : platform_->simulated.set_time_us(time_us);
}

}  // namespace modmem::trace
