#include "tools/comparison.hpp"

#include <algorithm>
#include <array>
#include <tuple>

namespace modmem::tools {

namespace {

using Json = nlohmann::ordered_json;

constexpr std::array kAllFigures = {Figure::peak_live_bytes, Figure::peak_mapped_bytes,
                                    Figure::failures, Figure::allocations, Figure::churn_bytes};
static_assert(kAllFigures.size() == kFigures);

// What one of the two does not have took nothing there.
void complete(Usage& usage, const Usage& other) {
  for (const Figure figure : kAllFigures) {
    if (!usage[figure] && other[figure]) {
      usage[figure] = 0;
    }
  }
}

ComparedRow row_of(const std::string& name, const Usage* a, const Usage* b) {
  ComparedRow row;
  row.name = name;
  row.in_a = a != nullptr;
  row.in_b = b != nullptr;
  row.a = a != nullptr ? *a : Usage{};
  row.b = b != nullptr ? *b : Usage{};
  if (a == nullptr) {
    complete(row.a, row.b);
  } else if (b == nullptr) {
    complete(row.b, row.a);
  }
  return row;
}

// The changes of all figures, the most growth first.
auto order_of(const ComparedRow& row) {
  const auto growth = [&](Figure figure) { return -row.change(figure).value_or(0); };
  return std::tuple(growth(Figure::peak_live_bytes), growth(Figure::peak_mapped_bytes),
                    growth(Figure::failures), growth(Figure::churn_bytes),
                    growth(Figure::allocations));
}

std::vector<ComparedRow> rows_of(const Usages& a, const Usages& b, bool only_common) {
  std::vector<ComparedRow> rows;
  for (const auto& [name, usage] : a) {
    const auto other = b.find(name);
    if (other != b.end() || !only_common) {
      rows.push_back(row_of(name, &usage, other != b.end() ? &other->second : nullptr));
    }
  }
  for (const auto& [name, usage] : b) {
    if (!only_common && !a.contains(name)) {
      rows.push_back(row_of(name, nullptr, &usage));
    }
  }
  std::sort(rows.begin(), rows.end(), [](const ComparedRow& one, const ComparedRow& other) {
    const auto left = order_of(one);
    const auto right = order_of(other);
    return left != right ? left < right : one.name < other.name;
  });
  return rows;
}

// --- as text ---

constexpr std::size_t kColumns = 1 + 2 * kFigures;
using Line = std::array<std::string, kColumns>;

Line line_of(const ComparedRow& row) {
  Line line;
  line[0] = "  " + row.name + (!row.in_a ? " (new)" : !row.in_b ? " (gone)" : "");
  for (std::size_t i = 0; i < kFigures; ++i) {
    const std::optional<std::uint64_t>& now = row.b[kAllFigures[i]];
    const std::optional<std::int64_t> change = row.change(kAllFigures[i]);
    line[1 + 2 * i] = now ? std::to_string(*now) : "-";
    line[2 + 2 * i] =
        !change ? "-" : (*change > 0 ? "+" : "") + (*change == 0 ? "" : std::to_string(*change));
  }
  return line;
}

std::string to_text(const std::vector<Line>& lines) {
  std::array<std::size_t, kColumns> widths{};
  for (const Line& line : lines) {
    for (std::size_t i = 0; i < kColumns; ++i) {
      widths[i] = std::max(widths[i], line[i].size());
    }
  }
  std::string text;
  for (const Line& line : lines) {
    std::string row = line[0] + std::string(widths[0] - line[0].size(), ' ');
    for (std::size_t i = 1; i < kColumns; ++i) {
      row += "  " + std::string(widths[i] - line[i].size(), ' ') + line[i];
    }
    row.erase(row.find_last_not_of(' ') + 1);
    text += row + "\n";
  }
  return text;
}

// The rows of one kind that differ.
void add_lines(const std::string& kind, const std::vector<ComparedRow>& rows,
               std::vector<Line>& lines) {
  const auto count = static_cast<std::size_t>(std::count_if(
      rows.begin(), rows.end(), [](const ComparedRow& row) { return row.differs(); }));
  lines.emplace_back();
  lines.push_back(
      {kind + ": " + std::to_string(count) + " of " + std::to_string(rows.size()) + " differ"});
  // What grew most, and what shrank most.
  constexpr std::size_t kHalf = kMostRows / 2;
  std::size_t shown = 0;
  for (const ComparedRow& row : rows) {
    if (!row.differs()) {
      continue;
    }
    if (shown < kHalf || shown + kHalf >= count) {
      lines.push_back(line_of(row));
    } else if (shown == kHalf) {
      lines.push_back({"  ... " + std::to_string(count - 2 * kHalf) + " more between these"});
    }
    ++shown;
  }
}

// --- as JSON ---

Json to_json(const ComparedRow& row) {
  Json json;
  for (std::size_t i = 0; i < kFigures; ++i) {
    const Figure figure = kAllFigures[i];
    const auto known = [](const auto& value) { return value ? Json(*value) : Json(); };
    json[std::string(kFigureNames[i])] = {{"a", known(row.a[figure])},
                                          {"b", known(row.b[figure])},
                                          {"change", known(row.change(figure))}};
  }
  return json;
}

Json to_json(const std::vector<ComparedRow>& rows) {
  Json json = Json::array();
  for (const ComparedRow& row : rows) {
    json.push_back({{"name", row.name}, {"in_a", row.in_a}, {"in_b", row.in_b}});
    json.back().update(to_json(row));
  }
  return json;
}

}  // namespace

std::optional<std::int64_t> ComparedRow::change(Figure figure) const {
  if (!a[figure] || !b[figure]) {
    return std::nullopt;
  }
  return static_cast<std::int64_t>(*b[figure] - *a[figure]);
}

bool ComparedRow::differs() const {
  return in_a != in_b || std::any_of(kAllFigures.begin(), kAllFigures.end(), [&](Figure figure) {
           return change(figure).value_or(0) != 0;
         });
}

Comparison compare(const Summary& a, const Summary& b) {
  const bool alike = a.sites.has_value() == b.sites.has_value();
  Comparison comparison;
  comparison.a = a.name;
  comparison.b = b.name;
  comparison.platform_a = a.platform + ", " + a.policy;
  comparison.platform_b = b.platform + ", " + b.policy;
  comparison.total = row_of("total", &a.total, &b.total);
  comparison.owners = rows_of(a.owners, b.owners, !alike);
  if (a.sites && b.sites) {
    comparison.sites = rows_of(*a.sites, *b.sites, false);
  }
  return comparison;
}

std::string to_table(const Comparison& comparison) {
  std::vector<Line> lines{{"", "live peak", "", "mapped peak", "", "failures", "", "requests", "",
                           "bytes asked for", ""},
                          line_of(comparison.total)};
  add_lines("owners", comparison.owners, lines);
  if (comparison.sites) {
    add_lines("sites", *comparison.sites, lines);
  }
  return "A: " + comparison.a + " (" + comparison.platform_a + ")\nB: " + comparison.b + " (" +
         comparison.platform_b + "), and how much more that is\n\n" + to_text(lines) +
         (comparison.sites ? "" : "\nsites: not compared, as a report says nothing of them\n");
}

Json to_json(const Comparison& comparison) {
  return {{"a", {{"name", comparison.a}, {"on", comparison.platform_a}}},
          {"b", {{"name", comparison.b}, {"on", comparison.platform_b}}},
          {"total", to_json(comparison.total)},
          {"owners", to_json(comparison.owners)},
          {"sites", comparison.sites ? to_json(*comparison.sites) : Json()}};
}

}  // namespace modmem::tools
