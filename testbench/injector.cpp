#include "testbench/injector.hpp"

#include <algorithm>
#include <map>
#include <string_view>
#include <utility>

#include "port/forwarding_port.hpp"
#include "testbench/modules/call_site.hpp"
#include "testbench/system.hpp"

namespace modmem::testbench {

const char* to_string(FailKind kind) {
  switch (kind) {
    case FailKind::allocation:
      return "allocation";
    case FailKind::mapping:
      return "mapping";
    case FailKind::power:
      return "power-up";
  }
  return "";
}

const char* to_string(ProblemKind kind) {
  switch (kind) {
    case ProblemKind::crash:
      return "crash";
    case ProblemKind::stray_access:
      return "stray access";
    case ProblemKind::wrong_answer:
      return "wrong answer";
    case ProblemKind::leak:
      return "leak";
    case ProblemKind::wrong_free:
      return "wrong free";
    case ProblemKind::damage:
      return "damage";
    case ProblemKind::left_behind:
      return "left behind";
    case ProblemKind::broken:
      return "broken";
    case ProblemKind::audio_path:
      return "audio path";
    case ProblemKind::processing:
      return "processing";
    case ProblemKind::irregular:
      return "irregular";
  }
  return "";
}

// A port, and those of low-power SRAM and L3 behind it.
class Injector::InjectedPort final : public ForwardingPort {
 public:
  InjectedPort(Port& port, Injector& injector)
      : ForwardingPort(&port),
        injector_(injector),
        low_power_(port.low_power(), injector, true),
        l3_(port.l3(), injector, false) {}

  bool map(Page page, Frame frame) override {
    return injector_.passes(FailKind::mapping) && ForwardingPort::map(page, frame);
  }
  bool remap(Page page, Frame from, Frame to) override {
    return injector_.passes(FailKind::mapping) && ForwardingPort::remap(page, from, to);
  }
  bool set_bank_power(Bank bank, bool on) override {
    return (!on || injector_.passes(FailKind::power)) && ForwardingPort::set_bank_power(bank, on);
  }
  // What is refused on purpose is no news; the report says it.
  void log(LogLevel level, const char* line) override {
    if (!injector_.injection_) {
      ForwardingPort::log(level, line);
    }
  }
  Port* low_power() override { return low_power_.or_none(); }
  Port* l3() override { return l3_.or_none(); }

 private:
  class Side final : public ForwardingPort {
   public:
    // `has_power`: it is switched, as L3's is not.
    Side(Port* port, Injector& injector, bool has_power)
        : ForwardingPort(port), injector_(injector), has_power_(has_power) {}

    bool map(Page page, Frame frame) override {
      return injector_.passes(FailKind::mapping) && ForwardingPort::map(page, frame);
    }
    bool remap(Page page, Frame from, Frame to) override {
      return injector_.passes(FailKind::mapping) && ForwardingPort::remap(page, from, to);
    }
    bool set_bank_power(Bank bank, bool on) override {
      return (!on || !has_power_ || injector_.passes(FailKind::power)) &&
             ForwardingPort::set_bank_power(bank, on);
    }
    Port* or_none() { return port() != nullptr ? this : nullptr; }

   private:
    Injector& injector_;
    bool has_power_;
  };

  Injector& injector_;
  Side low_power_;
  Side l3_;
};

Injector::Injector() = default;

Injector::Injector(FailKind kind, std::uint64_t number,
                   std::function<void(const Injection&)> on_injection)
    : kind_(kind), number_(number), on_injection_(std::move(on_injection)) {}

Injector::~Injector() = default;

Port& Injector::stand_before(Port& port) {
  port_ = std::make_unique<InjectedPort>(port, *this);
  return *port_;
}

Injector::State Injector::state_of(System& system) {
  Memory& memory = system.memory();
  while (memory.drain(UINT32_MAX) != 0) {
  }
  memory.trim();
  State state;
  state.live_bytes = memory.system().tree;
  state.mapped_bytes = system.mapped_bytes();
  state.banks_on = memory.pool().banks_on();
  // Without the system's heaps of other cores, which stay once they are there.
  memory.for_each_heap([&](const HeapReport& heap) {
    state.heaps += std::string_view(heap.name).starts_with("system-") ? 0 : 1;
  });
  return state;
}

void Injector::begin(System& system) {
  before_ = state_of(system);
  armed_ = true;
}

bool Injector::passes(FailKind kind) {
  if (!armed_) {
    return true;
  }
  const std::uint64_t number = ++counts_[static_cast<std::size_t>(kind)];
  if (kind != kind_ || number != number_) {
    return true;
  }
  injection_.emplace();
  waits_for_request_ = kind != FailKind::allocation;
  return false;
}

// The owner called `name` with this id, or, where it is a loaded module's account, the component
// that it lies below: all such accounts have one name.
std::string Injector::name_of(std::uint32_t id, const std::string& name) const {
  const auto component = components_.find(id);
  return component != components_.end() ? component->second : name;
}

bool Injector::allows(const Request& request) {
  waits_for_request_ = false;
  const Owner* owner = request.owner;
  if (owner != nullptr && owner->spec.kind == OwnerKind::module && owner->parent != nullptr &&
      owner->parent->spec.kind == OwnerKind::module) {
    components_[owner->spec.id] = owner->parent->spec.name;
  }
  if (passes(FailKind::allocation)) {
    return true;
  }
  injection_ = {to_text(request.site),
                owner != nullptr ? name_of(owner->spec.id, owner->spec.name) : "system",
                request.bytes};
  tell();
  return false;
}

void Injector::note(const Failure& failure) {
  if (waits_for_request_) {
    waits_for_request_ = false;
    injection_ = {to_text(failure.site), name_of(failure.owner_id, failure.owner_name),
                  failure.bytes};
    tell();
  }
}

void Injector::tell() {
  if (on_injection_) {
    on_injection_(*injection_);
  }
}

void Injector::end(System& system) {
  if (!armed_) {
    return;
  }
  armed_ = false;
  // What is kept for a time is due by now.
  constexpr std::uint64_t kLongUs = 3'600'000'000;
  system.pass_time(kLongUs);
  const State after = state_of(system);
  const auto require = [&](std::size_t now, std::size_t before, const char* unit) {
    if (now > before) {
      left_.push_back({ProblemKind::left_behind, "",
                       std::to_string(now - before) + " " + unit + " after tear-down"});
    }
  };
  require(after.live_bytes, before_.live_bytes, "B more allocated");
  require(after.mapped_bytes, before_.mapped_bytes, "B more mapped");
  require(after.banks_on, before_.banks_on, "banks more on");
  require(after.heaps, before_.heaps, "heaps more");
  const Memory& memory = system.memory();
  for (const Owner* owner = memory.system().first_child; owner != nullptr;
       owner = owner->next_sibling) {
    problems_.push_back(
        {ProblemKind::left_behind, owner->spec.name, "is still there after tear-down"});
  }
  if (!memory.check(CheckDepth::deep)) {
    problems_.push_back({ProblemKind::broken, "", "modmem's invariants do not hold"});
  }
}

void Injector::end_of_life(const System& system) {
  struct Sum {
    std::size_t blocks = 0;
    std::size_t bytes = 0;
  };
  std::map<std::pair<std::string, std::string>, Sum> leaks;  // by owner and site
  for (const LeakNote& leak : system.leaks()) {
    Sum& sum = leaks[{name_of(leak.owner_id, leak.owner), leak.site}];
    ++sum.blocks;
    sum.bytes += leak.bytes;
  }
  if (leaks.empty()) {
    problems_.insert(problems_.end(), left_.begin(), left_.end());
  }
  for (const auto& [key, sum] : leaks) {
    problems_.push_back({ProblemKind::leak, key.first,
                         "left " + std::to_string(sum.blocks) +
                             (sum.blocks == 1 ? " block" : " blocks") + " behind (" +
                             std::to_string(sum.bytes) + " B), taken at " + key.second});
  }
  for (const FaultNote& fault : system.faults()) {
    if (!fault.damage.empty()) {
      problems_.push_back({ProblemKind::damage, name_of(fault.owner_id, fault.owner),
                           fault.damage + ", taken at " + fault.taken_at});
      continue;
    }
    problems_.push_back({ProblemKind::wrong_free, name_of(fault.owner_id, fault.owner),
                         std::string("gave back what was not its own or not there any more (") +
                             modmem::to_string(fault.status) + ")"});
  }
}

}  // namespace modmem::testbench
