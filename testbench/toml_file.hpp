// TomlValue: what a TOML file says, each value with the line that it stands in.
//
// Numbers, texts, lists and tables; dates and infinite numbers are refused. Whoever reads a file
// asks for what should be there, and what is not as asked is an error that names file and line.
// Cost: O(file) to read it; a key is found in O(keys of its table).
#pragma once

#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace modmem::testbench {

class TomlValue {
 public:
  using List = std::vector<TomlValue>;
  using Table = std::vector<std::pair<std::string, TomlValue>>;

  // --- of a table: throw InputError where this is none ---

  // What `key` is, nullptr where it is not there.
  const TomlValue* find(std::string_view key) const;
  // The same; throws InputError where it is not there.
  const TomlValue& at(std::string_view key) const;
  // Throws InputError, which names the first that is not among `keys`, where there is one.
  void require_keys(std::initializer_list<std::string_view> keys) const;
  const Table& table() const;

  // --- as a value of one kind: throw InputError where it is another ---

  const List& list() const;
  const std::string& text() const;
  bool flag() const;
  // A whole number from `least` to `most`.
  std::int64_t integer(std::int64_t least, std::int64_t most) const;
  // Any number.
  double number() const;

  bool is_text() const { return std::holds_alternative<std::string>(value_); }
  bool is_integer() const { return std::holds_alternative<std::int64_t>(value_); }

  // "FILE:LINE: NAME"
  std::string place() const;
  // Throws InputError("FILE:LINE: NAME: REASON").
  [[noreturn]] void fail(const std::string& reason) const;

 private:
  friend TomlValue parse_toml(std::string_view text, const std::string& name);
  friend struct TomlMaker;

  std::shared_ptr<const std::string> file_;
  std::string name_;  // its key, with those of the tables that it lies in
  std::size_t line_ = 0;
  std::variant<bool, std::int64_t, double, std::string, List, Table> value_;
};

// The table that `text` is; `name` stands for the file in errors. Throws InputError("NAME:LINE:
// REASON") where it is no TOML.
TomlValue parse_toml(std::string_view text, const std::string& name);

// The same of a file. Throws InputError also where it can't be read.
TomlValue load_toml(const std::filesystem::path& path);

// All of a file, which is `what` ("a table"). Throws InputError where it can't be read, or is
// longer than kMostTextBytes.
inline constexpr std::size_t kMostTextBytes = std::size_t{1} << 24;
std::string read_text(const std::filesystem::path& path, std::string_view what);

// `text` as TOML writes it, in quotes.
std::string to_toml(std::string_view text);

}  // namespace modmem::testbench
