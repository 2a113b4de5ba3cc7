// Hardening: how much Memory does to find modules that write where they must not.
//
// What is freed twice, or is no block, is found always: no state lies in payload (docs/decisions:
// 2, 5). What a level adds, and what each costs, is docs/hardening.md:
//
//   guard      what the heap rounds a block up by, and guard bytes besides, hold a pattern, which
//              is looked at when the block ends or is resized: an overrun.
//   freed      what is freed is filled, with a pattern or with zeros.
//   quarantine freed blocks wait before their memory is used again; what is no longer filled then
//              was written after its free.
//   random     which end of a hole a block gets, and which of pages that suit alike, is random.
//   read-only  metadata can be written only while Memory runs.
//
// Invariants (Memory::check()): waiting blocks are in no owner's list, live in their heap's engine,
// and their owner lives; their bytes are `waiting_bytes`, at most quarantine_bytes.
// Cost: docs/hardening.md. Without config::kHardeningSupport, none.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "memory/failure.hpp"
#include "memory/site_table.hpp"
#include "modmem/config.hpp"
#include "page/metadata_store.hpp"

namespace modmem {

struct HardeningSettings {
  bool guard = config::kHardenGuard;
  std::uint32_t guard_bytes = config::kHardenGuardBytes;
  bool poison = config::kHardenPoison;                            // fills what is freed
  bool zero = config::kHardenZero;                                // ... with zeros
  std::size_t quarantine_bytes = config::kHardenQuarantineBytes;  // not 0: with poison alone
  bool random_placement = config::kHardenRandomPlacement;
  std::uint32_t seed = 1;  // of what is random: the same seed, the same places
  bool read_only_metadata = config::kHardenReadOnlyMetadata;

  constexpr bool any() const {
    return guard || poison || quarantine_bytes != 0 || random_placement || read_only_metadata;
  }
};

// The levels, as Kconfig's defaults have them.
inline constexpr HardeningSettings kHardeningNone{.guard = false,
                                                  .guard_bytes = 0,
                                                  .poison = false,
                                                  .zero = false,
                                                  .quarantine_bytes = 0,
                                                  .random_placement = false,
                                                  .read_only_metadata = false};
inline constexpr HardeningSettings kHardeningStandard = [] {
  HardeningSettings settings = kHardeningNone;
  settings.guard = true;
  settings.poison = true;
  return settings;
}();
inline constexpr HardeningSettings kHardeningFull = [] {
  HardeningSettings settings = kHardeningStandard;
  settings.guard_bytes = 16;
  settings.quarantine_bytes = 16384;
  settings.random_placement = true;
  settings.read_only_metadata = true;
  return settings;
}();

struct HardeningLevel {
  const char* name;
  HardeningSettings settings;
};
inline constexpr std::array<HardeningLevel, 3> kHardeningLevels{
    {{"none", kHardeningNone}, {"standard", kHardeningStandard}, {"full", kHardeningFull}}};

// The settings of the level called `name`; of the one that is configured, with its single options
// as they are. Returns false where there is no such level.
bool find_hardening(const char* name, HardeningSettings& settings);

// What a Memory is hardened by, and what it notes for that: given to it before boot(), it must
// outlive it. One Memory each.
class Hardening {
 public:
  // What guards and freed memory hold. Neither is an address, an index or a sample that is likely.
  static constexpr std::byte kGuard{0xfd};
  static constexpr std::byte kFreed{0xdd};
  // Most blocks that wait.
  static constexpr std::uint32_t kMostWaiting = 64;

  Hardening() = default;
  explicit Hardening(const HardeningSettings& settings)
      : settings_(settings), random_(settings.seed != 0 ? settings.seed : 1) {}

  const HardeningSettings& settings() const { return settings_; }

 private:
  friend class Memory;

  // A block that was freed and waits: its record, whose it was, and where it was freed.
  struct Waiting {
    std::uint16_t record = SlotStore::kNone;
    std::uint16_t owner = SlotStore::kNone;
    std::uint16_t freed_at = SiteTable::kUnknown;
  };
  // What a call found, to be told of when it is over.
  static constexpr std::uint32_t kMostFound = 4;

  std::byte fill() const { return settings_.zero ? std::byte{0} : kFreed; }
  const Waiting& waiting(std::uint32_t at) const { return waiting_[(first_ + at) % kMostWaiting]; }
  Waiting& waiting(std::uint32_t at) { return waiting_[(first_ + at) % kMostWaiting]; }
  // The `at`th oldest no longer waits.
  Waiting remove(std::uint32_t at) {
    const Waiting gone = waiting(at);
    for (; at > 0; --at) {
      waiting(at) = waiting(at - 1);
    }
    first_ = (first_ + 1) % kMostWaiting;
    --count_;
    return gone;
  }
  void add(const Waiting& block) {
    ++count_;
    waiting(count_ - 1) = block;
  }

  HardeningSettings settings_;
  std::uint32_t random_ = 1;
  std::array<Waiting, kMostWaiting> waiting_{};  // a ring, oldest first
  std::uint32_t first_ = 0;
  std::uint32_t count_ = 0;
  std::size_t waiting_bytes_ = 0;
  std::span<std::byte> arena_;  // Memory's tables
  bool is_read_only_ = false;   // between calls
  std::array<Fault, kMostFound> found_{};
  std::uint32_t found_count_ = 0;
};

}  // namespace modmem
