// What to boot: from a configuration, the environment and the defaults, in this order.
#pragma once

#include <modmem/modmem.h>

#include <cstddef>
#include <cstdint>

#include "base/line.hpp"
#include "memory/hardening.hpp"
#include "memory/policy.hpp"
#include "port/platform_config.hpp"

namespace modmem {

enum class HostKind : std::uint8_t { sim, plain, libc };

const char* to_string(HostKind kind);

struct Settings {
  PlatformConfig platform{};
  const Policy* policy = nullptr;
  HostKind host = HostKind::plain;
  modmem_fault_mode fault_mode = MODMEM_FAULT_ABORT;
  modmem_log_level log_level = MODMEM_LOG_INFO;
  std::size_t ipc_fragment_bytes = 0;
  HardeningSettings hardening;
};

// Returns false, with the reason in `error`, where a name is not known or the platform does not
// hold.
bool choose(const modmem_config& config, Settings& settings, Line& error);

}  // namespace modmem
