// SiteTable: the call sites that blocks come from, each once.
//
// A record names its site by a number. A program has as many sites as it has calls, so the table
// has a fixed size and sites stay in it; a site that finds no room is reported as unknown.
//
// Invariant (check()): a site is in the list of its bucket, once. Cost: O(sites / buckets) at
// worst; a program of 500 sites looks at 8. Not thread-safe: Memory's lock is held.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/arena.hpp"

namespace modmem {

// Where a request comes from: a source position (line not 0), or a code address.
struct Site {
  const void* where = nullptr;  // file name, a C string, where line is not 0; else a code address
  std::uint32_t line = 0;

  // The source position of the call, also of one whose default argument this is.
  static constexpr Site here(const char* file = __builtin_FILE(),
                             std::uint32_t line = __builtin_LINE()) {
    return {file, line};
  }
  constexpr bool operator==(const Site&) const = default;
};

// For a default argument: `Site site = MODMEM_HERE`. (g++ names the declaration, not the call,
// where the position stands in braces.)
#define MODMEM_HERE ::modmem::Site::here()

class SiteTable {
 public:
  // The number of a site that is not known.
  static constexpr std::uint16_t kUnknown = 0xffff;

  // Room for `most` (fewer than kUnknown) sites. Returns false where the arena has too little.
  bool boot(std::uint32_t most, MetadataArena& arena) {
    most_ = most;
    entries_ = arena.take<Entry>(most);
    return entries_ != nullptr;
  }

  // The number of `site`, which is noted where it is new. kUnknown exactly for the empty site, and
  // where there is no room for a new one.
  std::uint16_t number_of(const Site& site) {
    if (site.where == nullptr) {
      return kUnknown;
    }
    std::uint16_t& bucket = buckets_[bucket_of(site)];
    for (std::uint16_t at = bucket; at != 0; at = entries_[at - 1U].next) {
      if (entries_[at - 1U].site == site) {
        return static_cast<std::uint16_t>(at - 1U);
      }
    }
    if (used_ == most_) {
      return kUnknown;
    }
    entries_[used_] = {site, bucket};
    bucket = static_cast<std::uint16_t>(++used_);
    return static_cast<std::uint16_t>(used_ - 1U);
  }

  Site operator[](std::uint16_t number) const {
    return number < used_ ? entries_[number].site : Site{};
  }

  std::uint32_t used() const { return used_; }
  // Bytes that a site takes where pointers have 32 bits.
  static constexpr std::size_t kTargetBytes = 12;
  static const std::size_t kEntryBytes;

  // Forgets all sites.
  void clear() {
    used_ = 0;
    for (std::uint16_t& bucket : buckets_) {
      bucket = 0;
    }
  }

  bool check() const {
    std::uint32_t found = 0;
    for (std::uint32_t bucket = 0; bucket < kBuckets; ++bucket) {
      for (std::uint16_t at = buckets_[bucket]; at != 0; at = entries_[at - 1U].next) {
        if (at > used_ || bucket_of(entries_[at - 1U].site) != bucket || ++found > used_) {
          return false;
        }
      }
    }
    return found == used_;
  }

 private:
  static constexpr std::uint32_t kBuckets = 64;

  struct Entry {
    Site site;
    std::uint16_t next = 0;  // number + 1 of the next one in the bucket, 0 for none
  };

  // Fibonacci hashing (Knuth, "The Art of Computer Programming", vol. 3, 6.4).
  static std::uint32_t bucket_of(const Site& site) {
    const auto where = reinterpret_cast<std::uintptr_t>(site.where);
    const auto mixed = static_cast<std::uint32_t>(where) ^ site.line * 31U;
    return mixed * 2654435769U >> 26;
  }
  static_assert(kBuckets == 1U << (32 - 26));

  Entry* entries_ = nullptr;
  std::uint32_t most_ = 0;
  std::uint32_t used_ = 0;
  std::uint16_t buckets_[kBuckets] = {};  // number + 1 of the first one, 0 for none
};

inline constexpr std::size_t SiteTable::kEntryBytes = sizeof(Entry);

}  // namespace modmem
