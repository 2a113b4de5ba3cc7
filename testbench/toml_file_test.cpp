#include "testbench/toml_file.hpp"

#include <gtest/gtest.h>

#include <functional>

#include "testbench/input_error.hpp"

namespace modmem::testbench {
namespace {

constexpr const char* kText = R"(title = "budgets"
share = 0.5
strict = true

[[owner]]
name = "gain"
bytes = 4096
list = [1, 2]
)";

std::string error_of(const std::function<void()>& step) {
  try {
    step();
  } catch (const InputError& error) {
    return error.what();
  }
  return "no error";
}

TEST(TomlTest, SaysWhatTheFileSays) {
  const TomlValue file = parse_toml(kText, "a.toml");
  EXPECT_EQ(file.at("title").text(), "budgets");
  EXPECT_EQ(file.at("share").number(), 0.5);
  EXPECT_TRUE(file.at("strict").flag());
  EXPECT_EQ(file.find("missing"), nullptr);
  const TomlValue& owner = file.at("owner").list().at(0);
  EXPECT_EQ(owner.at("bytes").integer(0, 1 << 20), 4096);
  EXPECT_EQ(owner.at("bytes").number(), 4096);
  EXPECT_EQ(owner.at("list").list().size(), 2U);
  EXPECT_EQ(owner.table().front().first, "name");  // in the file's order
  const TomlValue line = parse_toml("t = { z = 1, a = 2 }", "b.toml");
  EXPECT_EQ(line.at("t").table().front().first, "z");
}

TEST(TomlTest, ErrorsNameFileLineAndKey) {
  const TomlValue file = parse_toml(kText, "a.toml");
  const TomlValue& owner = file.at("owner").list().at(0);
  EXPECT_EQ(error_of([&] { owner.at("bytes").integer(0, 100); }),
            "a.toml:7: owner.bytes: must be a whole number from 0 to 100");
  EXPECT_EQ(error_of([&] { owner.at("name").number(); }), "a.toml:6: owner.name: must be a number");
  EXPECT_EQ(error_of([&] { owner.at("limit"); }), "a.toml:5: owner: 'limit' is missing");
  EXPECT_EQ(error_of([&] {
              owner.require_keys({"name", "bytes"});
            }),
            "a.toml:8: owner.list: there is no such key");
  EXPECT_EQ(error_of([&] { file.at("title").list(); }), "a.toml:1: title: must be a list");
}

// Where toml++ asserts what it takes for granted.
TEST(TomlTest, HeadsWithoutAKeyAreRefusedWithTheirLine) {
  for (const char* head : {"[!]", "[[=", "[", "[\x01]", "[[]"}) {
    EXPECT_EQ(error_of([&] { parse_toml(head, "a.toml"); }).substr(0, 10), "a.toml:1: ") << head;
  }
  EXPECT_EQ(error_of([] { parse_toml("[!]", "a.toml"); }), "a.toml:1: this is no TOML");
  for (const std::size_t line : {1U, 2U, 3U, 9U, 100U}) {
    for (const char* rest : {"", "\n", "\nb = 1\n\n[!]\n"}) {
      std::string text;
      for (std::size_t i = 1; i < line; ++i) {
        text += "a" + std::to_string(i) + " = 1\n";
      }
      EXPECT_EQ(error_of([&] { parse_toml(text + "[!]" + rest, "a.toml"); }),
                "a.toml:" + std::to_string(line) + ": this is no TOML");
    }
  }
}

// Which toml++ takes for blanks or for nothing at all.
TEST(TomlTest, LettersBeyondAsciiStandInTextsAndNowhereElse) {
  EXPECT_EQ(parse_toml("a = \"\u00e9\"  # \u00e9\n", "a.toml").at("a").text(), "\u00e9");
  EXPECT_EQ(parse_toml("a = \"\"\"\\\n \u00e9\"\"\"", "a.toml").at("a").text(), "\u00e9");
  for (const char* text :
       {"\u00e9 = 1", "[\u00e9]", "a\u00e9 = 1", "a = 1\u00e9", "a = \u00e9", "[a]\u00e9"}) {
    EXPECT_EQ(error_of([&] { parse_toml(text, "a.toml"); }).substr(0, 10), "a.toml:1: ") << text;
  }
}

TEST(TomlTest, WhatIsNoTomlIsRefusedWithItsLine) {
  EXPECT_EQ(error_of([] { parse_toml("a = 1\nb = \n", "b.toml"); }).substr(0, 10), "b.toml:2: ");
  EXPECT_EQ(error_of([] { parse_toml("a = 1\nday = 2026-01-01\n", "b.toml"); }).substr(0, 15),
            "b.toml:2: day: ");
  EXPECT_EQ(error_of([] { parse_toml("a = inf", "b.toml"); }).substr(0, 12), "b.toml:1: a:");
  EXPECT_NE(error_of([] { load_toml("/nowhere.toml"); }).find("/nowhere.toml: "),
            std::string::npos);
  EXPECT_NE(error_of([] { load_toml("/tmp"); }).find("/tmp: "), std::string::npos);
}

TEST(TomlTest, FilesWithoutAnEndAreRefused) {
  try {
    load_toml("/dev/zero");
    FAIL();
  } catch (const InputError& error) {
    EXPECT_STREQ(error.what(),
                 "/dev/zero: the file is longer than 16777216 bytes, too long for a table");
  }
}

TEST(TomlTest, TextsComeBackAsTheyWere) {
  const std::string text = "a \"b\" \\ \n\x01 c";
  EXPECT_EQ(parse_toml("t = " + to_toml(text), "c.toml").at("t").text(), text);
}

}  // namespace
}  // namespace modmem::testbench
