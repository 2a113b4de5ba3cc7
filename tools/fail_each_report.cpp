#include "tools/fail_each_report.hpp"

#include <array>
#include <map>
#include <tuple>
#include <vector>

#include "tools/text_table.hpp"

namespace modmem::tools {

namespace {

using testbench::FailedPlay;
using testbench::FailKind;
using testbench::Problem;
using testbench::ProblemKind;
using testbench::SweepReport;

constexpr const char* kNoSite = "(no request for a block)";

// So that the table has 100 columns.
constexpr std::size_t kSiteColumns = 31;
constexpr std::size_t kOwnerColumns = 24;

// `name` in at most `width` columns, its start left out where it is longer.
std::string fit(const std::string& name, std::size_t width) {
  return name.size() <= width ? name : ".." + name.substr(name.size() - (width - 2));
}

// What its author does about it.
const char* advice(ProblemKind kind) {
  switch (kind) {
    case ProblemKind::crash:
    case ProblemKind::stray_access:
      return "check what each allocation returned before it is used; nullptr is to end in -ENOMEM";
    case ProblemKind::wrong_answer:
      return "return -ENOMEM where memory is not to be had, and that only";
    case ProblemKind::leak:
      return "free what was taken before the failure; what mod_alloc() gave goes by itself where "
             "init() "
             "fails";
    case ProblemKind::wrong_free:
      return "free each block once, and set its pointer to NULL then";
    case ProblemKind::damage:
      return "write within blocks, and not to what was freed";
    case ProblemKind::left_behind:
      return "undo each step that was done when a later one fails";
    case ProblemKind::broken:
      return "nothing in the module: modmem itself is wrong, please report it";
    case ProblemKind::audio_path:
      return "take in prepare() what process() needs";
    case ProblemKind::processing:
      return "return -ENOMEM from init() or prepare() rather than go on without memory";
    case ProblemKind::irregular:
      return "have the module ask for the same memory each time that it is set up";
  }
  return "";
}

std::string counted(std::uint64_t number, const std::string& what) {
  return std::to_string(number) + " " + what + (number == 1 ? "" : "s");
}

// "allocation 3 at gain.cpp:20 (64 B, for gain.1.1)"
std::string described(const FailedPlay& play) {
  std::string text = std::string(to_string(play.kind)) + " " + std::to_string(play.number);
  if (!play.injection.site.empty()) {
    text += " at " + play.injection.site + " (" + std::to_string(play.injection.bytes) +
            " B, for " + play.injection.owner + ")";
  }
  return text;
}

struct SiteFigures {
  std::uint64_t failed = 0;
  std::uint64_t coped = 0;
  std::uint64_t ended = 0;
  std::uint64_t wrong = 0;
};

std::string sites_table(const SweepReport& report) {
  std::map<std::tuple<std::string, std::string, FailKind>, SiteFigures> sites;
  for (const FailedPlay& play : report.plays) {
    const std::string& site = play.injection.site;
    SiteFigures& figures = sites[{site.empty() ? kNoSite : site, play.injection.owner, play.kind}];
    ++figures.failed;
    if (!play.problems.empty()) {
      ++figures.wrong;
    } else {
      ++(play.ended == "coped" ? figures.coped : figures.ended);
    }
  }
  TextTable table({"where", "for", "kind", "failed", "coped", "ended", "wrong"});
  for (const auto& [key, figures] : sites) {
    const auto& [site, owner, kind] = key;
    table.add({fit(site, kSiteColumns), fit(owner, kOwnerColumns), to_string(kind),
               std::to_string(figures.failed), std::to_string(figures.coped),
               std::to_string(figures.ended), std::to_string(figures.wrong)});
  }
  return table.to_text("  ");
}

std::string problem_text(const Problem& problem) {
  return problem.owner.empty() ? problem.text : problem.owner + ": " + problem.text;
}

// Each problem once, with the play that showed it first.
std::string problems_text(const SweepReport& report) {
  struct Found {
    const FailedPlay* first = nullptr;
    ProblemKind kind = ProblemKind::crash;
    std::uint64_t times = 0;
  };
  std::vector<std::pair<std::string, Found>> found;
  std::map<std::string, std::size_t> known;
  for (const FailedPlay& play : report.plays) {
    for (const Problem& problem : play.problems) {
      const auto [at, is_new] = known.emplace(problem_text(problem), found.size());
      if (is_new) {
        found.push_back({at->first, {&play, problem.kind, 0}});
      }
      ++found[at->second].second.times;
    }
  }
  std::string text;
  for (const auto& [what, problem] : found) {
    text += "  " + what + "\n    when    " + described(*problem.first) + " failed";
    text += problem.times > 1 ? ", and " + counted(problem.times - 1, "other time") + "\n" : "\n";
    text += "    ended   " + problem.first->ended + "\n    to do   " + advice(problem.kind) + "\n";
  }
  return text;
}

nlohmann::ordered_json play_json(const FailedPlay& play) {
  nlohmann::ordered_json problems = nlohmann::ordered_json::array();
  for (const Problem& problem : play.problems) {
    problems.push_back({{"kind", to_string(problem.kind)},
                        {"owner", problem.owner},
                        {"text", problem.text},
                        {"to_do", advice(problem.kind)}});
  }
  return {{"kind", to_string(play.kind)},   {"number", play.number},
          {"site", play.injection.site},    {"owner", play.injection.owner},
          {"bytes", play.injection.bytes},  {"ended", play.ended},
          {"problems", std::move(problems)}};
}

}  // namespace

std::string to_text(const SweepReport& report, const std::string& title) {
  std::string text = title + "\n";
  if (!report.undisturbed.problems.empty()) {
    text += "\nWrong before anything was made to fail, so nothing was:\n";
    for (const Problem& problem : report.undisturbed.problems) {
      text += "  " + problem_text(problem) + "\n    to do   " + advice(problem.kind) + "\n";
    }
    return text;
  }
  text += "Failed, each once: " + counted(report.counts[0], "allocation") + ", " +
          counted(report.counts[1], "mapping") + ", " + counted(report.counts[2], "power-up") +
          "\n\n" + sites_table(report) + "\n";
  const std::string problems = problems_text(report);
  return text + (problems.empty() ? "Problems: none\n" : "Problems:\n" + problems);
}

nlohmann::ordered_json to_json(const SweepReport& report) {
  nlohmann::ordered_json plays = nlohmann::ordered_json::array();
  for (const FailedPlay& play : report.plays) {
    plays.push_back(play_json(play));
  }
  nlohmann::ordered_json undisturbed = play_json(report.undisturbed);
  for (const char* key : {"kind", "number", "site", "owner", "bytes"}) {
    undisturbed.erase(key);
  }
  return {{"failed", report.failed()},
          {"counts",
           {{"allocations", report.counts[0]},
            {"mappings", report.counts[1]},
            {"power_ups", report.counts[2]}}},
          {"undisturbed", std::move(undisturbed)},
          {"plays", std::move(plays)}};
}

}  // namespace modmem::tools
