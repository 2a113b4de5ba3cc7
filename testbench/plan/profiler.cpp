#include "testbench/plan/profiler.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include "testbench/plan/explain.hpp"

namespace modmem::testbench {

namespace {

// What requests must have in common to be one request of a footprint.
struct Kind {
  std::string site;
  Flags flags = 0;
  std::size_t alignment = 0;
  bool ranges = false;
  bool temporary = false;

  bool operator<(const Kind& other) const {
    const auto tie = [](const Kind& kind) {
      return std::tie(kind.site, kind.flags, kind.alignment, kind.ranges, kind.temporary);
    };
    return tie(*this) < tie(other);
  }
  bool operator==(const Kind& other) const { return !(*this < other) && !(other < *this); }
};

Kind kind_of(const SampledRequest& request) {
  return {request.site, request.flags, request.alignment, request.least != 0, request.temporary};
}

using Phase = std::vector<SampledRequest> SampledLife::*;
// The requests of one kind, of each life.
using Column = std::vector<std::vector<const SampledRequest*>>;

// What two lives have in common where one of them says nothing new.
using Signature = std::tuple<Facts, std::vector<std::tuple<std::string, std::size_t, std::size_t>>,
                             std::vector<std::tuple<std::string, std::size_t, std::size_t>>>;

Signature signature_of(const SampledLife& life) {
  const auto requests = [](const std::vector<SampledRequest>& phase) {
    std::vector<std::tuple<std::string, std::size_t, std::size_t>> list;
    list.reserve(phase.size());
    for (const SampledRequest& request : phase) {
      list.emplace_back(request.site, request.bytes, request.least);
    }
    return list;
  };
  return {life.facts, requests(life.init), requests(life.prepare)};
}

// The kinds of requests of a phase, in the order in which the lives that make most of them make
// them.
std::vector<Kind> kinds_of(const std::vector<const SampledLife*>& lives, Phase phase) {
  std::vector<const SampledLife*> longest_first = lives;
  std::stable_sort(longest_first.begin(), longest_first.end(),
                   [phase](const SampledLife* a, const SampledLife* b) {
                     return (a->*phase).size() > (b->*phase).size();
                   });
  std::vector<Kind> kinds;
  for (const SampledLife* life : longest_first) {
    auto after = kinds.begin();
    for (const SampledRequest& request : life->*phase) {
      const Kind kind = kind_of(request);
      const auto known = std::find(kinds.begin(), kinds.end(), kind);
      // A new one stands behind what came before it.
      after = (known != kinds.end() ? known : kinds.insert(after, kind)) + 1;
    }
  }
  return kinds;
}

Column column_of(const std::vector<const SampledLife*>& lives, Phase phase, const Kind& kind) {
  Column column;
  for (const SampledLife* life : lives) {
    auto& requests = column.emplace_back();
    for (const SampledRequest& request : life->*phase) {
      if (kind_of(request) == kind) {
        requests.push_back(&request);
      }
    }
  }
  return column;
}

class ModuleProfiler {
 public:
  ModuleProfiler(std::vector<const SampledLife*> lives, ProfiledModule& result)
      : lives_(std::move(lives)), result_(result) {
    for (const std::string_view name : fact_names()) {
      names_.emplace_back(name);
    }
    told_apart_ = {{"in_rate"}, {"out_rate"}, {"in_rate", "out_rate"}, {"blob_bytes"}};
    for (const Parameter& parameter : result.footprint.parameters) {
      names_.push_back(parameter.name);
      told_apart_.push_back({parameter.name});
      told_apart_.push_back({"in_rate", parameter.name});
    }
  }

  void profile(Phase phase, const char* phase_name, std::vector<FootprintRequest>& requests) {
    for (const Kind& kind : kinds_of(lives_, phase)) {
      const Column column = column_of(lives_, phase, kind);
      where_ = std::string(phase_name) + ", " + kind.site;
      // As many in each life, but for those that have none: the first of all, the second of all,
      // ...
      std::size_t most = 0;
      bool same = true;
      for (const auto& life : column) {
        same = same && (life.empty() || most == 0 || life.size() == most);
        most = std::max(most, life.size());
      }
      if (same) {
        for (std::size_t i = 0; i < most; ++i) {
          Column single;
          for (const auto& life : column) {
            single.emplace_back();
            if (!life.empty()) {
              single.back().push_back(life[i]);
            }
          }
          add(single, kind, requests);
        }
      } else {
        add(column, kind, requests);
      }
    }
  }

  // The values that were seen: of facts that requests follow from, of all parameters, and of what
  // was the same in all lives, as nobody knows what another value would have done.
  void note_seen() {
    constexpr std::string_view kTelling[] = {"in_channels", "out_channels",   "in_rate",
                                             "out_rate",    "in_frame_bytes", "out_frame_bytes",
                                             "inputs",      "outputs",        "blob_bytes"};
    std::set<std::string> facts;
    for (const std::string_view name : kTelling) {
      const Footprint::Range range = range_of(std::string(name));
      if (range.least == range.most) {
        facts.emplace(name);
      }
    }
    for (const auto* phase : {&result_.footprint.init, &result_.footprint.prepare}) {
      for (const FootprintRequest& request : *phase) {
        for (const Formula* formula : {&request.bytes, &request.count, &request.least}) {
          add_facts(*formula, facts);
        }
        for (const FootprintRequest::Case& one : request.cases) {
          add_facts(one.bytes, facts);
        }
        const std::vector<std::string> compared = request.when.facts();
        facts.insert(compared.begin(), compared.end());
      }
    }
    for (const Parameter& parameter : result_.footprint.parameters) {
      facts.insert(parameter.name);
    }
    for (const std::string& name : facts) {
      result_.footprint.seen[name] = range_of(name);
    }
  }

 private:
  Footprint::Range range_of(const std::string& name) const {
    Footprint::Range range{INT64_MAX, 0};
    for (const SampledLife* life : lives_) {
      const auto known = life->facts.find(name);
      const std::int64_t value = known != life->facts.end() ? known->second : 0;
      range = {std::min(range.least, value), std::max(range.most, value)};
    }
    return range;
  }

  static void add_facts(const Formula& formula, std::set<std::string>& facts) {
    for (const Formula::Term& term : formula.terms()) {
      facts.insert(term.facts.begin(), term.facts.end());
    }
  }

  Explanation explain_values(const std::vector<Sample>& samples, const char* what) {
    Explanation explanation = explain(samples, names_, told_apart_);
    if (!explanation.exact) {
      const auto [least, most] =
          std::minmax_element(samples.begin(), samples.end(),
                              [](const Sample& a, const Sample& b) { return a.value < b.value; });
      result_.unexplained.push_back(where_ + ": nothing explains " + std::to_string(least->value) +
                                    " to " + std::to_string(most->value) + " " + what);
    }
    return explanation;
  }

  // The samples of one figure of each life; nothing of those that `figure` says nothing of.
  template <typename Figure>
  std::vector<Sample> samples_of(const Column& column, const Figure& figure) const {
    std::vector<Sample> samples;
    for (std::size_t i = 0; i < column.size(); ++i) {
      if (const std::optional<std::size_t> value = figure(column[i])) {
        samples.push_back({&lives_[i]->facts, static_cast<std::int64_t>(*value)});
      }
    }
    return samples;
  }

  void add(const Column& column, const Kind& kind, std::vector<FootprintRequest>& requests) {
    using Life = std::vector<const SampledRequest*>;
    FootprintRequest request;
    request.flags = kind.flags;
    request.alignment = kind.alignment;
    request.temporary = kind.temporary;
    const bool several =
        std::any_of(column.begin(), column.end(), [](const Life& life) { return life.size() > 1; });
    const bool alike = std::all_of(column.begin(), column.end(), [](const Life& life) {
      return std::all_of(life.begin(), life.end(), [&](const SampledRequest* other) {
        return other->bytes == life.front()->bytes;
      });
    });
    const auto sum = [](const Life& life) {
      std::size_t bytes = 0;
      for (const SampledRequest* one : life) {
        bytes += one->bytes;
      }
      return std::optional(bytes);
    };
    const auto first = [](const Life& life) {
      return life.empty() ? std::nullopt : std::optional(life.front()->bytes);
    };
    Explanation bytes;
    if (several) {
      const Explanation count = explain_values(
          samples_of(column, [](const Life& life) { return std::optional(life.size()); }),
          "blocks");
      // Cases are for bytes alone.
      request.count = count.cases.empty() ? count.value : most_of(count);
      request.when = count.when;
      request.estimate = !count.exact || !count.cases.empty();
      request.together = !alike;
      bytes = explain_values(alike ? samples_of(column, first) : samples_of(column, sum), "bytes");
      if (request.when.is_always()) {
        request.when = bytes.when;
      }
    } else {
      bytes = explain_values(samples_of(column, sum), "bytes");
      request.when = bytes.when;
    }
    request.bytes = bytes.value;
    request.by = bytes.by;
    request.cases = bytes.cases;
    request.estimate = request.estimate || !bytes.exact;
    if (request.together && !request.cases.empty()) {
      request.bytes = most_of(bytes);
      request.by.clear();
      request.cases.clear();
      request.estimate = true;
    }
    if (kind.ranges) {
      request.least = explain_values(samples_of(column,
                                                [](const Life& life) {
                                                  return life.empty()
                                                             ? std::nullopt
                                                             : std::optional(life.front()->least);
                                                }),
                                     "bytes at least")
                          .value;
    }
    requests.push_back(std::move(request));
  }

  // The case that says most.
  Formula most_of(const Explanation& explanation) const {
    const auto most = std::max_element(explanation.cases.begin(), explanation.cases.end(),
                                       [&](const auto& a, const auto& b) {
                                         const Facts& facts = lives_.front()->facts;
                                         return a.bytes.value(facts) < b.bytes.value(facts);
                                       });
    return most->bytes;
  }

  std::vector<const SampledLife*> lives_;
  ProfiledModule& result_;
  std::vector<std::string> names_;
  std::vector<std::vector<std::string>> told_apart_;
  std::string where_;
};

}  // namespace

std::vector<ProfiledModule> profile(const std::vector<SampledLife>& lives,
                                    const FootprintTable& table) {
  std::map<std::pair<std::string, std::string>, std::vector<const SampledLife*>> modules;
  for (const SampledLife& life : lives) {
    modules[{life.name, to_string(life.uuid)}].push_back(&life);
  }
  std::vector<ProfiledModule> profiles;
  for (const auto& [key, all] : modules) {
    ProfiledModule& result = profiles.emplace_back();
    result.footprint.uuid = all.front()->uuid;
    result.footprint.name = all.front()->name;
    if (const Footprint* const known = table.find(all.front()->uuid)) {
      result.footprint.parameters = known->parameters;
    }
    result.lives = all.size();
    std::map<Signature, const SampledLife*> different;
    for (const SampledLife* life : all) {
      different.emplace(signature_of(*life), life);
    }
    std::vector<const SampledLife*> distinct;
    distinct.reserve(different.size());
    for (const auto& [signature, life] : different) {
      distinct.push_back(life);
    }
    result.different = distinct.size();
    ModuleProfiler profiler(std::move(distinct), result);
    profiler.profile(&SampledLife::init, "init", result.footprint.init);
    profiler.profile(&SampledLife::prepare, "prepare", result.footprint.prepare);
    profiler.note_seen();
  }
  return profiles;
}

}  // namespace modmem::testbench
