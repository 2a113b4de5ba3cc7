#include "tools/tune_report.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdarg>
#include <cstdio>
#include <cstring>

namespace modmem::tools {

namespace {

using Json = nlohmann::ordered_json;
using tuning::ElasticTuning;
using tuning::Hysteresis;
using tuning::Played;
using tuning::SlotOutcome;
using tuning::SlotTuning;

template <typename Number>
Json or_null(const std::optional<Number>& number) {
  return number ? Json(*number) : Json();
}

[[gnu::format(printf, 1, 2)]] std::string format(const char* pattern, ...) {
  char text[256];
  va_list arguments;
  va_start(arguments, pattern);
  std::vsnprintf(text, sizeof text, pattern, arguments);
  va_end(arguments);
  return text;
}

// 1,310,720
std::string grouped(std::uint64_t number) {
  std::string text = std::to_string(number);
  for (std::size_t at = text.size(); at > 3;) {
    at -= 3;
    text.insert(at, ",");
  }
  return text;
}

std::string bytes(std::uint64_t number) { return grouped(number) + " B"; }

std::string fixed(const std::optional<double>& number, int digits) {
  return number ? format("%.*f", digits, *number) : "-";
}

// --- JSON ---

Json bundles_json(const std::vector<SlotBundle>& bundles,
                  const std::vector<std::uint32_t>& most_used) {
  Json list = Json::array();
  for (std::size_t i = 0; i < bundles.size(); ++i) {
    list.push_back({{"slot_bytes", bundles[i].slot_bytes}, {"slots", bundles[i].slots}});
    if (i < most_used.size()) {
      list.back()["most_used"] = most_used[i];
    }
  }
  return list;
}

Json outcome_json(const SlotOutcome& outcome, const std::vector<std::uint32_t>& most_used) {
  Json json = {{"table", bundles_json(outcome.bundles, most_used)},
               {"table_bytes", outcome.table_bytes()},
               {"arena_bytes", outcome.arena_bytes}};
  const auto& played = outcome.played;
  json["failures"] = played ? Json(played->failures) : Json();
  json["peak_live_bytes"] = played ? Json(played->peak_live_bytes) : Json();
  json["peak_mapped_bytes"] = played ? Json(played->peak_mapped_bytes) : Json();
  return json;
}

Json slots_json(const SlotTuning& slots) {
  return {{"requests", slots.requests},
          {"least_table_bytes", in_frames(slots.choice.least_pages)},
          {"proved", slots.choice.proved},
          {"tables_played", slots.choice.tables},
          {"slot_failures", slots.choice.failures},
          {"configured", outcome_json(slots.configured, {})},
          {"tuned", outcome_json(slots.tuned, slots.most_used)}};
}

Json hysteresis_json(const Hysteresis& one) {
  return {{"retained_pages", one.retained_pages},
          {"retained_us", one.retained_us},
          {"bank_hold_us", one.bank_hold_us},
          {"mappings", one.played.times.mappings},
          {"bank_switches", one.played.times.switches},
          {"mapped_over_live_mean", or_null(one.played.mapped_over_live())},
          {"banks_on_mean", or_null(one.played.banks_on())},
          {"failures", one.played.failures}};
}

Json elastic_json(const ElasticTuning& elastic) {
  Json tried = Json::array();
  for (const Hysteresis& one : elastic.tried) {
    tried.push_back(hysteresis_json(one));
  }
  const tuning::StreamNeeds& streams = elastic.streams;
  return {{"hysteresis", hysteresis_json(elastic.tried[elastic.chosen])},
          {"owners",
           {{{"kind", "system"}, {"peak_bytes", streams.system_peak_bytes}},
            {{"kind", "pipeline"},
             {"started", streams.start_pages.size()},
             {"most_at_a_time", streams.most_at_a_time},
             {"peak_bytes", streams.peak_bytes},
             {"peak_mapped_bytes", in_frames(streams.peak_pages)},
             {"limit_bytes", elastic.limit_bytes},
             {"guarantee_bytes", elastic.guarantee_bytes},
             {"guarantee_percent", elastic.guarantee_share},
             {"premap_pages", streams.grown_pages},
             {"premap_blocks", streams.grown_blocks},
             {"failures", elastic.with_limits.failures}}}},
          {"tried", tried}};
}

// --- text ---

std::string row(const char* name, const std::string& configured, const std::string& tuned) {
  return format("  %-14s %14s %14s\n", name, configured.c_str(), tuned.c_str());
}

std::string slots_text(const SlotTuning& slots) {
  if (slots.requests == 0) {
    return "  no request is for slots\n";
  }
  const SlotOutcome& before = slots.configured;
  const SlotOutcome& after = slots.tuned;
  const auto played = [](const SlotOutcome& outcome, auto figure, const char* unit) {
    return outcome.played ? grouped((*outcome.played).*figure) + unit : std::string("-");
  };
  std::string text = row("", "configured", "tuned");
  text += row("slots", bytes(before.table_bytes()), bytes(after.table_bytes()));
  if (after.arena_bytes != 0) {
    text += row("fixed arena", bytes(before.arena_bytes), bytes(after.arena_bytes));
  }
  text += row("peak mapped", played(before, &Played::peak_mapped_bytes, " B"),
              played(after, &Played::peak_mapped_bytes, " B"));
  text +=
      row("failures", played(before, &Played::failures, ""), played(after, &Played::failures, ""));
  const std::size_t least = in_frames(slots.choice.least_pages);
  const std::size_t over = after.table_bytes() - std::min(after.table_bytes(), least);
  text += "\n  " + grouped(slots.requests) + " requests for slots; to serve all of them takes " +
          bytes(least) + " at least\n  " + grouped(slots.choice.tables) + " tables played: ";
  if (slots.choice.proved) {
    text += "none is better\n";
  } else if (slots.choice.failures == 0) {
    text += "a better one would have " + bytes(over) + " less at most\n";
  } else {
    text += "there may be better ones\n";
  }
  text += "\n      slot    slots  most used\n";
  for (std::size_t i = 0; i < after.bundles.size(); ++i) {
    text += format("  %8zu %8u %10u\n", after.bundles[i].slot_bytes, after.bundles[i].slots,
                   i < slots.most_used.size() ? slots.most_used[i] : 0);
  }
  return text;
}

std::string hysteresis_row(const Hysteresis& one, bool chosen) {
  return format("  %s %6u %12u %12u %12s %12s %10s %8s\n", chosen ? ">" : " ", one.retained_pages,
                one.retained_us, one.bank_hold_us, grouped(one.played.times.mappings).c_str(),
                grouped(one.played.times.switches).c_str(),
                fixed(one.played.mapped_over_live(), 4).c_str(),
                fixed(one.played.banks_on(), 3).c_str());
}

std::string elastic_text(const ElasticTuning& elastic) {
  std::string text = format("    %6s %12s %12s %12s %12s %10s %8s\n", "pages", "kept us", "bank us",
                            "mappings", "switches", "map/live", "banks");
  for (std::size_t i = 0; i < elastic.tried.size(); ++i) {
    text += hysteresis_row(elastic.tried[i], i == elastic.chosen);
  }
  const tuning::StreamNeeds& streams = elastic.streams;
  text += "\n  " + grouped(streams.start_pages.size()) + " streams, " +
          std::to_string(streams.most_at_a_time) + " at a time at most\n";
  text += format("  %-14s %14s\n", "limit", bytes(elastic.limit_bytes).c_str());
  text += format("  %-14s %14s  (%u %% of the starts)\n", "guarantee",
                 bytes(elastic.guarantee_bytes).c_str(), elastic.guarantee_share);
  text += format("  %-14s %8u pages  (and %u blocks)\n", "premap", streams.grown_pages,
                 streams.grown_blocks);
  text += format("  %-14s %14s\n", "failures so", grouped(elastic.with_limits.failures).c_str());
  return text;
}

// --- the fragment ---

std::string symbol_of(const char* policy) {
  std::string symbol;
  for (const char* at = policy; *at != '\0'; ++at) {
    symbol += *at == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(*at)));
  }
  return "POLICY_" + symbol;
}

std::string slots_fragment(const SlotTuning& slots) {
  if (slots.tuned.bundles.empty()) {
    return "# No slots: nobody asks for them, or none are allowed.\n";
  }
  std::string table;
  std::string initializer;
  for (const SlotBundle& bundle : slots.tuned.bundles) {
    table += format("%s%zux%u", table.empty() ? "" : " ", bundle.slot_bytes, bundle.slots);
    initializer +=
        format("%s{%zu, %u}", initializer.empty() ? "" : ", ", bundle.slot_bytes, bundle.slots);
  }
  std::string text = "CONFIG_SLOT_BUNDLES=\"" + table + "\"\n";
  if (slots.tuned.arena_bytes != 0) {
    text += format("CONFIG_SLOTS_ARENA_BYTES=0x%zx\n", slots.tuned.arena_bytes);
  }
  if (slots.tuned.table_bytes() > config::kVmhRegionBytes) {
    text += format("CONFIG_VMH_REGION_BYTES=0x%zx\n", slots.tuned.table_bytes());
  }
  return text + "# For vmh_init_heap(): struct vmh_heap_config table = {{" + initializer + "}};\n";
}

std::string elastic_fragment(const ElasticTuning& elastic) {
  const Hysteresis& chosen = elastic.tried[elastic.chosen];
  std::string text;
  text += format("CONFIG_RETAINED_PAGES=%u\n", chosen.retained_pages);
  text += format("CONFIG_RETAINED_US=%u\n", chosen.retained_us);
  text += format("CONFIG_BANK_HOLD_US=%u\n", chosen.bank_hold_us);
  text += "# For Memory::create_owner(), of each pipeline:\n";
  text += format("#   OwnerSpec{.kind = OwnerKind::pipeline, .limit = %zu, .guarantee = %zu}\n",
                 elastic.limit_bytes, elastic.guarantee_bytes);
  text += format("# and, once it has started: Memory::premap(pipeline, %u, %u)\n",
                 elastic.streams.grown_pages, elastic.streams.grown_blocks);
  return text;
}

std::string one_line(const std::string& name) {
  std::string line = name;
  std::replace_if(
      line.begin(), line.end(), [](unsigned char letter) { return std::iscntrl(letter) != 0; },
      '?');
  return line;
}

}  // namespace

Json to_json(const TuneResult& result) {
  Json policies = Json::array();
  for (const PolicyTuning& one : result.policies) {
    policies.push_back({{"policy", one.policy->name}});
    if (one.slots) {
      policies.back()["slots"] = slots_json(*one.slots);
    } else {
      policies.back()["elastic"] = elastic_json(*one.elastic);
    }
  }
  return {{"traces", result.traces},
          {"platform", result.platform->name},
          {"budget_bytes", or_null(result.limits.bytes)},
          {"bundles", result.limits.bundles},
          {"policies", policies}};
}

std::string to_text(const TuneResult& result) {
  std::string text;
  for (const PolicyTuning& one : result.policies) {
    text += (text.empty() ? "Policy " : "\nPolicy ") + std::string(one.policy->name) + " on " +
            result.platform->name + "\n\n";
    text += one.slots ? slots_text(*one.slots) : elastic_text(*one.elastic);
  }
  return text;
}

std::string to_fragment(const TuneResult& result) {
  std::string text =
      "# What modmem tune found for platform " + std::string(result.platform->name) + " in\n";
  for (const std::string& trace : result.traces) {
    text += "#   " + one_line(trace) + "\n";
  }
  if (result.policies.size() == 1) {
    text += "CONFIG_" + symbol_of(result.policies.front().policy->name) + "=y\n";
  }
  for (const PolicyTuning& one : result.policies) {
    text += one.slots ? slots_fragment(*one.slots) : elastic_fragment(*one.elastic);
  }
  return text;
}

}  // namespace modmem::tools
