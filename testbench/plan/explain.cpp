#include "testbench/plan/explain.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <numeric>
#include <set>

#include "testbench/plan/prime_field.hpp"

namespace modmem::testbench {

namespace {

constexpr std::int64_t kMostCoefficient = std::int64_t{1} << 24;
constexpr std::int64_t kMostDivisor = 4096;
// What formulas may be multiplied by.
constexpr std::array<std::string_view, 7> kFactors = {
    "in_channels",    "out_channels",    "inputs",        "outputs",
    "in_frame_bytes", "out_frame_bytes", "deep_buffer_ms"};

std::int64_t fact(const Facts& facts, std::string_view name) {
  const auto found = facts.find(name);
  return found != facts.end() ? found->second : 0;
}

// Of `names`, those that are not the same in all samples, nor the same as one before.
std::vector<std::string> telling(const std::vector<Sample>& samples,
                                 const std::vector<std::string>& names) {
  std::set<std::vector<std::int64_t>> columns;
  std::vector<std::string> kept;
  for (const std::string& name : names) {
    std::vector<std::int64_t> column;
    column.reserve(samples.size());
    for (const Sample& sample : samples) {
      column.push_back(fact(*sample.facts, name));
    }
    const bool varies = std::any_of(column.begin(), column.end(),
                                    [&](std::int64_t value) { return value != column.front(); });
    if (varies && columns.insert(column).second) {
      kept.push_back(name);
    }
  }
  return kept;
}

// Samples in which a condition holds, where it leaves out none that has a value; nothing else.
std::vector<Sample> active(const std::vector<Sample>& samples, const Condition& when) {
  std::vector<Sample> holding;
  for (const Sample& sample : samples) {
    if (when.holds(*sample.facts)) {
      holding.push_back(sample);
    } else if (sample.value != 0) {
      return {};
    }
  }
  return holding;
}

// A condition that some samples meet, those with values among them.
struct Choice {
  Condition when;
  std::vector<Sample> samples;
};

std::vector<Choice> choices(const std::vector<Sample>& samples,
                            const std::vector<std::string>& names) {
  std::vector<Choice> found{{Condition(), samples}};
  const auto add = [&](const Condition& when) {
    std::vector<Sample> holding = active(samples, when);
    const bool known = std::any_of(found.begin(), found.end(), [&](const Choice& other) {
      return other.samples.size() == holding.size();
    });
    if (!holding.empty() && !known) {
      found.push_back({when, std::move(holding)});
    }
  };
  for (const std::string& name : names) {
    add({Condition::Kind::nonzero, name});
    add({Condition::Kind::zero, name});
  }
  for (const char* what : {"rate", "channels"}) {
    add({Condition::Kind::differ, std::string("in_") + what, std::string("out_") + what});
    add({Condition::Kind::equal, std::string("in_") + what, std::string("out_") + what});
  }
  return found;
}

// The rows of an equation for each different sample: a value for each of `columns` ("" is 1), then
// the sample's.
std::vector<PrimeField::Row> rows_of(const std::vector<Sample>& samples, const std::string& factor,
                                     const std::vector<std::string>& columns) {
  std::set<PrimeField::Row> rows;
  for (const Sample& sample : samples) {
    PrimeField::Row row;
    const std::int64_t multiplier = factor.empty() ? 1 : fact(*sample.facts, factor);
    for (const std::string& column : columns) {
      row.push_back(
          PrimeField::element(multiplier * (column.empty() ? 1 : fact(*sample.facts, column))));
    }
    row.push_back(PrimeField::element(sample.value));
    rows.insert(std::move(row));
  }
  return {rows.begin(), rows.end()};
}

// The formula over these columns that all samples bear out, nothing where there is none.
std::optional<Formula> fit(const std::vector<Sample>& samples, const std::string& factor,
                           const std::vector<std::string>& columns) {
  const std::vector<PrimeField::Row> rows = rows_of(samples, factor, columns);
  const bool is_constant = factor.empty() && columns.size() == 1 && columns.front().empty();
  if (rows.size() < columns.size() + (is_constant ? 0 : 1)) {
    return std::nullopt;
  }
  const auto solution = PrimeField::solve(rows);
  if (!solution) {
    return std::nullopt;
  }
  std::vector<Formula::Term> terms;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    const auto fraction = PrimeField::fraction((*solution)[i], kMostCoefficient, kMostDivisor);
    if (!fraction || (fraction->first == 0 && !is_constant)) {
      return std::nullopt;
    }
    Formula::Term term{fraction->first, fraction->second, {}};
    for (const std::string& name : {factor, columns[i]}) {
      if (!name.empty()) {
        term.facts.push_back(name);
      }
    }
    if (term.numerator != 0) {
      terms.push_back(std::move(term));
    }
  }
  Formula formula(std::move(terms));
  const bool holds = std::all_of(samples.begin(), samples.end(), [&](const Sample& sample) {
    return formula.value(*sample.facts) == sample.value;
  });
  return holds ? std::optional(std::move(formula)) : std::nullopt;
}

// Calls visit(columns) for each choice of `count` of `names`, until it returns true.
template <typename Visit>
bool for_each_subset(const std::vector<std::string>& names, std::size_t count, const Visit& visit) {
  std::vector<std::size_t> at(count);
  std::iota(at.begin(), at.end(), std::size_t{0});
  if (count > names.size()) {
    return false;
  }
  for (;;) {
    std::vector<std::string> columns;
    columns.reserve(count);
    for (const std::size_t index : at) {
      columns.push_back(names[index]);
    }
    if (visit(columns)) {
      return true;
    }
    std::size_t i = count;
    while (i > 0 && at[i - 1] == names.size() - count + i - 1) {
      --i;
    }
    if (i == 0) {
      return false;
    }
    ++at[i - 1];
    for (; i < count; ++i) {
      at[i] = at[i - 1] + 1;
    }
  }
}

// The facts to try for samples that meet a condition: what is constant among them says nothing.
struct Columns {
  std::vector<std::string> names;    // and "", which is 1
  std::vector<std::string> factors;  // and "", which is none
};

Columns columns_of(const Choice& choice, const std::vector<std::string>& names) {
  Columns columns;
  columns.names = telling(choice.samples, names);
  columns.factors.emplace_back();
  for (const std::string_view factor : kFactors) {
    if (std::find(columns.names.begin(), columns.names.end(), factor) != columns.names.end()) {
      columns.factors.emplace_back(factor);
    }
  }
  columns.names.emplace_back();
  return columns;
}

// By the values of `by`, times a factor; nothing where that does not explain it, or nothing shows
// that it does: each value stands for itself then.
std::optional<Explanation> explain_by_cases(const Choice& choice, const Columns& columns,
                                            const std::vector<std::string>& by) {
  std::map<std::vector<std::int64_t>, std::vector<Sample>> classes;
  for (const Sample& sample : choice.samples) {
    std::vector<std::int64_t> values;
    values.reserve(by.size());
    for (const std::string& name : by) {
      values.push_back(fact(*sample.facts, name));
    }
    classes[values].push_back(sample);
  }
  for (const std::string& factor : columns.factors) {
    Explanation explanation{choice.when, Formula(), by, {}, true};
    bool borne_out = false;
    for (const auto& [values, samples] : classes) {
      const std::vector<std::string> column{factor};
      const auto formula = fit(samples, "", column);
      std::optional<Formula> bytes = formula;
      if (!formula && !factor.empty() && rows_of(samples, "", column).size() == 1) {
        // One sample alone: another class says whether the factor is the right one.
        const std::int64_t above = samples.front().value;
        const std::int64_t below = fact(*samples.front().facts, factor);
        if (below != 0) {
          const std::int64_t common = std::max<std::int64_t>(std::gcd(above, below), 1);
          bytes = Formula({{above / common, below / common, {factor}}});
        }
      }
      if (!bytes) {
        break;
      }
      borne_out = borne_out || (factor.empty() ? telling(samples, columns.names).size() > 1
                                               : formula.has_value());
      explanation.cases.push_back({values, *bytes});
    }
    if (borne_out && explanation.cases.size() == classes.size()) {
      return explanation;
    }
  }
  return std::nullopt;
}

// At least what was seen: a multiple of the factor that overshoots least.
Explanation at_most(const Choice& choice, const Columns& columns) {
  Explanation best{choice.when, Formula(), {}, {}, false};
  std::int64_t least_excess = INT64_MAX;
  for (const std::string& factor : columns.factors) {
    std::int64_t each = 0;
    for (const Sample& sample : choice.samples) {
      const std::int64_t times = factor.empty() ? 1 : fact(*sample.facts, factor);
      each = std::max(each, times == 0 ? 0 : (sample.value + times - 1) / times);
    }
    std::int64_t excess = 0;
    for (const Sample& sample : choice.samples) {
      excess += each * (factor.empty() ? 1 : fact(*sample.facts, factor)) - sample.value;
    }
    if (excess >= 0 && excess < least_excess) {
      least_excess = excess;
      std::vector<std::string> facts;
      if (!factor.empty()) {
        facts.push_back(factor);
      }
      best.value = Formula({{each, 1, std::move(facts)}});
    }
  }
  return best;
}

}  // namespace

std::optional<Explanation> explain_by_formula(const std::vector<Sample>& samples,
                                              const std::vector<std::string>& names) {
  struct Try {
    Choice choice;
    Columns columns;
  };
  std::vector<Try> tries;
  for (Choice& choice : choices(samples, telling(samples, names))) {
    Columns columns = columns_of(choice, names);
    tries.push_back({std::move(choice), std::move(columns)});
  }
  // A term, a condition and a factor each cost one.
  for (std::size_t cost = 1; cost <= kMostTerms + 2; ++cost) {
    for (const Try& one : tries) {
      for (const std::string& factor : one.columns.factors) {
        const std::size_t extra = (one.choice.when.is_always() ? 0 : 1) + (factor.empty() ? 0 : 1);
        if (cost <= extra || cost - extra > kMostTerms) {
          continue;
        }
        std::optional<Explanation> found;
        for_each_subset(one.columns.names, cost - extra, [&](const auto& subset) {
          // A factor times 1 alone is a fact itself.
          if (!factor.empty() && subset.size() == 1 && subset.front().empty()) {
            return false;
          }
          if (auto formula = fit(one.choice.samples, factor, subset)) {
            found = Explanation{one.choice.when, std::move(*formula), {}, {}, true};
          }
          return found.has_value();
        });
        if (found) {
          return found;
        }
      }
    }
  }
  return std::nullopt;
}

Explanation explain(const std::vector<Sample>& samples, const std::vector<std::string>& names,
                    const std::vector<std::vector<std::string>>& told_apart) {
  if (auto formula = explain_by_formula(samples, names)) {
    return *formula;
  }
  const std::vector<Choice> all = choices(samples, telling(samples, names));
  for (const std::vector<std::string>& by : told_apart) {
    for (const Choice& choice : all) {
      if (auto cases = explain_by_cases(choice, columns_of(choice, names), by)) {
        return *cases;
      }
    }
  }
  // The condition that leaves out most.
  const auto narrowest = std::min_element(
      all.begin(), all.end(),
      [](const Choice& a, const Choice& b) { return a.samples.size() < b.samples.size(); });
  return at_most(*narrowest, columns_of(*narrowest, names));
}

}  // namespace modmem::testbench
