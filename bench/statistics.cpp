#include "bench/statistics.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <stdexcept>

namespace modmem::bench {

double mean(std::span<const double> samples) {
  return ratio(std::accumulate(samples.begin(), samples.end(), 0.0),
               static_cast<double>(samples.size()));
}

std::uint32_t percentile(std::span<std::uint32_t> samples, double share) {
  const double rank = std::ceil(share * static_cast<double>(samples.size()));
  const std::size_t index = rank < 1 ? 0 : static_cast<std::size_t>(rank) - 1;
  const auto nth = samples.begin() + static_cast<std::ptrdiff_t>(index);
  std::nth_element(samples.begin(), nth, samples.end());
  return *nth;
}

double ratio(double numerator, double denominator) {
  if (!(denominator > 0)) {
    throw std::domain_error("a ratio to nothing");
  }
  return numerator / denominator;
}

}  // namespace modmem::bench
