// PageWorld: a simulated or a fake platform with a pool and an address space on it, for tests.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <vector>

#include "modmem/config.hpp"
#include "page/address_space.hpp"
#include "page/page_pool.hpp"
#include "port/host/host_port.hpp"
#include "port/testing/fake_port.hpp"

namespace modmem {

// A platform of so many frames, in banks of 8, with a window four times the pool.
inline PlatformConfig small_platform(bool has_mmu, std::uint32_t frames) {
  PlatformConfig config{};
  config.name = "small";
  config.bank_bytes = 8 * config::kPageBytes;
  config.reserve_bytes = 4 * config::kPageBytes;
  config.sram_bytes = config.reserve_bytes + frames * config::kPageBytes;
  config.cores = 1;
  config.has_mmu = has_mmu;
  config.window_bytes = has_mmu ? std::size_t{4} * frames * config::kPageBytes : 0;
  config.span_bytes = has_mmu ? std::size_t{frames / 2} * config::kPageBytes : 0;
  config.cache_line_bytes = 64;
  config.dma_alignment = 128;
  config.headroom_divisor = 8;
  config.policy = "elastic";
  config.max_heaps = 16;
  config.max_owners = 16;
  config.max_sites = 256;
  return config;
}

enum class PortKind : std::uint8_t { host, fake };

class PageWorld {
 public:
  PageWorld(const PlatformConfig& config, PortKind kind) : config_(config) {
    if (kind == PortKind::host) {
      host_.emplace(config_);
    } else {
      fake_.emplace(config_);
    }
    // Far more than the tables need; how much that is, is no business of this test.
    arena_memory_.resize(65536 + 64 * (std::size_t{frames()} + window_pages()));
    arena_ = MetadataArena(arena_memory_);
    if (!pool_.boot(config_, port(), arena_) || !space_.boot(config_, port(), pool_, arena_)) {
      std::abort();
    }
  }

  const PlatformConfig& config() const { return config_; }
  Port& port() { return host_ ? static_cast<Port&>(*host_) : static_cast<Port&>(*fake_); }
  // The port by its own type; not both are there.
  HostPort& host() { return *host_; }
  FakePort& fake() { return *fake_; }
  bool is_fake() const { return fake_.has_value(); }
  void fail_maps_after(std::uint64_t count) {
    if (host_) {
      host_->fail_maps_after(count);
    } else {
      fake_->fail_maps_after(count);
    }
  }
  void break_bank(Bank bank, bool broken) {
    if (host_) {
      host_->break_bank(bank, broken);
    } else {
      fake_->break_bank(bank, broken);
    }
  }

  MetadataArena& arena() { return arena_; }
  PagePool& pool() { return pool_; }
  const PagePool& pool() const { return pool_; }
  AddressSpace& space() { return space_; }
  const AddressSpace& space() const { return space_; }

  std::uint32_t frames() const {
    return static_cast<std::uint32_t>((config_.sram_bytes - config_.reserve_bytes) /
                                      config::kPageBytes);
  }
  std::uint32_t window_pages() const {
    return config_.has_mmu ? static_cast<std::uint32_t>(config_.window_bytes / config::kPageBytes)
                           : frames();
  }
  std::uint32_t span_pages() const {
    return static_cast<std::uint32_t>(config_.span_bytes / config::kPageBytes);
  }

  // True where all invariants hold and the port's requirements were kept.
  bool check() const {
    return pool_.check() && space_.check() && (!fake_ || fake_->violations() == 0);
  }

 private:
  PlatformConfig config_;
  std::optional<HostPort> host_;
  std::optional<FakePort> fake_;
  std::vector<std::byte> arena_memory_;
  MetadataArena arena_;
  PagePool pool_;
  AddressSpace space_;
};

}  // namespace modmem
