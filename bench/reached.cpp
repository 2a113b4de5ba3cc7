#include "bench/reached.hpp"

#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <stdexcept>

namespace modmem::bench {

namespace {

constexpr double kSlack = 0.0005;

std::map<std::string, double> read_figures(const std::string& path, int goal) {
  std::ifstream file(path);
  if (!file) {
    throw std::runtime_error(path + ": can't be read");
  }
  try {
    const nlohmann::json json = nlohmann::json::parse(file);
    if (json.at("goal") != goal) {
      throw std::runtime_error(path + ": is of goal " + json.at("goal").dump() + ", not of " +
                               std::to_string(goal));
    }
    std::map<std::string, double> figures;
    for (const nlohmann::json& figure : json.at("figures")) {
      if (figure.at("value").is_number()) {
        figures.emplace(figure.at("name"), figure.at("value"));
      }
    }
    return figures;
  } catch (const nlohmann::json::exception& error) {
    throw std::runtime_error(path + ": " + error.what());
  }
}

}  // namespace

std::vector<std::string> worse_than_reached(const GoalReport& report, const std::string& path) {
  const std::map<std::string, double> reached = read_figures(path, report.goal);
  std::vector<std::string> worse;
  for (const Figure& figure : report.figures) {
    const auto before = reached.find(figure.name);
    Figure against = figure;
    if (before != reached.end()) {
      const double slack = before->second * kSlack;
      against.limit = before->second + (figure.kind == LimitKind::at_most ? slack : -slack);
    }
    if (!figure.met() && !against.met()) {
      worse.push_back(figure.name + ": " + std::to_string(figure.value) +
                      (before != reached.end() ? ", was " + std::to_string(before->second)
                                               : ", which was not measured before"));
    }
  }
  return worse;
}

}  // namespace modmem::bench
