// PrimeField: linear equations solved without rounding, modulo the prime 2^61 - 1.
//
// A solution in fractions is one modulo the prime, and small fractions can be told from their
// residues (rational reconstruction). Whoever uses one checks it against the equations: residues
// can agree by chance. Cost: solve() O(rows x columns^2).
#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace modmem::testbench {

class PrimeField {
 public:
  static constexpr std::uint64_t kPrime = (std::uint64_t{1} << 61) - 1;
  using Row = std::vector<std::uint64_t>;  // coefficients, and then what they add up to

  static constexpr std::uint64_t element(std::int64_t number) {
    const auto rest = number % static_cast<std::int64_t>(kPrime);
    return static_cast<std::uint64_t>(rest < 0 ? rest + static_cast<std::int64_t>(kPrime) : rest);
  }

  // The only solution; nothing where there is none, or more than one. All rows are of one length.
  static std::optional<std::vector<std::uint64_t>> solve(std::vector<Row> rows) {
    if (rows.empty()) {
      return std::nullopt;
    }
    const std::size_t columns = rows.front().size() - 1;
    for (std::size_t column = 0; column < columns; ++column) {
      std::size_t pivot = column;
      while (pivot < rows.size() && rows[pivot][column] == 0) {
        ++pivot;
      }
      if (pivot >= rows.size()) {
        return std::nullopt;
      }
      std::swap(rows[column], rows[pivot]);
      const std::uint64_t inverse = power(rows[column][column], kPrime - 2);
      for (std::uint64_t& value : rows[column]) {
        value = multiply(value, inverse);
      }
      for (std::size_t i = 0; i < rows.size(); ++i) {
        if (const std::uint64_t times = rows[i][column]; i != column && times != 0) {
          for (std::size_t j = column; j <= columns; ++j) {
            rows[i][j] = subtract(rows[i][j], multiply(times, rows[column][j]));
          }
        }
      }
    }
    std::vector<std::uint64_t> solution;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      if (i < columns) {
        solution.push_back(rows[i][columns]);
      } else if (rows[i][columns] != 0) {
        return std::nullopt;
      }
    }
    return solution;
  }

  // The fraction whose residue `value` is, as numerator and denominator; nothing where there is
  // none up to these. Requires most * most_below < kPrime / 2, so there is one at most.
  static std::optional<std::pair<std::int64_t, std::int64_t>> fraction(std::uint64_t value,
                                                                       std::int64_t most,
                                                                       std::int64_t most_below) {
    // Euclid's algorithm, stopped half-way.
    auto before = static_cast<std::int64_t>(kPrime);
    auto rest = static_cast<std::int64_t>(value);
    std::int64_t below_before = 0;
    std::int64_t below = 1;
    while (rest > most) {
      const std::int64_t quotient = before / rest;
      before = std::exchange(rest, before - quotient * rest);
      if (below > most_below || -below > most_below) {
        return std::nullopt;
      }
      below_before = std::exchange(below, below_before - quotient * below);
    }
    if (below < 0) {
      rest = -rest;
      below = -below;
    }
    return below <= most_below ? std::optional(std::pair(rest, below)) : std::nullopt;
  }

 private:
  __extension__ using Wide = unsigned __int128;

  static constexpr std::uint64_t multiply(std::uint64_t a, std::uint64_t b) {
    const Wide product = static_cast<Wide>(a) * b;
    const auto sum =
        static_cast<std::uint64_t>(product & kPrime) + static_cast<std::uint64_t>(product >> 61);
    return sum >= kPrime ? sum - kPrime : sum;
  }
  static constexpr std::uint64_t subtract(std::uint64_t a, std::uint64_t b) {
    return a >= b ? a - b : a + kPrime - b;
  }
  static constexpr std::uint64_t power(std::uint64_t base, std::uint64_t exponent) {
    std::uint64_t result = 1;
    for (; exponent != 0; exponent >>= 1) {
      result = (exponent & 1) != 0 ? multiply(result, base) : result;
      base = multiply(base, base);
    }
    return result;
  }
};

}  // namespace modmem::testbench
