#include "testbench/plan/formula.hpp"

#include <charconv>
#include <numeric>
#include <optional>
#include <utility>

#include "testbench/input_error.hpp"

namespace modmem::testbench {

namespace {

constexpr std::int64_t kMostCoefficient = std::int64_t{1} << 40;
constexpr std::int64_t kMostValue = std::int64_t{1} << 53;

bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::int64_t fact(const Facts& facts, std::string_view name) {
  const auto found = facts.find(name);
  return found != facts.end() ? found->second : 0;
}

// The words and signs of a text.
class Words {
 public:
  Words(std::string_view text, const IsFact& is_fact) : text_(text), is_fact_(is_fact) { skip(); }

  bool at_end() const { return at_ == text_.size(); }
  // Whether `sign` is next, which is passed then.
  bool take(std::string_view sign) {
    if (text_.substr(at_, sign.size()) != sign) {
      return false;
    }
    at_ += sign.size();
    skip();
    return true;
  }
  bool number_is_next() const { return !at_end() && is_digit(text_[at_]); }
  std::int64_t number() {
    const std::string_view digits = word();
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (digits.empty() || error != std::errc() || end != digits.data() + digits.size() ||
        value > kMostCoefficient) {
      fail("a number up to 2^40 is expected");
    }
    return value;
  }
  std::string fact_name() {
    const std::string_view name = word();
    if (name.empty()) {
      fail("a fact is expected");
    }
    if (!is_fact_(name)) {
      fail("there is no fact '" + std::string(name) + "'");
    }
    return std::string(name);
  }
  [[noreturn]] void fail(const std::string& reason) const {
    throw InputError("'" + std::string(text_) + "': " + reason);
  }

 private:
  std::string_view word() {
    const std::size_t start = at_;
    while (!at_end() && is_word(text_[at_])) {
      ++at_;
    }
    const std::string_view found = text_.substr(start, at_ - start);
    skip();
    return found;
  }
  void skip() {
    while (!at_end() && text_[at_] == ' ') {
      ++at_;
    }
  }

  std::string_view text_;
  const IsFact& is_fact_;
  std::size_t at_ = 0;
};

Formula::Term parse_term(Words& words) {
  Formula::Term term{.numerator = 1, .denominator = 1, .facts = {}};
  do {
    if (!words.number_is_next()) {
      term.facts.push_back(words.fact_name());
      continue;
    }
    const std::int64_t above = words.number();
    const std::int64_t below = words.take("/") ? words.number() : 1;
    if (below == 0) {
      words.fail("a division by 0");
    }
    if (__builtin_mul_overflow(term.numerator, above, &term.numerator) ||
        __builtin_mul_overflow(term.denominator, below, &term.denominator)) {
      words.fail("a number is too large");
    }
  } while (words.take("*"));
  return term;
}

}  // namespace

Formula::Formula(std::int64_t value) {
  if (value != 0) {
    terms_.push_back({value, 1, {}});
  }
}

Formula Formula::parse(std::string_view text, const IsFact& is_fact) {
  Words words(text, is_fact);
  Formula formula;
  bool negative = words.take("-");
  do {
    Term term = parse_term(words);
    if (negative) {
      term.numerator = -term.numerator;
    }
    if (term.numerator != 0) {
      formula.terms_.push_back(std::move(term));
    }
    negative = words.take("-");
  } while (negative || words.take("+"));
  if (!words.at_end()) {
    words.fail("a sign or the end is expected behind a term");
  }
  return formula;
}

std::int64_t Formula::value(const Facts& facts) const {
  // sum = above / below
  std::int64_t above = 0;
  std::int64_t below = 1;
  bool too_large = false;
  for (const Term& term : terms_) {
    std::int64_t product = term.numerator;
    for (const std::string& name : term.facts) {
      too_large |= __builtin_mul_overflow(product, fact(facts, name), &product);
    }
    const std::int64_t common = std::gcd(below, term.denominator);
    std::int64_t scaled = 0;
    too_large |= __builtin_mul_overflow(above, term.denominator / common, &above);
    too_large |= __builtin_mul_overflow(product, below / common, &scaled);
    too_large |= __builtin_mul_overflow(below, term.denominator / common, &below);
    too_large |= __builtin_add_overflow(above, scaled, &above);
  }
  if (too_large || above / below > kMostValue) {
    throw InputError("'" + to_text() + "': too large");
  }
  return above <= 0 ? 0 : (above - 1) / below + 1;
}

std::string Formula::to_text() const {
  std::string text;
  for (const Term& term : terms_) {
    const bool negative = term.numerator < 0;
    text += text.empty() ? (negative ? "-" : "") : (negative ? " - " : " + ");
    const std::int64_t above = negative ? -term.numerator : term.numerator;
    std::string product;
    if (term.facts.empty() || above != 1 || term.denominator != 1) {
      product = std::to_string(above);
      if (term.denominator != 1) {
        product += "/" + std::to_string(term.denominator);
      }
    }
    for (const std::string& name : term.facts) {
      product += (product.empty() ? "" : "*") + name;
    }
    text += product;
  }
  return text.empty() ? "0" : text;
}

Condition Condition::parse(std::string_view text, const IsFact& is_fact) {
  Words words(text, is_fact);
  if (words.at_end()) {
    return {};
  }
  Condition condition;
  condition.kind_ = words.take("!") ? Kind::zero : Kind::nonzero;
  condition.fact_ = words.fact_name();
  if (condition.kind_ == Kind::nonzero && !words.at_end()) {
    condition.kind_ = words.take("==") ? Kind::equal : Kind::differ;
    if (condition.kind_ == Kind::differ && !words.take("!=")) {
      words.fail("== or != is expected behind a fact");
    }
    condition.other_ = words.fact_name();
  }
  if (!words.at_end()) {
    words.fail("nothing more is expected");
  }
  return condition;
}

bool Condition::holds(const Facts& facts) const {
  switch (kind_) {
    case Kind::always:
      return true;
    case Kind::nonzero:
      return fact(facts, fact_) != 0;
    case Kind::zero:
      return fact(facts, fact_) == 0;
    case Kind::equal:
      return fact(facts, fact_) == fact(facts, other_);
    case Kind::differ:
      return fact(facts, fact_) != fact(facts, other_);
  }
  return false;
}

std::vector<std::string> Condition::facts() const {
  std::vector<std::string> facts;
  for (const std::string& name : {fact_, other_}) {
    if (!name.empty()) {
      facts.push_back(name);
    }
  }
  return facts;
}

std::string Condition::to_text() const {
  switch (kind_) {
    case Kind::always:
      return "";
    case Kind::nonzero:
      return fact_;
    case Kind::zero:
      return "!" + fact_;
    case Kind::equal:
      return fact_ + " == " + other_;
    case Kind::differ:
      return fact_ + " != " + other_;
  }
  return "";
}

}  // namespace modmem::testbench
