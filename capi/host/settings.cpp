#include "capi/host/settings.hpp"

#include <array>
#include <cstdlib>
#include <cstring>

#include "capi/system.hpp"
#include "memory/memory.hpp"
#include "modmem/presets.hpp"

namespace modmem {

namespace {

constexpr std::array kHosts = {"sim", "plain", "libc"};
constexpr std::array kFaultModes = {"abort", "report"};
constexpr std::array kLogLevels = {"error", "warning", "info", "debug"};

// A value and where it comes from.
struct Choice {
  const char* value;
  const char* source;
};

// An empty variable is as good as none.
Choice choice(const char* configured, const char* variable, const char* otherwise) {
  if (configured != nullptr) {
    return {configured, "modmem_boot"};
  }
  const char* value = getenv(variable);
  return {value != nullptr && value[0] != '\0' ? value : otherwise, variable};
}

// Index of the value among `count` names, `count` where it is none of them: then the line says what
// there is.
template <typename Name>
std::size_t find(const Choice& choice, const char* what, std::size_t count, Name name,
                 Line& error) {
  for (std::size_t index = 0; index < count; ++index) {
    if (strcmp(name(index), choice.value) == 0) {
      return index;
    }
  }
  error << choice.source << ": " << what << " " << choice.value << ": unknown; there are ";
  for (std::size_t index = 0; index < count; ++index) {
    error << (index != 0 ? ", " : "") << name(index);
  }
  return count;
}

template <std::size_t count>
std::size_t find(const Choice& choice, const char* what,
                 const std::array<const char*, count>& names, Line& error) {
  return find(
      choice, what, count, [&](std::size_t index) { return names[index]; }, error);
}

bool choose_platform(const modmem_config& config, PlatformConfig& platform, Line& error) {
  const auto& presets = config::kPresets;
  const std::size_t preset = find(
      choice(config.platform, "MODMEM_PLATFORM", "mtl"), "platform", presets.size(),
      [&](std::size_t index) { return presets[index].name; }, error);
  if (preset == presets.size()) {
    return false;
  }
  platform = presets[preset];
  platform.sram_bytes = config.sram_bytes != 0 ? config.sram_bytes : platform.sram_bytes;
  platform.reserve_bytes =
      config.reserve_bytes != 0 ? config.reserve_bytes : platform.reserve_bytes;
  if (platform.reserve_bytes < platform.sram_bytes &&
      platform.arena_bytes > platform.sram_bytes - platform.reserve_bytes) {
    platform.arena_bytes = 0;  // all that a smaller memory has
  }
  if (const char* wrong = Memory::config_error(platform)) {
    error << "platform " << platform.name << " with " << std::uint64_t{platform.sram_bytes}
          << " bytes of SRAM, " << std::uint64_t{platform.reserve_bytes}
          << " bytes of it reserved: " << wrong;
    return false;
  }
  return true;
}

bool has_slots(const Policy& policy) {
  return policy.system == HeapKind::slots || policy.slots == HeapKind::slots;
}

}  // namespace

const char* to_string(HostKind kind) { return kHosts[static_cast<std::size_t>(kind)]; }

bool choose(const modmem_config& config, Settings& settings, Line& error) {
  if (!choose_platform(config, settings.platform, error)) {
    return false;
  }
  const std::size_t policy = find(
      choice(config.policy, "MODMEM_POLICY", "elastic"), "policy", kPolicies.size(),
      [](std::size_t index) { return kPolicies[index]->name; }, error);
  if (policy == kPolicies.size()) {
    return false;
  }
  if (has_slots(*kPolicies[policy]) && !settings.platform.has_mmu) {
    error << "policy " << kPolicies[policy]->name << ": needs an MMU, which platform "
          << settings.platform.name << " has not";
    return false;
  }
  const std::size_t host = find(choice(config.host, "MODMEM_HOST", "plain"), "host", kHosts, error);
  if (host == kHosts.size()) {
    return false;
  }
  const std::size_t mode =
      find(choice(nullptr, "MODMEM_FAULT", "abort"), "fault mode", kFaultModes, error);
  if (mode == kFaultModes.size()) {
    return false;
  }
  const std::size_t level =
      find(choice(nullptr, "MODMEM_LOG", "info"), "log level", kLogLevels, error);
  if (level == kLogLevels.size()) {
    return false;
  }
  const std::size_t hardening = find(
      choice(config.hardening, "MODMEM_HARDENING", config::kHardening), "hardening level",
      kHardeningLevels.size(), [](std::size_t index) { return kHardeningLevels[index].name; },
      error);
  if (hardening == kHardeningLevels.size()) {
    return false;
  }
  find_hardening(kHardeningLevels[hardening].name, settings.hardening);
  settings.policy = kPolicies[policy];
  settings.host = static_cast<HostKind>(host);
  settings.fault_mode = static_cast<modmem_fault_mode>(MODMEM_FAULT_ABORT + mode);
  settings.log_level = static_cast<modmem_log_level>(MODMEM_LOG_ERROR + level);
  settings.ipc_fragment_bytes =
      config.ipc_fragment_bytes != 0 ? config.ipc_fragment_bytes : CSystem::kIpcFragmentBytes;
  return true;
}

}  // namespace modmem
