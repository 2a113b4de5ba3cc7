#include "bench/goal.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <limits>
#include <nlohmann/json.hpp>
#include <utility>

namespace modmem::bench {

namespace {

// Up to four significant decimals of a ratio, none of a large number.
std::string number_text(double value) {
  std::array<char, 64> text{};
  const int decimals = std::abs(value) >= 1000 ? 0 : std::abs(value) >= 100 ? 1 : 4;
  std::snprintf(text.data(), text.size(), "%.*f", decimals, value);
  return text.data();
}

std::string heading(const GoalReport& report) {
  return report.goal == 0 ? "figures" : "goal " + std::to_string(report.goal);
}

const char* sign(LimitKind kind) { return kind == LimitKind::at_most ? "<=" : ">="; }

// JSON has no numbers but finite ones.
nlohmann::json json_number(double value) {
  return std::isfinite(value) ? nlohmann::json(value) : nlohmann::json(nullptr);
}

}  // namespace

bool Figure::met() const {
  switch (kind) {
    case LimitKind::none:
      return true;
    case LimitKind::at_most:
      return value <= limit;
    case LimitKind::at_least:
      return value >= limit;
  }
  return false;
}

void GoalReport::inform(std::string name, double value, std::string unit) {
  figures.push_back({std::move(name), value, LimitKind::none, 0, std::move(unit)});
}

void GoalReport::at_most(std::string name, double value, double limit, std::string unit) {
  figures.push_back({std::move(name), value, LimitKind::at_most, limit, std::move(unit)});
}

void GoalReport::at_least(std::string name, double value, double limit, std::string unit) {
  figures.push_back({std::move(name), value, LimitKind::at_least, limit, std::move(unit)});
}

bool GoalReport::met() const {
  const bool limited = std::any_of(figures.begin(), figures.end(), [](const Figure& figure) {
    return figure.kind != LimitKind::none;
  });
  return limited && std::all_of(figures.begin(), figures.end(),
                                [](const Figure& figure) { return figure.met(); });
}

void make_impossible(GoalReport& report) {
  for (Figure& figure : report.figures) {
    const double beyond = std::numeric_limits<double>::infinity();
    figure.limit = figure.kind == LimitKind::at_most ? -beyond : beyond;
  }
}

std::string to_text(const GoalReport& report) {
  std::size_t width = 0;
  for (const Figure& figure : report.figures) {
    width = std::max(width, figure.name.size());
  }
  std::string text = heading(report) + ": " + report.title + '\n';
  for (const Figure& figure : report.figures) {
    std::string line = "  " + figure.name + std::string(width - figure.name.size() + 2, ' ') +
                       number_text(figure.value);
    if (!figure.unit.empty()) {
      line += ' ' + figure.unit;
    }
    if (figure.kind != LimitKind::none) {
      line += std::string("  ") + sign(figure.kind) + ' ' + number_text(figure.limit) +
              (figure.met() ? "  ok" : "  MISSED");
    }
    text += line + '\n';
  }
  for (const std::string& note : report.notes) {
    text += "  " + note + '\n';
  }
  return text + heading(report) + (report.met() ? ": met\n" : ": MISSED\n");
}

std::string to_json(const GoalReport& report) {
  nlohmann::ordered_json figures = nlohmann::ordered_json::array();
  for (const Figure& figure : report.figures) {
    nlohmann::ordered_json entry = {{"name", figure.name}, {"value", json_number(figure.value)}};
    if (!figure.unit.empty()) {
      entry["unit"] = figure.unit;
    }
    if (figure.kind != LimitKind::none) {
      entry[figure.kind == LimitKind::at_most ? "at_most" : "at_least"] = json_number(figure.limit);
      entry["met"] = figure.met();
    }
    figures.push_back(std::move(entry));
  }
  const nlohmann::ordered_json json = {{"goal", report.goal},
                                       {"title", report.title},
                                       {"met", report.met()},
                                       {"figures", figures},
                                       {"notes", report.notes}};
  return json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + '\n';
}

}  // namespace modmem::bench
