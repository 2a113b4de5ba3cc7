#include "firmware/latency/distribution.hpp"

#include "firmware/report.hpp"

namespace modmem::firmware {

bool Distribution::add(std::uint32_t count) {
  if (size_ == kMost) {
    return false;
  }
  counts_[size_++] = count;
  return true;
}

Distribution::Summary Distribution::summary() {
  if (size_ == 0) {
    return {};
  }
  // Shell, "A high-speed sorting procedure", 1959, with gaps of 2^k - 1.
  for (std::uint32_t gap = 2047; gap > 0; gap /= 2) {
    for (std::uint32_t i = gap; i < size_; ++i) {
      const std::uint32_t count = counts_[i];
      std::uint32_t at = i;
      for (; at >= gap && counts_[at - gap] > count; at -= gap) {
        counts_[at] = counts_[at - gap];
      }
      counts_[at] = count;
    }
  }
  std::uint64_t total = 0;
  for (std::uint32_t i = 0; i < size_; ++i) {
    total += counts_[i];
  }
  const std::uint32_t rank = (size_ * 99 + 99) / 100;  // from 1 on
  return {size_, counts_[0], static_cast<std::uint32_t>((total + size_ / 2) / size_),
          counts_[rank - 1], counts_[size_ - 1]};
}

void print_name(const char* kind, std::initializer_list<const char*> name) {
  const char* separator = kind;
  for (const char* part : name) {
    print(separator);
    print(part);
    separator = "/";
  }
}

void write_latency(Distribution& counts, std::initializer_list<const char*> name) {
  if (counts.size() == 0) {
    return;
  }
  const Distribution::Summary summary = counts.summary();
  print_name("# latency ", name);
  for (const std::uint32_t value :
       {summary.count, summary.least, summary.mean, summary.p99, summary.most}) {
    print(" ");
    print_decimal(value);
  }
  print("\n");
}

}  // namespace modmem::firmware
