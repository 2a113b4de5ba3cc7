// Injector: has one thing that a run asks for fail, and sees what the run leaves behind.
//
// Between begin() and end() it counts, for each kind, what may fail: requests for blocks, mappings
// and power-ups of banks. Of one kind it refuses the one with a given number, and no other. At
// end(), when all is torn down, nothing may be left of what was not there at begin():
//
//   live bytes, mapped bytes, banks that are on, heaps (end) <= those at begin()
//   no owner but the system, no leak, no wrong free, Memory::check(deep)
//
// Cost: O(1) for each request and page; a deep check at the end.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "memory/memory.hpp"
#include "port/port.hpp"

namespace modmem::testbench {

class System;

enum class FailKind : std::uint8_t { allocation, mapping, power };
inline constexpr std::array kFailKinds{FailKind::allocation, FailKind::mapping, FailKind::power};
const char* to_string(FailKind kind);

// What was made to fail. A mapping or a power-up is that of the request that failed by it; where
// none did, site and owner are empty: it was for an owner or an admission, or the library did
// without.
struct Injection {
  std::string site;
  std::string owner;
  std::size_t bytes = 0;
};

enum class ProblemKind : std::uint8_t {
  crash,         // the process ended
  stray_access,  // a module reached out of its domain, and was removed
  wrong_answer,  // an error that does not say that memory ran out
  leak,
  wrong_free,
  damage,       // bytes behind a block, or of one that was freed, were written
  left_behind,  // memory, banks or owners
  broken,       // modmem's own invariants
  audio_path,   // allocated there
  processing,   // a module that was set up does not process
  irregular,    // the run was another one
};
const char* to_string(ProblemKind kind);

struct Problem {
  ProblemKind kind = ProblemKind::crash;
  std::string owner;  // whose it is; empty: nobody's in particular
  std::string text;   // what was wrong, in plain words
};

class Injector {
 public:
  // Counts only.
  Injector();
  // The `number`-th (from 1) of `kind` fails; `on_injection` is told as soon as it is known what
  // that was, under Memory's lock.
  Injector(FailKind kind, std::uint64_t number,
           std::function<void(const Injection&)> on_injection = {});
  ~Injector();
  Injector(const Injector&) = delete;
  Injector& operator=(const Injector&) = delete;

  // --- for System ---

  // The port that the system's memory boots with. Both must outlive it.
  Port& stand_before(Port& port);
  // False where the request is to fail. Under Memory's lock.
  bool allows(const Request& request);
  // A request failed. Under Memory's lock.
  void note(const Failure& failure);
  // All is torn down, and the memory has not been shut down yet. Notes what is left; counts and
  // refuses nothing any more.
  void end(System& system);
  // The memory has been shut down.
  void end_of_life(const System& system);

  // --- for who plays ---

  // Nothing of what is to be played exists yet.
  void begin(System& system);
  void add(Problem problem) { problems_.push_back(std::move(problem)); }

  std::uint64_t count(FailKind kind) const { return counts_[static_cast<std::size_t>(kind)]; }
  // What failed; nullopt where the run was over before.
  const std::optional<Injection>& injection() const { return injection_; }
  const std::vector<Problem>& problems() const { return problems_; }

 private:
  class InjectedPort;

  struct State {
    std::size_t live_bytes = 0;
    std::size_t mapped_bytes = 0;
    std::uint32_t banks_on = 0;
    std::size_t heaps = 0;
  };

  static State state_of(System& system);
  std::string name_of(std::uint32_t id, const std::string& name) const;
  bool passes(FailKind kind);
  void tell();

  std::optional<FailKind> kind_;
  std::uint64_t number_ = 0;
  std::function<void(const Injection&)> on_injection_;
  std::unique_ptr<InjectedPort> port_;
  bool armed_ = false;
  bool waits_for_request_ = false;  // a mapping failed; whose it was is not known yet
  State before_;
  std::array<std::uint64_t, kFailKinds.size()> counts_{};
  std::map<std::uint32_t, std::string> components_;  // of loaded modules, by their accounts' ids
  std::optional<Injection> injection_;
  std::vector<Problem> left_;  // found at end(); what leaks explain is no problem of its own
  std::vector<Problem> problems_;
};

}  // namespace modmem::testbench
