// TestSystem: a booted Memory on the simulator, which notes all that its observer is told.
#pragma once

#include <sys/wait.h>

#include <algorithm>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <ostream>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "memory/memory.hpp"
#include "memory/testing/checking_port.hpp"
#include "modmem/presets.hpp"
#include "port/posix/asan_blocks.hpp"

namespace modmem {

// How GoogleTest shows them.
inline void PrintTo(PointerStatus status, std::ostream* out) { *out << to_string(status); }
inline void PrintTo(FailureReason reason, std::ostream* out) { *out << to_string(reason); }

}  // namespace modmem

namespace modmem::testing {

// `name` as GoogleTest takes it for a parameter.
inline std::string test_name(std::string name) {
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

// True where the policy's heaps need an MMU.
inline bool needs_mmu(const Policy& policy) {
  return policy.slots == HeapKind::slots || policy.system == HeapKind::slots;
}

// The preset called `name`.
inline PlatformConfig preset(const std::string& name) {
  for (const PlatformConfig& one : config::kPresets) {
    if (name == one.name) {
      return one;
    }
  }
  throw std::invalid_argument("no preset " + name);
}

// A small platform: `frames` frames of pool, four of them a bank.
inline PlatformConfig small_platform(bool has_mmu, std::size_t frames) {
  PlatformConfig config = preset(has_mmu ? "mtl" : "mcu");
  config.name = has_mmu ? "small" : "small-mcu";
  config.bank_bytes = 4 * config::kPageBytes;
  config.reserve_bytes = 2 * config::kPageBytes;
  config.sram_bytes = config.reserve_bytes + frames * config::kPageBytes;
  config.window_bytes = has_mmu ? 8 * frames * config::kPageBytes : 0;
  config.span_bytes = has_mmu ? frames / 2 * config::kPageBytes : 0;
  config.arena_bytes = 0;
  config.slots_arena_bytes = 16 * config::kPageBytes;
  return config;
}

// Memory for a MetadataArena of exactly `bytes`, aligned as it must be. Reading or writing past its
// end is seen by AddressSanitizer.
class ArenaMemory {
 public:
  explicit ArenaMemory(std::size_t bytes)
      : bytes_(bytes),
        memory_(static_cast<std::byte*>(
            ::operator new (bytes, std::align_val_t{MetadataArena::kAlignment}))) {}
  ~ArenaMemory() { ::operator delete (memory_, std::align_val_t{MetadataArena::kAlignment}); }
  ArenaMemory(const ArenaMemory&) = delete;
  ArenaMemory& operator=(const ArenaMemory&) = delete;

  std::span<std::byte> span() const { return {memory_, bytes_}; }

 private:
  std::size_t bytes_;
  std::byte* memory_;
};

// Keeps what Memory reports.
class NotingObserver final : public MemoryObserver {
 public:
  void on_failure(const Failure& failure) override { failures.push_back(failure); }
  void on_fault(const Fault& fault) override { faults.push_back(fault); }
  void on_leak(const Leak& leak) override { leaks.push_back(leak); }

  std::vector<Failure> failures;
  std::vector<Fault> faults;
  std::vector<Leak> leaks;
};

// What the pool looks like, to compare before and after.
struct PoolState {
  std::uint32_t taken = 0;
  std::uint32_t reserved = 0;
  std::uint32_t banks_on = 0;
  std::vector<bool> frames;
  std::size_t port_pages = 0;
  std::size_t port_banks = 0;
  bool operator==(const PoolState&) const = default;
};

inline PoolState pool_state(const PagePool& pool, const CheckingPort& port) {
  PoolState state{pool.taken(), pool.reserved(),     pool.banks_on(),
                  {},           port.mapped_pages(), port.banks_on()};
  for (std::uint32_t frame = 0; frame < pool.frames(); ++frame) {
    state.frames.push_back(pool.is_taken(Frame{static_cast<std::uint16_t>(frame)}));
  }
  return state;
}

#if defined(__SANITIZE_THREAD__)
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = kAddressSanitizer;
#endif

// Whether a child with this exit status died of an access that the memory's protection forbids: by
// the signal, or by AddressSanitizer or ThreadSanitizer, which get it first.
inline bool died_of_access(int status) {
#if defined(__SANITIZE_THREAD__)
  constexpr int kReported = 66;
#else
  constexpr int kReported = 1;
#endif
  return kSanitized ? WIFEXITED(status) && WEXITSTATUS(status) == kReported
                    : WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV;
}

class TestSystem {
 public:
  // Hardened as far as that takes no memory, so that all tests run with it.
  explicit TestSystem(const PlatformConfig& config, const Policy& policy = kElasticPolicy,
                      bool side_memories = false,
                      const HardeningSettings& hardening = kHardeningStandard)
      : config_(config),
        policy_(policy),
        port_(config, side_memories),
        arena_(Memory::arena_bytes(config, port_)),
        hardening_(hardening),
        memory_(std::make_unique<Memory>()) {
    memory_->set_hardening(hardening_);
    if (!memory_->boot(config_, policy_, port_, &observer_, arena_.span())) {
      throw std::runtime_error("boot failed");
    }
    running_ = true;
  }
  ~TestSystem() {
    if (running_) {
      memory_->shutdown();
    }
  }
  TestSystem(const TestSystem&) = delete;
  TestSystem& operator=(const TestSystem&) = delete;

  Memory& memory() { return *memory_; }
  CheckingPort& port() { return port_; }
  const HardeningSettings& hardening() const { return hardening_.settings(); }
  NotingObserver& seen() { return observer_; }
  const PlatformConfig& config() const { return config_; }

  std::size_t shutdown() {
    running_ = false;
    return memory_->shutdown();
  }

  PoolState pool_state() { return testing::pool_state(memory_->pool(), port_); }
  bool check() const { return memory_->check(CheckDepth::deep); }

  Owner& pipeline(std::uint32_t id = 1, std::size_t guarantee = 0,
                  std::size_t limit = OwnerSpec::kNoLimit) {
    return owner(memory_->system(), {OwnerKind::pipeline, id, "pipeline", limit, guarantee});
  }
  Owner& module(Owner& parent, std::uint32_t id = 0x10001,
                std::size_t limit = OwnerSpec::kNoLimit) {
    return owner(parent, {OwnerKind::module, id, "module", limit, 0});
  }
  Owner& owner(Owner& parent, const OwnerSpec& spec) {
    Owner* created = memory_->create_owner(parent, spec);
    if (created == nullptr) {
      throw std::runtime_error("no owner");
    }
    return *created;
  }

  // The report of the heap that `pointer` lies in.
  HeapReport heap_of(const void* pointer) { return memory_->locate(pointer); }

  // The report of the heap called `name`.
  HeapReport heap(const std::string& name) {
    HeapReport result;
    result.name = nullptr;
    memory_->for_each_heap([&](const HeapReport& report) {
      if (name == report.name) {
        result = report;
      }
    });
    return result;
  }

 private:
  PlatformConfig config_;
  Policy policy_;
  CheckingPort port_;
  ArenaMemory arena_;
  Hardening hardening_;
  NotingObserver observer_;
  std::unique_ptr<Memory> memory_;
  bool running_ = false;
};

// All figures that only successful calls may change: for "nothing changed".
struct Figures {
  PoolState pool;
  std::vector<std::size_t> numbers;
  bool operator==(const Figures&) const = default;
};

inline void add_owner_figures(const Owner& owner, Figures& figures) {
  figures.numbers.insert(figures.numbers.end(),
                         {owner.own, owner.own_peak, owner.tree, owner.tree_peak, owner.allocations,
                          owner.frees, std::size_t{owner.newest}});
  for (const Owner* child = owner.first_child; child != nullptr; child = child->next_sibling) {
    add_owner_figures(*child, figures);
  }
}

inline Figures figures(TestSystem& system) {
  Figures result{system.pool_state(), {}};
  system.memory().for_each_heap([&](const HeapReport& heap) {
    result.numbers.insert(result.numbers.end(), {heap.live_bytes, heap.peak_live_bytes,
                                                 heap.mapped_bytes, heap.allocations, heap.frees});
  });
  add_owner_figures(system.memory().system(), result);
  return result;
}

inline bool is_aligned(const void* pointer, std::size_t alignment) {
  return reinterpret_cast<std::uintptr_t>(pointer) % alignment == 0;
}

}  // namespace modmem::testing
