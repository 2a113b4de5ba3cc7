#include "tools/plan_report.hpp"

#include <algorithm>
#include <filesystem>
#include <map>

#include "tools/hex_id.hpp"
#include "tools/text_table.hpp"

namespace modmem::tools {

namespace {

using testbench::Coverage;
using testbench::PlanFigures;
using testbench::PlannedGap;
using testbench::PlannedSet;
using testbench::TopologyPlan;
using Json = nlohmann::ordered_json;

constexpr std::size_t kMostListed = 12;

Json set_json(const PlannedSet& set, const TopologyPlan& plan) {
  Json streams = Json::array();
  for (const std::size_t stream : set.streams) {
    streams.push_back(plan.streams[stream]);
  }
  Json json = {{"streams", std::move(streams)},
               {"fits", set.fits},
               {"reason", set.fits ? Json() : Json(set.reason)}};
  const auto figure = [&](const char* name, auto PlanFigures::*member, bool says_something) {
    json[name] = set.figures && says_something ? Json((*set.figures).*member) : Json();
  };
  figure("peak_live_bytes", &PlanFigures::live_bytes, true);
  figure("mapped_bytes", &PlanFigures::mapped_bytes, true);
  figure("metadata_bytes", &PlanFigures::metadata_bytes, true);
  figure("banks_on", &PlanFigures::banks_on, set.fits);
  figure("free_bytes", &PlanFigures::free_bytes, set.fits);
  figure("largest_buffer", &PlanFigures::largest_buffer, set.fits);
  return json;
}

Json plan_json(const TopologyPlan& plan) {
  Json pipelines = Json::array();
  for (const testbench::PlannedPipeline& pipeline : plan.pipelines) {
    pipelines.push_back({{"id", hex_id(pipeline.id)},
                         {"name", pipeline.name},
                         {"core", pipeline.core},
                         {"peak_live_bytes", pipeline.live_bytes},
                         {"mapped_bytes", pipeline.mapped_bytes}});
  }
  Json gaps = Json::array();
  for (const PlannedGap& gap : plan.gaps) {
    gaps.push_back({{"name", gap.name},
                    {"uuid", to_string(gap.uuid)},
                    {"footprint", to_string(gap.coverage)},
                    {"counted_bytes", gap.bytes}});
  }
  Json sets = Json::array();
  for (const PlannedSet& set : plan.sets) {
    sets.push_back(set_json(set, plan));
  }
  return {{"topology", plan.topology},
          {"platform", plan.platform},
          {"policy", plan.policy},
          {"fits", plan.fits()},
          {"pool_bytes", plan.pool_bytes},
          {"banks", plan.banks},
          {"modules", plan.modules},
          {"gaps", std::move(gaps)},
          {"streams", plan.streams},
          {"pipelines", std::move(pipelines)},
          {"everything", set_json(plan.everything, plan)},
          {"worst", set_json(plan.worst(), plan)},
          {"sets", std::move(sets)}};
}

// A number with its thousands apart.
std::string number(std::size_t value) {
  std::string digits = std::to_string(value);
  for (std::size_t at = digits.size(); at > 3;) {
    at -= 3;
    digits.insert(at, ",");
  }
  return digits;
}

std::string of(std::size_t part, std::size_t all) {
  return std::to_string(part) + "/" + std::to_string(all);
}

std::string base_name(const std::string& path) {
  return std::filesystem::path(path).filename().string();
}

// Figures of a set: live, mapped, left, largest buffer, banks, fits.
std::vector<std::string> cells(const PlannedSet& set, const TopologyPlan& plan) {
  const auto figure = [&](std::size_t PlanFigures::*member, bool says_something) {
    return set.figures && says_something ? number((*set.figures).*member) : std::string("-");
  };
  return {figure(&PlanFigures::live_bytes, true),
          figure(&PlanFigures::mapped_bytes, true),
          figure(&PlanFigures::free_bytes, set.fits),
          figure(&PlanFigures::largest_buffer, set.fits),
          set.fits ? of(set.figures->banks_on, plan.banks) : "-",
          set.fits ? "yes" : "NO"};
}

std::vector<std::string> row(std::vector<std::string> first, std::vector<std::string> rest) {
  first.insert(first.end(), rest.begin(), rest.end());
  return first;
}

std::string plan_text(const TopologyPlan& plan) {
  std::string text = base_name(plan.topology) + " on " + plan.platform + " (" +
                     number(plan.pool_bytes) + " B in " + std::to_string(plan.banks) +
                     " banks), policy " + plan.policy + "\n\n";
  TextTable pipelines({"pipeline", "core", "live", "mapped"});
  for (const testbench::PlannedPipeline& pipeline : plan.pipelines) {
    pipelines.add({pipeline.name, std::to_string(pipeline.core), number(pipeline.live_bytes),
                   number(pipeline.mapped_bytes)});
  }
  text += pipelines.to_text("  ") + "\n";
  TextTable sets({"streams together", "live", "mapped", "left", "largest", "banks", "fits"});
  // Each stream, then the sets that need most.
  std::vector<const PlannedSet*> listed;
  for (const PlannedSet& set : plan.sets) {
    listed.push_back(&set);
  }
  const auto live = [](const PlannedSet* set) {
    return set->figures ? set->figures->live_bytes : SIZE_MAX;
  };
  std::stable_sort(listed.begin(), listed.end(), [&](const PlannedSet* a, const PlannedSet* b) {
    const bool alone = a->streams.size() == 1;
    const bool other_alone = b->streams.size() == 1;
    return alone != other_alone ? alone : !alone && live(a) > live(b);
  });
  std::size_t left_out = 0;
  for (std::size_t i = 0; i < listed.size(); ++i) {
    if (listed[i]->streams.size() == 1 || i < plan.streams.size() + kMostListed) {
      sets.add(row({to_string(*listed[i], plan)}, cells(*listed[i], plan)));
    } else {
      ++left_out;
    }
  }
  sets.add(row({"everything"}, cells(plan.everything, plan)));
  text += sets.to_text("  ");
  if (left_out != 0) {
    text += "  ... and " + std::to_string(left_out) + " sets that need less (--json has them)\n";
  }
  return text;
}

std::string summary_text(const std::vector<TopologyPlan>& plans) {
  TextTable table({"topology", "platform", "policy", "streams", "unknown", "live", "mapped", "left",
                   "largest", "banks", "fits"});
  for (const TopologyPlan& plan : plans) {
    std::vector<std::string> figures = cells(plan.worst(), plan);
    figures.back() = plan.fits() ? "yes" : "NO";
    table.add(row({base_name(plan.topology), plan.platform, plan.policy,
                   std::to_string(plan.streams.size()), of(plan.gaps.size(), plan.modules)},
                  figures));
  }
  return table.to_text();
}

// "gain.1.1, gain.2.1 and 3 more"
std::string names_of(const std::vector<const PlannedGap*>& gaps) {
  constexpr std::size_t kMostNames = 4;
  std::string text;
  for (std::size_t i = 0; i < std::min(gaps.size(), kMostNames); ++i) {
    text += (i == 0 ? "" : ", ") + gaps[i]->name;
  }
  return gaps.size() > kMostNames
             ? text + " and " + std::to_string(gaps.size() - kMostNames) + " more"
             : text;
}

// Modules whose footprints are not known in full, those of one UUID together.
std::string gaps_text(const std::vector<TopologyPlan>& plans) {
  std::map<std::pair<Coverage, std::string>, std::vector<const PlannedGap*>> kinds;
  for (const TopologyPlan& plan : plans) {
    for (const PlannedGap& gap : plan.gaps) {
      kinds[{gap.coverage, to_string(gap.uuid)}].push_back(&gap);
    }
  }
  std::string text;
  for (const auto& [kind, gaps] : kinds) {
    std::size_t least = SIZE_MAX;
    std::size_t most = 0;
    for (const PlannedGap* gap : gaps) {
      least = std::min(least, gap->bytes);
      most = std::max(most, gap->bytes);
    }
    const char* const what = kind.first == Coverage::estimated ? "footprint estimated"
                             : kind.first == Coverage::uncovered
                                 ? "no footprint for such formats or configuration"
                                 : "no footprint";
    text += std::string(what) + ": " + kind.second + " (" + names_of(gaps) + "), counted as " +
            number(least) + (most != least ? " to " + number(most) : "") + " B each\n";
  }
  return text;
}

std::string reasons_text(const std::vector<TopologyPlan>& plans) {
  std::string text;
  for (const TopologyPlan& plan : plans) {
    const auto failed = std::find_if(plan.sets.begin(), plan.sets.end(),
                                     [](const PlannedSet& set) { return !set.fits; });
    if (!plan.fits()) {
      const PlannedSet& set = failed != plan.sets.end() ? *failed : plan.everything;
      text += "does not fit: " + base_name(plan.topology) + " on " + plan.platform + " under " +
              plan.policy + ": " + to_string(set, plan) + ": " + set.reason + "\n";
    }
  }
  return text;
}

}  // namespace

Json to_json(const std::vector<TopologyPlan>& plans) {
  Json list = Json::array();
  for (const TopologyPlan& plan : plans) {
    list.push_back(plan_json(plan));
  }
  return list;
}

std::string to_text(const std::vector<TopologyPlan>& plans) {
  std::string text = plans.size() == 1 ? plan_text(plans.front()) : summary_text(plans);
  const std::string notes = gaps_text(plans) + reasons_text(plans);
  return text + (notes.empty() ? "" : "\n") + notes;
}

}  // namespace modmem::tools
