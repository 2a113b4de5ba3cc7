// CachePort: the simulator with a data cache for each core, and no coherence between them.
//
// A cache has whatever lines its core wrote or read, until they are evicted, which a test decides,
// line by line, at any time later. An evicted dirty line is written to whatever memory lies at its
// address then: that is how one core's past use overwrites another's present one. The library's
// calls of cache_writeback() and cache_invalidate() act on the cache of the calling core alone;
// unmap() drops the page's lines of all, as port/port.hpp says.
//
// What the library itself writes goes to memory at once, through either alias. With
// forbid_cached(), it may touch the window by the uncached alias only, and dies where it does not.
#pragma once

#include <sys/mman.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <vector>

#include "modmem/config.hpp"
#include "port/host/host_port.hpp"

namespace modmem::testing {

class CachePort final : public Port {
 public:
  static constexpr std::size_t kLine = 64;
  static constexpr std::uint32_t kCores = 3;

  explicit CachePort(const PlatformConfig& config) : host_(config) {}

  // From now on pages that are mapped are not accessible by the cached alias.
  void forbid_cached() { cached_forbidden_ = true; }

  // --- what programs on a core do, by the cached alias ---

  void write(std::uint32_t core, std::byte* address, std::size_t bytes, unsigned seed) {
    for (std::size_t i = 0; i < bytes; ++i) {
      Line& line = fetch(core, address + i);
      line.bytes[offset(address + i)] = pattern(i, seed);
      line.dirty = true;
    }
  }

  // True where the core sees there what write() with that seed would write.
  bool reads(std::uint32_t core, std::byte* address, std::size_t bytes, unsigned seed) {
    for (std::size_t i = 0; i < bytes; ++i) {
      if (fetch(core, address + i).bytes[offset(address + i)] != pattern(i, seed)) {
        return false;
      }
    }
    return true;
  }

  // The same past the cache, by whoever it is.
  void write_past(std::byte* cached, std::size_t bytes, unsigned seed) {
    for (std::size_t i = 0; i < bytes; ++i) {
      *memory(cached + i) = pattern(i, seed);
    }
  }
  bool reads_past(std::byte* cached, std::size_t bytes, unsigned seed) const {
    for (std::size_t i = 0; i < bytes; ++i) {
      if (*memory(cached + i) != pattern(i, seed)) {
        return false;
      }
    }
    return true;
  }

  // Lines that are waiting to be written back; writes the `index`-th of them.
  std::size_t dirty_lines() const {
    std::size_t count = 0;
    for (const auto& cache : caches_) {
      for (const auto& [address, line] : cache) {
        count += line.dirty ? 1 : 0;
      }
    }
    return count;
  }
  void evict_dirty(std::size_t index) {
    for (auto& cache : caches_) {
      for (auto at = cache.begin(); at != cache.end(); ++at) {
        if (at->second.dirty && index-- == 0) {
          write_back(at->first, at->second);
          cache.erase(at);
          return;
        }
      }
    }
  }
  void evict_all() {
    for (auto& cache : caches_) {
      for (auto& [address, line] : cache) {
        write_back(address, line);
      }
      cache.clear();
    }
  }

  // --- Port ---

  std::byte* window() const override { return host_.window(); }
  std::ptrdiff_t alias_offset() const override { return host_.alias_offset(); }
  bool map(Page page, Frame frame) override {
    if (!host_.map(page, frame)) {
      return false;
    }
    mapped_[number(page)] = true;
    return !cached_forbidden_ || mprotect(window() + std::size_t{number(page)} * config::kPageBytes,
                                          config::kPageBytes, PROT_NONE) == 0;
  }
  void unmap(Page page) override {
    std::byte* const start = window() + std::size_t{number(page)} * config::kPageBytes;
    for (auto& cache : caches_) {
      drop(cache, start, config::kPageBytes);
    }
    mapped_[number(page)] = false;
    host_.unmap(page);
  }
  bool set_bank_power(Bank bank, bool on) override { return host_.set_bank_power(bank, on); }
  void cache_writeback(std::byte* address, std::size_t bytes) override {
    for (auto& [at, line] : caches_.at(core_id())) {
      if (at >= address && at < address + bytes) {
        write_back(at, line);
      }
    }
  }
  void cache_invalidate(std::byte* address, std::size_t bytes) override {
    drop(caches_.at(core_id()), address, bytes);
  }
  void lock() override { host_.lock(); }
  void unlock() override { host_.unlock(); }
  std::uintptr_t thread_id() const override { return host_.thread_id(); }
  std::uint32_t core_id() const override { return host_.core_id(); }
  bool on_audio_path() const override { return false; }
  std::uint64_t time_us() const override { return host_.time_us(); }
  void log(LogLevel level, const char* line) override { host_.log(level, line); }

 private:
  struct Line {
    std::array<std::byte, kLine> bytes{};
    bool dirty = false;
  };
  using Cache = std::map<std::byte*, Line>;

  static std::byte pattern(std::size_t place, unsigned seed) {
    return static_cast<std::byte>(place * 7 + seed * 31 + 1);
  }
  std::size_t offset(const std::byte* address) const {
    return static_cast<std::size_t>(address - window()) % kLine;
  }
  std::byte* memory(std::byte* cached) const { return cached + alias_offset(); }

  Line& fetch(std::uint32_t core, std::byte* address) {
    std::byte* const start = address - offset(address);
    Cache& cache = caches_.at(core);
    const auto found = cache.find(start);
    if (found != cache.end()) {
      return found->second;
    }
    Line& line = cache[start];
    std::memcpy(line.bytes.data(), memory(start), kLine);
    return line;
  }
  void write_back(std::byte* address, Line& line) {
    const auto page = static_cast<std::size_t>(address - window()) / config::kPageBytes;
    if (line.dirty && mapped_[page]) {
      std::memcpy(memory(address), line.bytes.data(), kLine);
    }
    line.dirty = false;
  }
  static void drop(Cache& cache, std::byte* address, std::size_t bytes) {
    cache.erase(cache.lower_bound(address), cache.lower_bound(address + bytes));
  }

  HostPort host_;
  bool cached_forbidden_ = false;
  std::map<std::size_t, bool> mapped_;
  std::array<Cache, kCores> caches_;
};

}  // namespace modmem::testing
