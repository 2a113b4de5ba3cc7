#include "testbench/system.hpp"

#include <cstdio>
#include <cstring>
#include <filesystem>
#include <utility>

#include "base/line.hpp"
#include "memory/stray_access.hpp"
#include "modmem/presets.hpp"
#include "testbench/audio_path_guard.hpp"
#include "testbench/coherence/coherence_check.hpp"
#include "testbench/injector.hpp"
#include "testbench/input_error.hpp"
#include "testbench/modules/call_site.hpp"
#include "testbench/run_trace.hpp"
#include "testbench/trace_recorder.hpp"

namespace modmem::testbench {

std::string to_text(const GuaranteeFigures& figures) {
  char text[256];
  return {text, to_text(figures, text)};
}

std::string to_text(const Shortage& shortage) {
  std::string text = std::to_string(shortage.missing()) + " B missing of " +
                     std::to_string(shortage.asked) + " B (" + to_string(shortage.reason) + ")";
  const std::string frames = to_text(shortage.frames);
  return frames.empty() ? text : text + ", " + frames;
}

const PlatformConfig& find_platform(const std::string& name) {
  std::string names;
  for (const PlatformConfig& preset : config::kPresets) {
    if (name == preset.name) {
      return preset;
    }
    names += names.empty() ? "" : ", ";
    names += preset.name;
  }
  throw InputError("platform " + name + ": unknown; there are " + names);
}

const Policy& find_policy_named(const std::string& name) {
  if (const Policy* policy = find_policy(name.c_str())) {
    return *policy;
  }
  std::string names;
  for (const Policy* policy : kPolicies) {
    names += names.empty() ? "" : ", ";
    names += policy->name;
  }
  throw InputError("policy " + name + ": unknown; there are " + names);
}

HardeningSettings find_hardening_named(const std::optional<std::string>& name, bool traced) {
  HardeningSettings settings;
  const auto moves_blocks = [&] {
    return settings.guard_bytes != 0 || settings.quarantine_bytes != 0 || settings.random_placement;
  };
  if (!name) {
    return settings.any() && !(traced && moves_blocks()) ? settings : kHardeningStandard;
  }
  if (find_hardening(name->c_str(), settings)) {
    if (traced && moves_blocks()) {
      throw InputError("hardening level " + *name +
                       ": has blocks lie elsewhere than in a replay; a traced run takes none or "
                       "standard");
    }
    return settings;
  }
  std::string names;
  for (const HardeningLevel& level : kHardeningLevels) {
    names += names.empty() ? "" : ", ";
    names += level.name;
  }
  throw InputError("hardening level " + *name + ": unknown; there are " + names);
}

const PlatformConfig& platform_of_topology(const std::string& file_name) {
  // Pieces of a file's name and the preset they stand for; the first that occurs decides.
  static constexpr std::pair<const char*, const char*> kPrefixes[] = {
      {"sof-lnl-", "lnl"}, {"sof-ptl-", "ptl"}, {"sof-wcl-", "wcl"}, {"sof-mtl-", "mtl"},
      {"sof-arl-", "mtl"}, {"sof-tgl-", "tgl"}, {"sof-adl-", "tgl"}, {"sof-rpl-", "tgl"}};
  static constexpr std::pair<const char*, const char*> kInfixes[] = {
      {"-ace1-", "mtl"}, {"-ace3-", "ptl"}, {"-cavs25-", "tgl"}};
  for (const auto& [prefix, preset] : kPrefixes) {
    if (file_name.starts_with(prefix)) {
      return find_platform(preset);
    }
  }
  for (const auto& [infix, preset] : kInfixes) {
    if (file_name.find(infix) != std::string::npos) {
      return find_platform(preset);
    }
  }
  return config::kDefaultPlatform;
}

namespace {

// `config`, where it holds.
const PlatformConfig& checked(const PlatformConfig& config) {
  if (const char* error = Memory::config_error(config)) {
    throw InputError(std::string("platform ") + config.name + ": " + error);
  }
  return config;
}

}  // namespace

System::System(const PlatformConfig& config, const Policy& policy, TraceRecorder* recorder,
               const std::optional<std::filesystem::path>& trace, Injector* injector,
               CoherenceCheck* coherence, const HardeningSettings& hardening)
    : port_(checked(config)),
      hardening_(hardening),
      recorder_(recorder),
      injector_(injector),
      coherence_(coherence) {
  if (recorder != nullptr) {
    recorder->begin(port_, port_.blocks());
    port_.set_block_view(recorder);
  }
  port_.set_time_us(0);
  Port& cached = coherence_ != nullptr ? coherence_->stand_before(port_, config) : port_;
  if (trace) {
    trace_ = std::make_unique<RunTrace>(*trace, config, policy.name, cached);
    memory_.set_recorder(trace_->recorder());
  }
  Port& recorded = trace_ ? trace_->port() : cached;
  Port& port = injector_ != nullptr ? injector_->stand_before(recorded) : recorded;
  // Whole pages of the host, so that their access can be changed.
  constexpr std::size_t kHostPage = 4096;
  const std::size_t needed = Memory::arena_bytes(config, port_);
  const std::size_t whole = align_up(needed, kHostPage);
  arena_.resize(whole + kHostPage);
  void* start = arena_.data();
  std::size_t space = arena_.size();
  std::align(kHostPage, whole, start, space);
  guarded_arena_ = {static_cast<std::byte*>(start), whole};
  const std::span<std::byte> arena = guarded_arena_.first(needed);
  memory_.set_hardening(hardening_);
  if (!memory_.boot(config, policy, port, this, arena)) {
    throw InputError(std::string("platform ") + config.name + ": the heaps of policy " +
                     policy.name + " do not fit its memory");
  }
  boot_mapped_bytes_ = mapped_bytes();
  fault_reporter_.emplace(
      port_,
      [](const void* self, const void* address, char* text, std::size_t size) {
        static_cast<const System*>(self)->describe(address, text, size);
      },
      this);
  fault_reporter_->watch(arena);
  if (coherence_ != nullptr) {
    coherence_->start();
  }
}

System::~System() { shut_down(); }

void System::isolate() {
  fence_.emplace(*this, guarded_arena_);
  fault_reporter_->set_escape(&Fence::escape, &*fence_);
}

void System::pass_time(std::uint64_t time_us) {
  port_.set_time_us(time_us_ += time_us);
  if (trace_) {
    trace_->note_period(time_us_ / 1000);
  }
}

CoreTurns* System::turns() { return coherence_; }

void System::finish_trace() {
  shut_down();
  if (trace_) {
    trace_->finish();
  }
}

void System::shut_down() {
  if (!shut_down_) {
    shut_down_ = true;
    if (injector_ != nullptr) {
      injector_->end(*this);
    }
    if (coherence_ != nullptr) {
      coherence_->end();
    }
    memory_.shutdown();
    if (injector_ != nullptr) {
      injector_->end_of_life(*this);
    }
  }
}

std::size_t System::mapped_bytes() const {
  return std::size_t{memory_.pool().taken()} * config::kPageBytes;
}

void System::on_failure(const Failure& failure) {
  const AudioPathPause pause;
  if (injector_ != nullptr) {
    injector_->note(failure);
  }
  if (first_failure_) {
    return;
  }
  FailureNote note;
  note.owner = failure.owner_name;
  note.owner_id = failure.owner_id;
  note.figures = failure;
  note.figures.guarantee.within = nullptr;  // its name may be gone when it is reported
  note.guarantee = to_text(failure.guarantee);
  for (std::size_t i = 0; i < failure.top_count; ++i) {
    const Failure::TopOwner& top = failure.top_owners[i];
    note.top_owners.push_back({top.name, top.id, top.bytes});
  }
  first_failure_ = std::move(note);
}

void System::on_fault(const Fault& fault) { note(fault, ""); }

void System::on_damage(const Fault& damage) {
  Line line;
  note(damage, describe_damage(line, damage).text());
}

void System::note(const Fault& fault, const char* damage) {
  const AudioPathPause pause;
  const CallSite from = module_call_site();
  FaultNote note;
  note.heap = fault.heap;
  note.owner = fault.owner_name;
  note.owner_id = fault.owner_id;
  note.status = fault.status;
  note.kind = fault.kind;
  note.bytes = fault.bytes;
  note.damage = damage;
  note.advice = advice(fault.kind);
  note.taken_at = fault.site.where != nullptr ? to_text(fault.site) : "";
  note.freed_at = fault.freed_at.where != nullptr ? to_text(fault.freed_at) : "";
  note.place = ModuleCall::current();
  note.function = name_of(from.function);
  note.site = from.site != nullptr ? to_text(Site{from.site, 0}) : "";
  const std::lock_guard<std::mutex> guard(damage_mutex_);
  faults_.push_back(std::move(note));
}

void System::look_for_damage() {
  memory_.check_blocks();
  memory_.empty_quarantine();
}

bool System::on_request(const Request& request) {
  AudioPathWatch::add_bytes(request.bytes);
  const AudioPathPause pause;
  if (recorder_ != nullptr) {
    recorder_->note(request);
  }
  needs_.note(request);
  if (coherence_ != nullptr) {
    coherence_->note(request);
  }
  return injector_ == nullptr || injector_->allows(request);
}

void System::on_leak(const Leak& leak) {
  leaks_.push_back(
      {leak.owner_name, leak.owner_id, leak.bytes, leak.alignment, to_text(leak.site)});
}

void System::describe_access(const void* system, const void* address, char* text,
                             std::size_t size) {
  const auto& self = *static_cast<const System*>(system);
  text[0] = '\0';
  if (self.memory_.locate(address).name != nullptr ||
      self.memory_.page_state(address) != PageState::not_mapped) {
    self.describe(address, text, size);
  }
}

void System::describe(const void* address, char* text, std::size_t size) const {
  const auto offset =
      reinterpret_cast<std::uintptr_t>(address) - reinterpret_cast<std::uintptr_t>(arena_.data());
  if (offset < arena_.size()) {
    std::snprintf(text, size, "in the arena of the library's metadata");
    return;
  }
  const AddressSpace& space = memory_.space();
  if (const std::optional<std::uint32_t> page = space.page_of(address);
      page && space.heap_of(*page) == Fence::kMetadata) {
    std::snprintf(text, size, "in a page of the library's metadata");
    return;
  }
  Line line;
  std::snprintf(text, size, "%s", describe_stray_access(line, memory_, address).text());
}

}  // namespace modmem::testbench
