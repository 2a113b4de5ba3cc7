// Distribution: every one of the counts of one kind of call, in a fixed array, and what the report
// says of them: least, mean, the 99th of 100, most.
//
// Invariant: count <= kMost. Cost: add() O(1); summary() sorts, O(n log^2 n).
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>

namespace modmem::firmware {

class Distribution {
 public:
  static constexpr std::uint32_t kMost = 3000;

  struct Summary {
    std::uint32_t count = 0;
    std::uint32_t least = 0;
    std::uint32_t mean = 0;  // rounded
    std::uint32_t p99 = 0;   // the smallest count that 99 % of all do not exceed
    std::uint32_t most = 0;
  };

  // Returns false where there is no room.
  bool add(std::uint32_t count);
  void clear() { size_ = 0; }
  std::uint32_t size() const { return size_; }
  // Sorts what there is.
  Summary summary();

 private:
  std::uint32_t size_ = 0;
  std::uint32_t counts_[kMost];
};

// Writes `kind`, and the parts of the name joined by slashes.
void print_name(const char* kind, std::initializer_list<const char*> name);

// Writes a line for the host: "# latency NAME COUNT LEAST MEAN P99 MOST", with the parts of the
// name joined by slashes; nothing where nothing was counted.
void write_latency(Distribution& counts, std::initializer_list<const char*> name);

}  // namespace modmem::firmware
