// Comparison: two summaries side by side.
//
// What one of them says nothing of is not compared: sites where one is a report, and then owners
// that only the other has. Rows are in order of growth, what grew most first: by live peak, then by
// mapped peak, then by the other figures, then by name.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "tools/summary.hpp"

namespace modmem::tools {

struct ComparedRow {
  std::string name;
  // Where a row is in one of the two only, what is known of it there is 0 in the other.
  Usage a;
  Usage b;
  bool in_a = false;
  bool in_b = false;

  // b - a; nothing where it is not known of both.
  std::optional<std::int64_t> change(Figure figure) const;
  // Whether a figure that is known of both is another, or it is in one of them only.
  bool differs() const;
};

struct Comparison {
  std::string a;  // names
  std::string b;
  std::string platform_a;  // "PLATFORM, POLICY"
  std::string platform_b;
  ComparedRow total;
  std::vector<ComparedRow> owners;
  std::optional<std::vector<ComparedRow>> sites;
};

Comparison compare(const Summary& a, const Summary& b);

// Rows that differ, and of those at most kMostRows of a kind, as a table.
inline constexpr std::size_t kMostRows = 40;
std::string to_table(const Comparison& comparison);

// All of it.
nlohmann::ordered_json to_json(const Comparison& comparison);

}  // namespace modmem::tools
