// Explains numbers by facts: which condition and formula give exactly what was seen.
//
// A number may be 0 as nothing was asked for: then either the formula says so, or the condition.
// Formulas are tried in the order of how much they say, the simplest first:
//
//   factor * (c1*fact1 + c2*fact2 + ... + c0)     up to kMostTerms terms, one factor or none
//
// with fractions as coefficients, found by elimination in a prime field, so exactly. One counts
// only if more different samples bear it out than it has coefficients; a number that is always the
// same needs no more than one. Where no formula holds for all, samples are told apart by values: of
// rates, and of numbers inside of the configuration. Cost: seconds at the worst, for dozens of
// samples.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "testbench/plan/footprint.hpp"

namespace modmem::testbench {

inline constexpr std::size_t kMostTerms = 4;

struct Sample {
  const Facts* facts = nullptr;
  std::int64_t value = 0;
};

struct Explanation {
  Condition when;
  Formula value;
  std::vector<std::string> by;
  std::vector<FootprintRequest::Case> cases;
  bool exact = true;  // false: it is at least what was seen
};

// By a formula; nothing where there is none. `names`: the facts to explain by, the first first.
std::optional<Explanation> explain_by_formula(const std::vector<Sample>& samples,
                                              const std::vector<std::string>& names);

// By a formula, else by cases, which go by facts in `told_apart`, else by the most that was seen.
// Requires that there is a sample.
Explanation explain(const std::vector<Sample>& samples, const std::vector<std::string>& names,
                    const std::vector<std::vector<std::string>>& told_apart);

}  // namespace modmem::testbench
