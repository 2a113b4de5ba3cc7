#include "capi/report.hpp"

#include <atomic>

#include "capi/audio_path.hpp"
#include "capi/hooks.hpp"
#include "capi/system.hpp"

namespace modmem {

namespace {

// A function of the program and what it wants to be called with, read and set as one.
//
// Readers may hold the port's lock, and wait for nobody: a thread that is more urgent than the one
// that sets would wait forever. So there are two places, and the count of settings says which of
// them is good. Loads and stores only: exchanges are not to be had on all targets.
template <typename Function>
class Callback {
 public:
  struct Value {
    Function function = nullptr;
    void* context = nullptr;
  };

  // Tries again only where it was set meanwhile.
  Value get() const {
    std::uint32_t settings = 0;
    Value value;
    do {
      settings = settings_.load(std::memory_order_acquire);
      const Place& place = places_[settings % 2];
      value = {place.function.load(std::memory_order_acquire),
               place.context.load(std::memory_order_acquire)};
    } while (settings_.load(std::memory_order_relaxed) != settings);
    return value;
  }

  // Returns what was set before. One call at a time, which the port's lock sees to; while there is
  // no port, the program does.
  Value set(Value value) {
    CSystem* system = current_system();
    if (system == nullptr) {
      return exchange(value);
    }
    const LockGuard guard(system->port());
    return exchange(value);
  }

 private:
  struct Place {
    std::atomic<Function> function{nullptr};
    std::atomic<void*> context{nullptr};
  };

  Value exchange(Value value) {
    const Value before = get();
    if (before.function == value.function && before.context == value.context) {
      return before;
    }
    const std::uint32_t settings = settings_.load(std::memory_order_relaxed) + 1;
    Place& place = places_[settings % 2];
    place.function.store(value.function, std::memory_order_release);
    place.context.store(value.context, std::memory_order_release);
    settings_.store(settings, std::memory_order_release);
    return before;
  }

  std::atomic<std::uint32_t> settings_{0};
  Place places_[2];
};

constinit Callback<modmem_log_sink> sink;
constinit Callback<modmem_fault_handler> handler;
constinit Callback<modmem_request_filter> filter;
constinit std::atomic<modmem_log_level> chosen_level{MODMEM_LOG_DEFAULT};
constinit std::atomic<modmem_log_level> default_level{MODMEM_LOG_INFO};
constinit std::atomic<modmem_fault_mode> chosen_mode{MODMEM_FAULT_DEFAULT};
constinit std::atomic<modmem_fault_mode> default_mode{MODMEM_FAULT_ABORT};

modmem_log_level level_of(LogLevel level) {
  return static_cast<modmem_log_level>(MODMEM_LOG_ERROR + static_cast<int>(level));
}

const char* description(modmem_fault_kind kind) {
  switch (kind) {
    case MODMEM_FAULT_FOREIGN:
      return "is none of its blocks";
    case MODMEM_FAULT_INTERIOR:
      return "lies inside of a block, not at its start";
    case MODMEM_FAULT_NOT_LIVE:
      return "is no live block: it was freed before, or never allocated";
    case MODMEM_FAULT_THREAD:
      return "is used by a thread that is not its manager";
    case MODMEM_FAULT_IN_USE:
      return "is still in use";
    case MODMEM_FAULT_OVERRUN:
    case MODMEM_FAULT_WRITE_AFTER_FREE:
      break;  // have words of their own: describe_damage()
  }
  return "";
}

// Names of a heap and its owner, copied while the lock keeps both alive.
struct Whereabouts {
  static constexpr std::size_t kSize = 32;

  char heap[kSize] = "";
  char owner[kSize] = "";
  std::uint32_t owner_id = 0;

  static void copy(char (&to)[kSize], const char* from) {
    std::size_t length = 0;
    for (; from[length] != '\0' && length + 1 < kSize; ++length) {
      to[length] = from[length];
    }
    to[length] = '\0';
  }
};

// Counts a misuse, and says where it was.
Whereabouts take_note(CSystem& system, const Misuse& misuse) {
  Whereabouts place;
  const LockGuard guard(system.port());
  ++system.faults;
  const HeapReport heap = system.memory.locate(misuse.pointer);
  if (heap.name != nullptr) {
    Whereabouts::copy(place.heap, heap.name);
  }
  const Owner* owner = misuse.owner != nullptr ? misuse.owner : heap.owner;
  if (owner != nullptr) {
    Whereabouts::copy(place.owner, owner->spec.name);
    place.owner_id = owner->spec.id;
  }
  return place;
}

// Hands a fault that was logged to who handles faults.
void handle(const modmem_fault& fault) {
  const auto to = handler.get();
  if (to.function != nullptr) {
    to.function(&fault, to.context);
    return;
  }
  const modmem_fault_mode chosen = chosen_mode.load(std::memory_order_relaxed);
  const modmem_fault_mode mode =
      chosen != MODMEM_FAULT_DEFAULT ? chosen : default_mode.load(std::memory_order_relaxed);
  if (fault.fatal && mode == MODMEM_FAULT_ABORT) {
    panic();
  }
}

// Where the block of a fault was taken and freed, as far as that is known.
void name_sites(Line& line, const Fault& fault) {
  if (fault.site.where != nullptr) {
    line << ", taken at " << fault.site;
  }
  if (fault.freed_at.where != nullptr) {
    line << ", freed at " << fault.freed_at;
  }
}

// What the block was, in a fault that is about one.
void add_block(modmem_fault& fault, const Fault& of) {
  fault.block_bytes = of.bytes;
  fault.offset = of.offset;
  fault.length = of.length;
  fault.taken_at = of.site.where;
  fault.freed_at = of.freed_at.where;
}

Line& name_owner(Line& line, const char* name, std::uint32_t id) {
  return (line << ", owner " << name << " ").hex(id);
}

}  // namespace

bool is_logged(LogLevel level) {
  const modmem_log_level chosen = chosen_level.load(std::memory_order_relaxed);
  return level_of(level) <=
         (chosen != MODMEM_LOG_DEFAULT ? chosen : default_level.load(std::memory_order_relaxed));
}

bool log_line(LogLevel level, const Line& line) {
  if (!is_logged(level)) {
    return true;
  }
  const auto to = sink.get();
  if (to.function != nullptr) {
    to.function(level_of(level), line.text(), to.context);
    return true;
  }
  const CSystem* system = current_system();
  if (system != nullptr) {
    system->port().log(level, line.text());
  }
  return system != nullptr;
}

Line& operator<<(Line& line, const Site& site) {
  if (site.line != 0) {
    return line << static_cast<const char*>(site.where) << ":" << site.line;
  }
  char name[96];
  if (name_code(site.where, name, sizeof name)) {
    return line << name;
  }
  return line.address(site.where);
}

void set_default_log_level(modmem_log_level level) {
  default_level.store(level, std::memory_order_relaxed);
}

void set_default_fault_mode(modmem_fault_mode mode) {
  default_mode.store(mode, std::memory_order_relaxed);
}

ReportSettings report_settings() {
  const auto lines = sink.get();
  const auto faults = handler.get();
  return {lines.function,
          lines.context,
          faults.function,
          faults.context,
          chosen_mode.load(std::memory_order_relaxed),
          chosen_level.load(std::memory_order_relaxed)};
}

void set_report_settings(const ReportSettings& settings) {
  sink.set({settings.sink, settings.sink_context});
  handler.set({settings.handler, settings.handler_context});
  chosen_mode.store(settings.mode, std::memory_order_relaxed);
  chosen_level.store(settings.level, std::memory_order_relaxed);
}

modmem_fault_kind fault_kind(PointerStatus status) {
  switch (status) {
    case PointerStatus::interior:
      return MODMEM_FAULT_INTERIOR;
    case PointerStatus::not_live:
    case PointerStatus::damaged:
      return MODMEM_FAULT_NOT_LIVE;
    default:
      return MODMEM_FAULT_FOREIGN;
  }
}

void report_misuse(const Misuse& misuse) {
  CSystem* system = current_system();
  modmem_fault fault{};
  Whereabouts place;
  Fault block;
  if (system != nullptr) {
    if (misuse.kind == MODMEM_FAULT_NOT_LIVE) {
      block = system->memory.freed_block(misuse.pointer);
    }
    place = take_note(*system, misuse);
    fault.thread = system->port().thread_id();
  }
  fault.kind = misuse.kind;
  fault.function = misuse.function;
  fault.pointer = misuse.pointer;
  fault.heap = place.heap;
  fault.owner = place.owner;
  fault.owner_id = place.owner_id;
  fault.site = misuse.site.where;
  fault.manager = misuse.manager;
  fault.fatal = misuse.fatal;
  add_block(fault, block);
  Line line;
  line << fault.function << ": ";
  line.address(fault.pointer) << " " << description(fault.kind);
  if (fault.manager != 0) {
    (line << ", thread ").hex(fault.thread) << ", manager ";
    line.hex(fault.manager);
  }
  if (fault.heap[0] != '\0') {
    line << ", heap " << fault.heap;
  }
  if (fault.owner[0] != '\0') {
    name_owner(line, fault.owner, fault.owner_id);
  }
  line << ", from " << misuse.site;
  name_sites(line, block);
  log_line(LogLevel::error, line);
  handle(fault);
}

void report_refusal(const char* function, const char* what, const Site& site) {
  Line line;
  line << function << ": " << what << ", from " << site;
  log_line(LogLevel::error, line);
}

// Counts a failure of that place in, where it may be logged.
bool Reporter::is_too_many(const Site& site) {
  const std::uint64_t now = port_.time_us();
  if (now - second_start_ >= kSecond) {
    flush();
    second_start_ = now;
    logged_ = {};
  }
  std::size_t at = 0;
  while (at < kSites && logged_[at].lines != 0 &&
         (logged_[at].site.where != site.where || logged_[at].site.line != site.line)) {
    ++at;
  }
  if (logged_[at].lines == kFailuresASecond) {
    ++left_out_;
    return true;
  }
  logged_[at].site = site;
  ++logged_[at].lines;
  return false;
}

void Reporter::on_failure(const Failure& failure) {
  if (failure.owner_kind != OwnerKind::module && is_too_many(failure.site)) {
    return;
  }
  Line line;
  line << "no memory: " << failure.bytes << " bytes, alignment " << failure.alignment
       << " bytes, flags ";
  name_owner(line.hex(failure.flags), failure.owner_name, failure.owner_id);
  line << ", free " << failure.free_bytes << " bytes, largest request " << failure.largest_request
       << " bytes, reason " << to_string(failure.reason);
  if (failure.guarantee.asked != 0) {
    char arithmetic[160];
    to_text(failure.guarantee, arithmetic);
    line << ", " << static_cast<const char*>(arithmetic);
  }
  if (failure.site.where != nullptr) {
    line << ", from " << failure.site;
  }
  log_line(LogLevel::error, line);
}

// A misuse is reported by the function that was misused: it knows its own name and its caller.
void Reporter::on_fault(const Fault& fault) {
  if (fault.status != PointerStatus::damaged) {
    return;
  }
  Line line;
  if (fault.bytes == 0) {
    line << "l3: what was saved is damaged, or another image's, and not used, header ";
    line.address(fault.pointer);
  } else {
    line << "l3: damaged while the power was off: ";
    line.address(fault.pointer) << ", " << fault.bytes << " bytes, owner "
                                << to_string(fault.owner_kind) << " ";
    line.hex(fault.owner_id) << ", from " << fault.site;
  }
  log_line(LogLevel::error, line);
}

void Reporter::on_damage(const Fault& damage) {
  CSystem* system = current_system();
  if (system != nullptr) {
    const LockGuard guard(port_);
    ++system->faults;
  }
  Line line;
  name_sites(describe_damage(line, damage), damage);
  line << ": " << advice(damage.kind);
  log_line(LogLevel::error, line);
  modmem_fault fault{};
  fault.kind =
      damage.kind == FaultKind::overrun ? MODMEM_FAULT_OVERRUN : MODMEM_FAULT_WRITE_AFTER_FREE;
  fault.function = "modmem";
  fault.pointer = damage.pointer;
  fault.heap = damage.heap;
  fault.owner = damage.owner_name;
  fault.owner_id = damage.owner_id;
  fault.site = damage.site.where;
  fault.thread = port_.thread_id();
  fault.fatal = true;
  add_block(fault, damage);
  handle(fault);
}

void Reporter::on_leak(const Leak& leak) {
  Line line;
  line << "leak: " << leak.bytes << " bytes, alignment " << leak.alignment << " bytes";
  name_owner(line, leak.owner_name, leak.owner_id) << ", from " << leak.site;
  log_line(LogLevel::error, line);
}

bool Reporter::on_request(const Request& request) {
  note_audio_path_request(port_, request);
  const auto asked = filter.get();
  return asked.function == nullptr || asked.function(request.bytes, asked.context);
}

void Reporter::flush() {
  if (left_out_ != 0) {
    Line line;
    line << "no memory: " << left_out_ << " more failures were not logged";
    log_line(LogLevel::error, line);
    left_out_ = 0;
  }
}

}  // namespace modmem

using modmem::handler;
using modmem::sink;

void modmem_set_log_sink(modmem_log_sink function, void* context) { sink.set({function, context}); }

void modmem_set_log_level(modmem_log_level level) {
  modmem::chosen_level.store(level, std::memory_order_relaxed);
}

modmem_fault_handler modmem_set_fault_handler(modmem_fault_handler function, void* context) {
  return handler.set({function, context}).function;
}

void modmem_set_request_filter(modmem_request_filter function, void* context) {
  modmem::filter.set({function, context});
}

void modmem_set_fault_mode(modmem_fault_mode mode) {
  modmem::chosen_mode.store(mode, std::memory_order_relaxed);
}
