// Bringing the system up on a host, and down again.
//
// All of it lies in static storage and in memory of its own from the kernel: nothing is taken from
// the C library's allocator, which may be what the program replaces, and nothing has to run before
// main or at exit. A program that forks gets a memory for each process, as it is with any memory.

#include <modmem/modmem.h>
#include <pthread.h>
#include <sys/mman.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <new>
#include <span>

#include "capi/audio_path.hpp"
#include "capi/hooks.hpp"
#include "capi/host/settings.hpp"
#include "capi/report.hpp"
#include "capi/system.hpp"
#include "memory/stray_access.hpp"
#include "port/host/fault_report.hpp"
#include "port/host/host_port.hpp"
#include "port/posix/plain_port.hpp"

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

class Host {
 public:
  int boot(const modmem_config& config);
  int shutdown();
  int power_cycle();
  void before_fork();
  void after_fork(bool is_child);

 private:
  bool open_port();
  void stop();
  void close();
  bool map_arena();
  int start();
  void apply(const modmem_config& config);
  void take_back();

  Port& port() {
    return settings_.host == HostKind::sim ? static_cast<Port&>(simulator_.get())
                                           : static_cast<Port&>(plain_.get());
  }

  // Whether an access to memory of the library can fault: simulated, or what is read-only.
  bool faults() const {
    return settings_.host == HostKind::sim || settings_.hardening.read_only_metadata;
  }

  Settings settings_;
  // What modmem_boot() set until modmem_shutdown(), and what was set before.
  modmem_config set_{};
  ReportSettings before_;
  Storage<HostPort> simulator_;
  Storage<FaultReporter> stray_;  // where something faults
  Storage<PlainPort> plain_;
  Storage<Reporter> reporter_;
  Storage<Hardening> hardening_;
  Storage<Memory> memory_;
  Storage<SharedCopies> copies_;
  Storage<CSystem> system_;
  void* arena_ = nullptr;
  std::size_t arena_bytes_ = 0;
  bool up_ = false;
  bool heeds_forks_ = false;
};

constinit Host host;
pthread_mutex_t boot_lock = PTHREAD_MUTEX_INITIALIZER;

class BootGuard {
 public:
  BootGuard() { pthread_mutex_lock(&boot_lock); }
  ~BootGuard() { pthread_mutex_unlock(&boot_lock); }
  BootGuard(const BootGuard&) = delete;
  BootGuard& operator=(const BootGuard&) = delete;
};

void prepare_fork() {
  pthread_mutex_lock(&boot_lock);
  host.before_fork();
}

void fork_in_parent() {
  host.after_fork(false);
  pthread_mutex_unlock(&boot_lock);
}

void fork_in_child() {
  host.after_fork(true);
  pthread_mutex_unlock(&boot_lock);
}

// Says why there is no system: there may be nobody yet to take the line.
void explain(const Line& line) {
  if (!log_line(LogLevel::error, line)) {
    fprintf(stderr, "modmem: error: %s\n", line.text());
  }
}

// What lies at an address that a stray access went to. Runs in a signal handler.
void describe_stray(const void* context, const void* address, char* text, std::size_t size) {
  Line line;
  const auto& memory = *static_cast<const Memory*>(context);
  snprintf(text, size, "%s", describe_stray_access(line, memory, address).text());
}

bool Host::open_port() {
  const char* failure = nullptr;
  if (settings_.host == HostKind::sim) {
    HostPort& port = simulator_.create();
    failure = port.open(settings_.platform) ? nullptr : port.failure();
  } else {
    PlainPort& port = plain_.create();
    const auto blocks = settings_.host == HostKind::libc ? PlainPort::Blocks::stand_ins
                                                         : PlainPort::Blocks::in_window;
    failure = port.open(settings_.platform, blocks) ? nullptr : port.failure();
  }
  if (failure != nullptr) {
    Line line;
    line << "host " << to_string(settings_.host) << ": " << failure << ": " << strerror(errno);
    explain(line);
  }
  return failure == nullptr;
}

bool Host::map_arena() {
  arena_bytes_ = Memory::arena_bytes(settings_.platform, port());
  void* memory =
      mmap(nullptr, arena_bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  arena_ = memory != MAP_FAILED ? memory : nullptr;
  if (arena_ == nullptr) {
    Line line;
    line << "host " << to_string(settings_.host) << ": mapping " << std::uint64_t{arena_bytes_}
         << " bytes for tables: " << strerror(errno);
    explain(line);
  }
  return arena_ != nullptr;
}

// Boots Memory on the open port and mapped arena, and has the C functions use it.
int Host::start() {
  memset(arena_, 0, arena_bytes_);
  Reporter& reporter = reporter_.create(port());
  Memory& memory = memory_.create();
  if (settings_.hardening.any()) {
    memory.set_hardening(hardening_.create(settings_.hardening));
  }
  const std::span<std::byte> arena(static_cast<std::byte*>(arena_), arena_bytes_);
  if (!memory.boot(settings_.platform, *settings_.policy, port(), &reporter, arena)) {
    Line line;
    line << "platform " << settings_.platform.name << ": the heaps of policy "
         << settings_.policy->name << " do not fit its memory";
    explain(line);
    return -ENOMEM;
  }
  if (faults()) {
    const bool simulated = settings_.host == HostKind::sim;
    const std::size_t window =
        simulated ? simulator_.get().window_bytes() : plain_.get().window_bytes();
    stray_.create(port(), window, describe_stray, &memory).watch(arena);
  }
  memory.restore_l3();
  SharedCopies& copies = copies_.create(memory);
  forget_audio_path();
  CSystem& system =
      system_.create(memory, copies, to_string(settings_.host), settings_.ipc_fragment_bytes);
  system.notes_audio_path = true;
  adopt(system);
  up_ = true;
  return 0;
}

void Host::apply(const modmem_config& config) {
  set_ = config;
  before_ = report_settings();
  ReportSettings now = before_;
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

// Undoes apply(); what it had not set stays as the program set it meanwhile.
void Host::take_back() {
  ReportSettings now = report_settings();
  if (set_.log_sink != nullptr) {
    now.sink = before_.sink;
    now.sink_context = before_.sink_context;
  }
  if (set_.fault_handler != nullptr) {
    now.handler = before_.handler;
    now.handler_context = before_.handler_context;
  }
  now.mode = set_.fault_mode != MODMEM_FAULT_DEFAULT ? before_.mode : now.mode;
  now.level = set_.log_level != MODMEM_LOG_DEFAULT ? before_.level : now.level;
  set_report_settings(now);
}

int Host::boot(const modmem_config& config) {
  if (current_system() != nullptr) {
    return -EBUSY;
  }
  if (!heeds_forks_) {
    heeds_forks_ = pthread_atfork(prepare_fork, fork_in_parent, fork_in_child) == 0;
  }
  apply(config);
  Line error;
  if (!choose(config, settings_, error)) {
    explain(error);
    take_back();
    return -EINVAL;
  }
  set_default_log_level(settings_.log_level);
  set_default_fault_mode(settings_.fault_mode);
  const int result = open_port() && map_arena() ? start() : -ENOMEM;
  if (result != 0) {
    close();
  }
  return result;
}

// C functions have no system any more.
void Host::stop() {
  leave(system_.get());
  up_ = false;
  if (faults()) {
    stray_.get().~FaultReporter();
  }
}

// Gives everything back, once nobody uses it, and the settings.
void Host::close() {
  if (arena_ != nullptr) {
    munmap(arena_, arena_bytes_);
    arena_ = nullptr;
  }
  if (settings_.host == HostKind::sim) {
    simulator_.get().~HostPort();
  } else {
    plain_.get().~PlainPort();
  }
  take_back();
}

int Host::shutdown() {
  if (!up_) {
    return 0;
  }
  const std::size_t modules = system_.get().modules.close();
  const std::size_t copies = copies_.get().close();
  const std::size_t leaks = modules + copies + memory_.get().shutdown();
  reporter_.get().flush();
  flush_audio_path();
  stop();
  close();
  return static_cast<int>(leaks);
}

int Host::power_cycle() {
  if (!up_) {
    return -ENODEV;
  }
  memory_.get().abandon();
  stop();
  bool cycled = true;
  if (settings_.host == HostKind::sim) {
    simulator_.get().power_cycle();
  } else {
    cycled = plain_.get().power_cycle();
  }
  const int result = cycled ? start() : -ENOMEM;
  if (result != 0) {
    close();
  }
  return result;
}

void Host::before_fork() {
  if (up_ && settings_.host == HostKind::sim) {
    simulator_.get().before_fork();
  } else if (up_) {
    plain_.get().before_fork();
  }
}

void Host::after_fork(bool is_child) {
  if (up_ && settings_.host == HostKind::sim) {
    simulator_.get().after_fork(is_child);
  } else if (up_) {
    plain_.get().after_fork(is_child);
  }
}

}  // namespace

CSystem* boot_default() {
  const BootGuard guard;
  if (current_system() == nullptr && host.boot({}) != 0) {
    panic();  // a line said why; nothing that needs memory can go on
  }
  return current_system();
}

}  // namespace modmem

int modmem_boot(const struct modmem_config* config) {
  const modmem::BootGuard guard;
  return modmem::host.boot(config != nullptr ? *config : modmem_config{});
}

int modmem_shutdown(void) {
  const modmem::BootGuard guard;
  return modmem::host.shutdown();
}

void modmem_host_set_core(unsigned int core) { modmem::set_host_core(core); }

void modmem_audio_path_enter(void) { modmem::AudioPathScope::enter(); }

void modmem_audio_path_leave(void) { modmem::AudioPathScope::leave(); }

int modmem_host_power_cycle(void) {
  const modmem::BootGuard guard;
  return modmem::host.power_cycle();
}
