#include "testbench/run_trace.hpp"

namespace modmem::testbench {

RunTrace::RunTrace(const std::filesystem::path& directory, const PlatformConfig& config,
                   const std::string& policy, Port& port)
    : slots_(kSlots * config.cores),
      writer_(directory, recorder_, config, policy),
      port_(port, recorder_) {
  // As many cores as the configuration allows for are fewer than a recorder's.
  static_cast<void>(recorder_.open(slots_, config.cores, port, &writer_));
}

void RunTrace::note_period(std::uint64_t number) {
  const LockGuard guard(port_);
  recorder_.period(number);
}

void RunTrace::note_pipeline(std::uint32_t id, std::uint32_t state) {
  const LockGuard guard(port_);
  recorder_.pipeline(id, state);
}

void RunTrace::note_sample() {
  const LockGuard guard(port_);
  recorder_.upkeep(Upkeep::sample);
}

}  // namespace modmem::testbench
