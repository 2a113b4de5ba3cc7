// Budget: what a run may take, and how much more than another one, as a TOML file says
// (docs/diff.md).
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "testbench/toml_file.hpp"
#include "tools/comparison.hpp"

namespace modmem::tools {

class Budget {
 public:
  // Reads it. Throws InputError, which names file and line, where it can't be read or has a key or
  // a value that it should not have.
  explicit Budget(const std::filesystem::path& path);

  // What exceeds it: one line each, which begins with the file and line of the limit. Throws
  // InputError where it limits what the comparison says nothing of: an owner or a site that neither
  // side has, or a figure that is not known.
  std::vector<std::string> exceeded(const Comparison& comparison) const;

 private:
  // Most that there may be of a figure.
  struct Limit {
    Figure figure = Figure::peak_live_bytes;
    std::uint64_t most = 0;
    testbench::TomlValue value;  // where it stands
  };
  struct Limits {
    std::string name;  // "": all
    std::vector<Limit> limits;
    testbench::TomlValue table;
  };
  // B may have the larger of these more than A.
  struct Growth {
    double percent = 0;
    std::uint64_t bytes = 0;
    std::string place;
  };

  static std::vector<Limit> limits_of(const testbench::TomlValue& table);
  static std::vector<Limits> named_limits(const testbench::TomlValue& file, const char* key);
  static void check(const std::string& kind, const Limits& limits, const ComparedRow& row,
                    std::vector<std::string>& lines);
  void check_growth(const std::string& what, const ComparedRow& row,
                    std::vector<std::string>& lines) const;

  std::optional<Limits> total_;
  std::vector<Limits> owners_;
  std::vector<Limits> sites_;
  std::optional<Growth> growth_;
};

}  // namespace modmem::tools
