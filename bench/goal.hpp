// A goal: what is measured, against which limits, and whether they are kept.
//
// Invariants: a figure without a limit is information and decides nothing; a goal is met exactly
// where at least one figure has a limit and every one that has one keeps it. A figure that is no
// number keeps none.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace modmem::bench {

enum class LimitKind : std::uint8_t { none, at_most, at_least };

struct Figure {
  std::string name;
  double value = 0;
  LimitKind kind = LimitKind::none;
  double limit = 0;
  std::string unit;  // empty for ratios

  bool met() const;
};

struct GoalReport {
  int goal = 0;  // 0: none of the goals
  std::string title;
  std::vector<Figure> figures;
  std::vector<std::string> notes;  // how it was measured

  void inform(std::string name, double value, std::string unit = "");
  void at_most(std::string name, double value, double limit, std::string unit = "");
  void at_least(std::string name, double value, double limit, std::string unit = "");

  bool met() const;
};

// Replaces every limit by one that no figure can keep: shows that a goal can be missed.
void make_impossible(GoalReport& report);

// A line a figure: name, figure, limit, "ok" or "MISSED".
std::string to_text(const GoalReport& report);

// One object: goal, title, met, notes and figures (name, value, unit, limit, met). Names need not
// be UTF-8.
std::string to_json(const GoalReport& report);

}  // namespace modmem::bench
