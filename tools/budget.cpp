#include "tools/budget.hpp"

#include <algorithm>
#include <limits>

#include "testbench/input_error.hpp"

namespace modmem::tools {

using testbench::TomlValue;

namespace {

constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();

const ComparedRow* find(const std::vector<ComparedRow>& rows, const std::string& name) {
  const auto found = std::find_if(rows.begin(), rows.end(),
                                  [&](const ComparedRow& row) { return row.name == name; });
  return found != rows.end() ? &*found : nullptr;
}

}  // namespace

Budget::Budget(const std::filesystem::path& path) {
  const TomlValue file = testbench::load_toml(path);
  file.require_keys({"total", "owner", "site", "growth"});
  if (const TomlValue* total = file.find("total")) {
    total_ = Limits{"", limits_of(*total), *total};
  }
  owners_ = named_limits(file, "owner");
  sites_ = named_limits(file, "site");
  if (const TomlValue* growth = file.find("growth")) {
    growth->require_keys({"percent", "bytes"});
    Growth allowed;
    allowed.place = growth->place();
    if (const TomlValue* percent = growth->find("percent")) {
      allowed.percent = percent->number();
      if (allowed.percent < 0) {
        percent->fail("must not be below 0");
      }
    }
    if (const TomlValue* bytes = growth->find("bytes")) {
      allowed.bytes = static_cast<std::uint64_t>(bytes->integer(0, kMost));
    }
    growth_ = allowed;
  }
}

std::vector<Budget::Limit> Budget::limits_of(const TomlValue& table) {
  std::vector<Limit> limits;
  for (const auto& [key, value] : table.table()) {
    const auto name = std::find(kFigureNames.begin(), kFigureNames.end(), key);
    if (name == kFigureNames.end()) {
      value.fail("there is no such key");
    }
    limits.push_back({static_cast<Figure>(name - kFigureNames.begin()),
                      static_cast<std::uint64_t>(value.integer(0, kMost)), value});
  }
  return limits;
}

std::vector<Budget::Limits> Budget::named_limits(const TomlValue& file, const char* key) {
  std::vector<Limits> all;
  if (const TomlValue* tables = file.find(key)) {
    for (const auto& [name, table] : tables->table()) {
      all.push_back({name, limits_of(table), table});
    }
  }
  return all;
}

void Budget::check(const std::string& kind, const Limits& limits, const ComparedRow& row,
                   std::vector<std::string>& lines) {
  for (const Limit& limit : limits.limits) {
    const std::optional<std::uint64_t>& now = row.b[limit.figure];
    if (!now) {
      limit.value.fail("is not known of " + kind + " in what is compared");
    }
    if (*now > limit.most) {
      lines.push_back(limit.value.place() + ": " + std::to_string(*now) + ", and at most " +
                      std::to_string(limit.most) + " are allowed");
    }
  }
}

void Budget::check_growth(const std::string& what, const ComparedRow& row,
                          std::vector<std::string>& lines) const {
  for (const Figure figure : {Figure::peak_live_bytes, Figure::peak_mapped_bytes}) {
    const std::optional<std::int64_t> change = row.change(figure);
    if (!change || *change <= 0) {
      continue;
    }
    const auto before = static_cast<double>(*row.a[figure]);
    const double allowed =
        std::max(before * growth_->percent / 100, static_cast<double>(growth_->bytes));
    if (static_cast<double>(*change) > allowed) {
      lines.push_back(growth_->place + ": " + what + ": " +
                      std::string(kFigureNames[static_cast<std::size_t>(figure)]) + " grew from " +
                      std::to_string(*row.a[figure]) + " to " + std::to_string(*row.b[figure]) +
                      ", and " + std::to_string(static_cast<std::uint64_t>(allowed)) +
                      " more are allowed");
    }
  }
}

std::vector<std::string> Budget::exceeded(const Comparison& comparison) const {
  std::vector<std::string> lines;
  if (total_) {
    check("the total", *total_, comparison.total, lines);
  }
  const auto check_named = [&](const char* kind, const std::vector<Limits>& all,
                               const std::vector<ComparedRow>* rows) {
    for (const Limits& limits : all) {
      const ComparedRow* row = rows != nullptr ? find(*rows, limits.name) : nullptr;
      if (row == nullptr) {
        limits.table.fail(std::string("there is no such ") + kind + " in what is compared");
      }
      check(std::string(kind) + "s", limits, *row, lines);
    }
  };
  check_named("owner", owners_, &comparison.owners);
  check_named("site", sites_, comparison.sites ? &*comparison.sites : nullptr);
  if (growth_) {
    check_growth("all", comparison.total, lines);
    for (const ComparedRow& row : comparison.owners) {
      check_growth("owner " + row.name, row, lines);
    }
    for (const ComparedRow& row : comparison.sites.value_or(std::vector<ComparedRow>{})) {
      check_growth("site " + row.name, row, lines);
    }
  }
  return lines;
}

}  // namespace modmem::tools
