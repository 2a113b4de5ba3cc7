// CoherenceCheck: has a run's cores work through caches that are not coherent, and reports where
// that shows. docs/coherence.md says what it can see and what not.
//
// It stands between the library and the simulator. SRAM is what lies at the uncached alias. What
// lies at the cached alias is what the cache of the core has that runs: one does at a time
// (CoreTurns), and all pages there are closed when its turn begins. The first access to a page
// fetches its lines (a core that accesses one of them may prefetch the others); when the turn ends,
// those that changed are dirty in that core's cache, and every line of any cache is evicted with a
// chance of one in kEviction. Cache maintenance by the port acts on the calling core's cache alone.
//
// Who wrote follows from the lines themselves. Who read is seen where it matters: a page in which
// the core has a line that memory has newer, or that another cache has dirty, stays closed, and its
// accesses are let in one by one. Where kMostSteps of them meet no such line it is opened for this
// turn (and sooner from then on, until a block is handed out there).
//
// A line that a finding is about is then as if nothing were wrong with it (written back, dropped or
// fetched), where the run could not go on else.
//
// No memory is allocated but by constructors and for new users of blocks (LineUsers), nor a lock
// taken, so accesses may come from the audio path. One at a time in a process.
#pragma once

#include <csignal>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "memory/memory.hpp"
#include "port/host/host_port.hpp"
#include "testbench/coherence/cached_window.hpp"
#include "testbench/coherence/coherence_report.hpp"
#include "testbench/coherence/core_caches.hpp"
#include "testbench/coherence/line_users.hpp"
#include "testbench/core_turns.hpp"

namespace modmem::testbench {

class CoherenceCheck final : public CoreTurns {
 public:
  static constexpr std::uint32_t kEviction = 16;
  static constexpr std::uint16_t kMostSteps = 1024;
  static constexpr std::size_t kMostFindings = 64;

  // The same seed and the same run: the same evictions, and the same order of turns.
  explicit CoherenceCheck(std::uint64_t seed);
  ~CoherenceCheck();
  CoherenceCheck(const CoherenceCheck&) = delete;
  CoherenceCheck& operator=(const CoherenceCheck&) = delete;

  // --- for System ---

  // The port that the system's memory boots with, in place of `port`, which must outlive it and
  // have an uncached alias; its blocks are seen from now on. Throws InputError where it has none,
  // and std::system_error where the host gives no memory.
  Port& stand_before(HostPort& port, const PlatformConfig& platform);
  // The request that the next block is for. Under Memory's lock.
  void note(const Request& request);
  // The memory has booted: accesses are let in from now on.
  void start();
  // The memory is about to be shut down. Writes all back; nothing is found any more, and nothing
  // can be accessed through the cached alias. Does nothing the second time.
  void end();

  // --- CoreTurns ---

  void begin_turn(std::uint32_t core) override;
  std::uint32_t pick(std::uint32_t count) override { return caches_->below(count); }

  CoherenceReport report() const;

 private:
  class CachePort;
  class SeenBlocks;

  enum class PageMode : std::uint8_t {
    unmapped,
    shut,     // not accessed in this turn
    watched,  // loaded, and accesses come one by one
    open,     // loaded
  };
  struct Page {
    PageMode mode = PageMode::unmapped;
    Access access = Access::open;  // that anybody has, also past the caches
    bool metadata = false;         // the library's own
    std::uint16_t patience = kMostSteps;
    std::uint16_t steps = 0;     // that are left in this turn
    std::uint16_t suspects = 0;  // lines with the flag
  };
  struct Finding {
    CoherenceKind kind;
    const char* what;
    std::size_t line;
    std::uint32_t core;
    std::optional<std::uint32_t> other_core;
    LineUsers::User user;
    LineUsers::User other_user;
    std::uint64_t count;
  };
  static constexpr std::size_t kMostStepping = 4;  // pages that an instruction can touch, and more

  bool is_on() const { return started_ && !ended_; }
  std::size_t line_of(std::size_t page) const { return page * lines_in_page_; }
  std::size_t page_of_line(std::size_t line) const { return line / lines_in_page_; }
  std::byte* view_of(std::size_t line) const;
  bool is_loaded(std::size_t page) const;

  // what the port is asked
  void map(std::size_t page);
  void unmap(std::size_t page);
  void move(std::size_t page);
  void set_access(std::size_t page, Access access);
  void write_back(std::size_t at, std::size_t bytes);
  void invalidate(std::size_t at, std::size_t bytes);

  // what becomes of blocks
  void set_metadata(std::size_t at, std::size_t bytes, bool metadata);
  void hand_out(std::size_t at, std::size_t bytes);

  // what a core accesses
  void load(std::size_t page);
  void unload(std::size_t page);
  void take_in(std::size_t page);
  void absorb(std::size_t line, bool at_end);
  void end_turn();
  void evict();
  void write_line(std::uint32_t core, std::size_t line);
  void drop_dirty_of_others(std::size_t line, const char* what, LineUsers::User user);
  void clear_suspect(std::size_t line);
  bool on_access(std::size_t at, bool is_store, void* context);
  void look_at(std::size_t line, bool is_store);
  bool on_trap(void* context);
  static void on_fault_signal(int signal, siginfo_t* info, void* context);
  static void on_trap_signal(int signal, siginfo_t* info, void* context);

  void find(CoherenceKind kind, const char* what, std::size_t line, std::uint32_t core,
            std::optional<std::uint32_t> other_core, LineUsers::User user,
            LineUsers::User other_user = LineUsers::kNobody);

  std::uint64_t seed_;
  HostPort* host_ = nullptr;
  std::unique_ptr<CachePort> port_;
  std::unique_ptr<SeenBlocks> blocks_;
  std::unique_ptr<CachedWindow> window_;
  std::unique_ptr<CoreCaches> caches_;
  std::unique_ptr<LineUsers> users_;
  std::size_t lines_in_page_ = 0;
  std::vector<Page> pages_;
  std::vector<bool> suspect_;              // by line
  std::vector<std::uint8_t> last_writer_;  // by line: core + 1 that wrote it to memory, 0: none
  std::vector<std::size_t> loaded_;        // pages of this turn
  std::size_t stepping_[kMostStepping]{};  // pages that are open for one instruction
  std::size_t stepping_count_ = 0;
  std::uint32_t current_ = 0;
  bool is_locked_ = false;  // by the library
  bool started_ = false;
  bool ended_ = false;
  struct sigaction previous_segv_ {};
  struct sigaction previous_trap_ {};
  std::vector<Finding> findings_;
  CoherenceReport figures_;
};

}  // namespace modmem::testbench
