// Boot of the C interface on Zephyr: modmem_boot() and modmem_shutdown(), and the functions that
// the interface wants of its platform (capi/hooks.hpp).
//
// C++ constructors of static objects run after POST_KERNEL, when modules have allocated already. So
// everything here is constant-initialised, or begins in modmem_boot().

#include <modmem/modmem.h>
#include <zephyr/init.h>

#include <cerrno>
#include <cstring>
#include <new>
#include <span>

#include "capi/audio_path.hpp"
#include "capi/hooks.hpp"
#include "capi/report.hpp"
#include "capi/system.hpp"
#include "integrations/zephyr/zephyr_port.hpp"

namespace modmem {

namespace {

// Room for a T, which begins and ends when it is told to.
template <typename T>
class Storage {
 public:
  template <typename... Arguments>
  T& create(Arguments&&... arguments) {
    return *new (bytes_) T(static_cast<Arguments&&>(arguments)...);
  }
  T& get() { return *std::launder(reinterpret_cast<T*>(bytes_)); }

 private:
  alignas(T) std::byte bytes_[sizeof(T)]{};
};

constinit ZephyrPort port;
constinit Storage<Reporter> reporter;
constinit Storage<Hardening> hardening;
constinit Storage<Memory> memory;
constinit Storage<SharedCopies> copies;
constinit Storage<CSystem> c_system;
alignas(16) constinit std::byte arena[CONFIG_MODMEM_BOOT_ARENA_BYTES] = {};

int refuse(int error, const Line& why) {
  zephyr_log(LogLevel::error, why.text());
  return error;
}

bool has_slots(const Policy& policy) {
  return policy.system == HeapKind::slots || policy.slots == HeapKind::slots;
}

// What `config` sets holds from now on; what it leaves is as it was.
void apply(const modmem_config& config) {
  ReportSettings now = report_settings();
  if (config.log_sink != nullptr) {
    now.sink = config.log_sink;
    now.sink_context = config.log_context;
  }
  if (config.fault_handler != nullptr) {
    now.handler = config.fault_handler;
    now.handler_context = config.fault_context;
  }
  now.mode = config.fault_mode != MODMEM_FAULT_DEFAULT ? config.fault_mode : now.mode;
  now.level = config.log_level != MODMEM_LOG_DEFAULT ? config.log_level : now.level;
  set_report_settings(now);
}

int boot(const modmem_config& config) {
  if (current_system() != nullptr) {
    return -EBUSY;
  }
  Line line;
  if (config.platform != nullptr || config.host != nullptr || config.sram_bytes != 0 ||
      config.reserve_bytes != 0) {
    return refuse(-EINVAL, line << "modmem_boot: devicetree and Kconfig say what the platform is");
  }
  const ZephyrPool pool = zephyr_pool();
  const char* name = config.policy != nullptr ? config.policy : pool.config.policy;
  const Policy* policy = find_policy(name);
  if (policy == nullptr || (has_slots(*policy) && !pool.config.has_mmu)) {
    return refuse(-EINVAL, line << "modmem_boot: policy " << name << ": "
                                << (policy == nullptr ? "unknown" : "needs an MMU"));
  }
  if (const char* wrong = Memory::config_error(pool.config)) {
    return refuse(-EINVAL, line << "modmem_boot: " << wrong);
  }
  if (const char* wrong = port.start(pool)) {
    return refuse(-EINVAL, line << "modmem_boot: " << wrong);
  }
  const std::size_t needed = Memory::arena_bytes(pool.config, port);
  if (needed > sizeof(arena)) {
    return refuse(-ENOMEM, line << "modmem_boot: CONFIG_MODMEM_BOOT_ARENA_BYTES has to be "
                                << std::uint64_t{needed} << " at least");
  }
  HardeningSettings hardened;
  if (config.hardening != nullptr && !find_hardening(config.hardening, hardened)) {
    return refuse(-EINVAL,
                  line << "modmem_boot: hardening level " << config.hardening << ": unknown");
  }
  apply(config);
  std::memset(arena, 0, sizeof(arena));
  memory.create();
  if (config::kHardeningSupport && hardened.any()) {
    memory.get().set_hardening(hardening.create(hardened));
  }
  if (!memory.get().boot(pool.config, *policy, port, &reporter.create(port),
                         std::span(arena, needed))) {
    return refuse(-ENOMEM, line << "modmem_boot: the heaps of policy " << policy->name
                                << " do not fit the pool");
  }
  memory.get().restore_l3();
  forget_audio_path();
  CSystem& system = c_system.create(
      memory.get(), copies.create(memory.get()), "zephyr",
      config.ipc_fragment_bytes != 0 ? config.ipc_fragment_bytes : CSystem::kIpcFragmentBytes);
  system.notes_audio_path = true;
  adopt(system);
  return 0;
}

}  // namespace

// Nothing boots by being used: what allocates before the boot gets nothing.
CSystem* boot_default() { return nullptr; }

void panic() { zephyr_panic(); }

// Code addresses are for the image's symbols: addr2line -e zephyr.elf.
bool name_code(const void* /*code*/, char* /*text*/, std::size_t /*size*/) { return false; }

}  // namespace modmem

int modmem_boot(const struct modmem_config* config) {
  return modmem::boot(config != nullptr ? *config : modmem_config{});
}

int modmem_shutdown(void) {
  if (modmem::current_system() == nullptr) {
    return 0;
  }
  const std::size_t modules = modmem::c_system.get().modules.close();
  const std::size_t leaks =
      modules + modmem::copies.get().close() + modmem::memory.get().shutdown();
  modmem::reporter.get().flush();
  modmem::leave(modmem::c_system.get());
  return static_cast<int>(leaks);
}

#ifdef CONFIG_MODMEM_BOOT
static int modmem_boot_at_init() { return modmem_boot(nullptr); }

SYS_INIT(modmem_boot_at_init, POST_KERNEL, CONFIG_MODMEM_INIT_PRIORITY);
#endif
