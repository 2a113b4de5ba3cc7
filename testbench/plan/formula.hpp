// Formula and Condition: how a number follows from facts about a module.
//
//   formula   = term { ("+" | "-") term }          "16/28*in_channels*blob_bytes - 24*in_channels +
//   40" term      = factor { "*" factor } factor    = number [ "/" number ] | fact condition = fact
//   | "!" fact | fact "==" fact | fact "!=" fact
//
// Arithmetic is exact, in fractions; a value is rounded up to a whole number, and below zero it is
// zero. Invariant: to_text() of either is parsed to the same again. Cost: O(terms).
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace modmem::testbench {

// What is known of a module, by name; numbers have the units that their names say.
using Facts = std::map<std::string, std::int64_t, std::less<>>;

// Whether there is a fact of that name.
using IsFact = std::function<bool(std::string_view)>;

class Formula {
 public:
  struct Term {
    std::int64_t numerator = 0;
    std::int64_t denominator = 1;
    std::vector<std::string> facts;  // to be multiplied
    bool operator==(const Term&) const = default;
  };

  // 0.
  Formula() = default;
  explicit Formula(std::int64_t value);
  explicit Formula(std::vector<Term> terms) : terms_(std::move(terms)) {}

  // Throws InputError, which says why, where `text` is no formula over these facts.
  static Formula parse(std::string_view text, const IsFact& is_fact);

  // A fact that is not there counts as 0. Throws InputError where it is beyond 2^53.
  std::int64_t value(const Facts& facts) const;

  std::string to_text() const;
  const std::vector<Term>& terms() const { return terms_; }
  bool operator==(const Formula&) const = default;

 private:
  std::vector<Term> terms_;
};

class Condition {
 public:
  enum class Kind : std::uint8_t { always, nonzero, zero, equal, differ };

  Condition() = default;
  Condition(Kind kind, std::string fact, std::string other = "")
      : kind_(kind), fact_(std::move(fact)), other_(std::move(other)) {}

  // As Formula::parse(); an empty text always holds.
  static Condition parse(std::string_view text, const IsFact& is_fact);

  bool holds(const Facts& facts) const;
  bool is_always() const { return kind_ == Kind::always; }

  // The facts that it is about: none, one or two.
  std::vector<std::string> facts() const;
  std::string to_text() const;
  bool operator==(const Condition&) const = default;

 private:
  Kind kind_ = Kind::always;
  std::string fact_;
  std::string other_;
};

}  // namespace modmem::testbench
