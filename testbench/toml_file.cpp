#include "testbench/toml_file.hpp"

#include <toml++/toml.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <fstream>
#include <system_error>

#include "testbench/input_error.hpp"

namespace modmem::testbench {

// Copies what toml++ has read.
struct TomlMaker {
  std::shared_ptr<const std::string> file;

  TomlValue make(const toml::node& node, const std::string& name) const {
    TomlValue value;
    value.file_ = file;
    value.name_ = name;
    value.line_ = node.source().begin.line;
    if (const toml::table* table = node.as_table()) {
      struct Entry {
        std::string key;
        const toml::node* value;
      };
      std::vector<Entry> order;
      for (const auto& [key, entry] : *table) {
        order.push_back({std::string(key.str()), &entry});
      }
      // In the order of the file; toml++ has them by name.
      std::sort(order.begin(), order.end(), [](const Entry& a, const Entry& b) {
        return a.value->source().begin < b.value->source().begin;
      });
      TomlValue::Table entries;
      for (const Entry& entry : order) {
        std::string path = name;
        path.append(name.empty() ? "" : ".").append(entry.key);
        entries.emplace_back(entry.key, make(*entry.value, path));
      }
      value.value_ = std::move(entries);
    } else if (const toml::array* array = node.as_array()) {
      TomlValue::List list;
      for (const toml::node& entry : *array) {
        list.push_back(make(entry, name));
      }
      value.value_ = std::move(list);
    } else if (const auto text = node.value_exact<std::string>()) {
      value.value_ = *text;
    } else if (const auto whole = node.value_exact<std::int64_t>()) {
      value.value_ = *whole;
    } else if (const auto flag = node.value_exact<bool>()) {
      value.value_ = *flag;
    } else if (const auto number = node.value_exact<double>(); number && std::isfinite(*number)) {
      value.value_ = *number;
    } else {
      value.fail("neither a finite number nor a text, a truth value, a list or a table");
    }
    return value;
  }
};

const TomlValue* TomlValue::find(std::string_view key) const {
  const Table& entries = table();
  const auto found = std::find_if(entries.begin(), entries.end(),
                                  [key](const auto& entry) { return entry.first == key; });
  return found != entries.end() ? &found->second : nullptr;
}

const TomlValue& TomlValue::at(std::string_view key) const {
  const TomlValue* const found = find(key);
  if (found == nullptr) {
    fail("'" + std::string(key) + "' is missing");
  }
  return *found;
}

void TomlValue::require_keys(std::initializer_list<std::string_view> keys) const {
  for (const auto& [key, value] : table()) {
    if (std::find(keys.begin(), keys.end(), key) == keys.end()) {
      value.fail("there is no such key");
    }
  }
}

const TomlValue::Table& TomlValue::table() const {
  if (const auto* entries = std::get_if<Table>(&value_)) {
    return *entries;
  }
  fail("must be a table");
}

const TomlValue::List& TomlValue::list() const {
  if (const auto* entries = std::get_if<List>(&value_)) {
    return *entries;
  }
  fail("must be a list");
}

const std::string& TomlValue::text() const {
  if (const auto* text = std::get_if<std::string>(&value_)) {
    return *text;
  }
  fail("must be a text");
}

bool TomlValue::flag() const {
  if (const auto* flag = std::get_if<bool>(&value_)) {
    return *flag;
  }
  fail("must be true or false");
}

std::int64_t TomlValue::integer(std::int64_t least, std::int64_t most) const {
  const auto* number = std::get_if<std::int64_t>(&value_);
  if (number == nullptr || *number < least || *number > most) {
    fail("must be a whole number from " + std::to_string(least) + " to " + std::to_string(most));
  }
  return *number;
}

double TomlValue::number() const {
  if (const auto* whole = std::get_if<std::int64_t>(&value_)) {
    return static_cast<double>(*whole);
  }
  if (const auto* number = std::get_if<double>(&value_)) {
    return *number;
  }
  fail("must be a number");
}

std::string TomlValue::place() const {
  return *file_ + ":" + std::to_string(line_) + (name_.empty() ? "" : ": " + name_);
}

void TomlValue::fail(const std::string& reason) const { throw InputError(place() + ": " + reason); }

TomlValue parse_toml(std::string_view text, const std::string& name) {
  try {
    const TomlMaker maker{std::make_shared<const std::string>(name)};
    return maker.make(toml::parse(text), "");
  } catch (const toml::parse_error& error) {
    std::string reason(error.description());
    std::replace(reason.begin(), reason.end(), '\n', ' ');
    throw InputError(name + ":" + std::to_string(error.source().begin.line) + ": " + reason);
  }
}

TomlValue load_toml(const std::filesystem::path& path) {
  return parse_toml(read_text(path, "a table"), path.string());
}

std::string read_text(const std::filesystem::path& path, std::string_view what) {
  const auto refuse = [&path](int error) {
    throw InputError(path.string() + ": cannot be read: " + std::strerror(error));
  };
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) {
    refuse(EISDIR);  // which can be opened
  }
  std::ifstream file(path, std::ios::binary);
  if (!file.is_open()) {
    refuse(errno);
  }
  std::string text;
  std::string part(std::size_t{1} << 16, '\0');
  while (file.read(part.data(), static_cast<std::streamsize>(part.size())), file.gcount() > 0) {
    text.append(part, 0, static_cast<std::size_t>(file.gcount()));
    if (text.size() > kMostTextBytes) {
      throw InputError(path.string() + ": the file is longer than " +
                       std::to_string(kMostTextBytes) + " bytes, too long for " +
                       std::string(what));
    }
  }
  if (file.bad()) {
    refuse(EIO);
  }
  return text;
}

std::string to_toml(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      quoted += '\\';
      quoted += c;
    } else if (static_cast<unsigned char>(c) < ' ' || c == '\x7f') {
      char escape[8];
      std::snprintf(escape, sizeof escape, "\\u%04X", static_cast<unsigned>(c));
      quoted += escape;
    } else {
      quoted += c;
    }
  }
  return quoted + '"';
}

}  // namespace modmem::testbench
