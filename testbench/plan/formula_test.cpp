#include "testbench/plan/formula.hpp"

#include <gtest/gtest.h>

#include "testbench/input_error.hpp"

namespace modmem::testbench {
namespace {

bool is_fact(std::string_view name) { return name == "a" || name == "b" || name == "in_rate"; }

std::int64_t value(std::string_view text, const Facts& facts) {
  return Formula::parse(text, is_fact).value(facts);
}

std::string error_of(std::string_view text) {
  try {
    static_cast<void>(Formula::parse(text, is_fact));
  } catch (const InputError& error) {
    return error.what();
  }
  return "no error";
}

TEST(FormulaTest, AddsTermsOfProducts) {
  EXPECT_EQ(value("48", {}), 48);
  EXPECT_EQ(value("16 + 2*a*b", {{"a", 3}, {"b", 5}}), 46);
  EXPECT_EQ(value("a - b", {{"a", 7}, {"b", 5}}), 2);
  EXPECT_EQ(value("-a + 3*b", {{"a", 7}, {"b", 5}}), 8);
}

TEST(FormulaTest, FractionsAreExactAndOnlyTheSumIsRoundedUp) {
  EXPECT_EQ(value("1/3*a + 2/3*b", {{"a", 1}, {"b", 1}}), 1);
  EXPECT_EQ(value("1/3*a", {{"a", 4}}), 2);
  EXPECT_EQ(value("a - b", {{"a", 1}, {"b", 5}}), 0);  // below zero there is nothing
  EXPECT_EQ(value("in_rate*16/1000", {{"in_rate", 44100}}), 706);
}

TEST(FormulaTest, WhatIsNotKnownIsNothing) { EXPECT_EQ(value("8 + 8*a", {}), 8); }

TEST(FormulaTest, TextsComeBackAsTheyWere) {
  for (const char* text : {"0", "48", "a", "16 + 2*a*b", "-1/2*a + in_rate - 3", "5/7"}) {
    EXPECT_EQ(Formula::parse(text, is_fact).to_text(), text);
  }
}

TEST(FormulaTest, RefusesWhatIsNone) {
  EXPECT_EQ(error_of("2*c"), "'2*c': there is no fact 'c'");
  EXPECT_EQ(error_of("a b"), "'a b': a sign or the end is expected behind a term");
  EXPECT_EQ(error_of("a +"), "'a +': a fact is expected");
  EXPECT_EQ(error_of("1/0"), "'1/0': a division by 0");
  EXPECT_EQ(error_of("9999999999999"), "'9999999999999': a number up to 2^40 is expected");
  EXPECT_EQ(error_of(""), "'': a fact is expected");
  EXPECT_THROW(value("1099511627776*a*a", {{"a", 1 << 20}}), InputError);
}

TEST(ConditionTest, ComparesFacts) {
  const auto holds = [](std::string_view text, const Facts& facts) {
    return Condition::parse(text, is_fact).holds(facts);
  };
  const Facts facts{{"a", 1}, {"b", 0}};
  EXPECT_TRUE(holds("", facts));
  EXPECT_TRUE(holds("a", facts));
  EXPECT_FALSE(holds("!a", facts));
  EXPECT_TRUE(holds("!b", facts));
  EXPECT_TRUE(holds("a != b", facts));
  EXPECT_FALSE(holds("a == b", facts));
  for (const char* text : {"", "a", "!b", "a != b", "a == b"}) {
    EXPECT_EQ(Condition::parse(text, is_fact).to_text(), text);
  }
  EXPECT_THROW(static_cast<void>(Condition::parse("a < b", is_fact)), InputError);
  EXPECT_THROW(static_cast<void>(Condition::parse("a ==", is_fact)), InputError);
  EXPECT_THROW(static_cast<void>(Condition::parse("!a b", is_fact)), InputError);
}

}  // namespace
}  // namespace modmem::testbench
