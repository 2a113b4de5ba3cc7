#include "tools/report_data.hpp"

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <stdexcept>
#include <utility>
#include <vector>

namespace modmem::tools {

namespace {

using nlohmann::ordered_json;
using trace::Account;
using trace::Accounts;
using trace::History;
using trace::Moment;
using trace::OwnerAccount;
using trace::SiteAccount;
using trace::Timeline;

constexpr std::string_view kPlaceholder = "\"MODMEM_DATA\"";
constexpr std::size_t kMostSites = 1000;
constexpr std::size_t kMostLeftovers = 1000;

ordered_json account_json(const Account& account) {
  return {{"allocations", account.allocations},
          {"failures", account.failures},
          {"ended", account.ended},
          {"churn", account.churn},
          {"live", account.live},
          {"peak", account.peak},
          {"lived_us", account.lived_us},
          {"lived_events", account.lived_events},
          {"left_blocks", account.left_blocks},
          {"left_bytes", account.left_bytes}};
}

// A column of the timeline; lanes that came later than a bucket held nothing in it.
template <typename Value>
ordered_json column(const Timeline& timeline, Value value) {
  ordered_json values = ordered_json::array();
  for (const Timeline::Bucket& bucket : timeline.buckets()) {
    values.push_back(value(bucket));
  }
  return values;
}

std::uint64_t at(const std::vector<std::uint64_t>& values, std::size_t index) {
  return index < values.size() ? values[index] : 0;
}

// The highest state of each pipeline in each bucket; 0 where it was absent.
ordered_json pipelines_json(const Timeline& timeline) {
  std::set<std::uint32_t> numbers;
  for (const Timeline::Bucket& bucket : timeline.buckets()) {
    for (const auto& [number, state] : bucket.pipelines) {
      numbers.insert(number);
    }
  }
  ordered_json json = ordered_json::array();
  for (const std::uint32_t number : numbers) {
    json.push_back(
        {{"pipeline", number}, {"state", column(timeline, [&](const Timeline::Bucket& bucket) {
                                  const auto found = bucket.pipelines.find(number);
                                  return found != bucket.pipelines.end() ? found->second : 0;
                                })}});
  }
  return json;
}

ordered_json timeline_json(const History& history) {
  using Bucket = Timeline::Bucket;
  const Timeline& timeline = history.timeline();
  ordered_json json;
  json["event"] = column(timeline, [](const Bucket& bucket) { return bucket.first_event; });
  json["time_us"] = column(timeline, [](const Bucket& bucket) { return bucket.time_us; });
  json["live"] = column(timeline, [](const Bucket& bucket) { return bucket.live; });
  json["mapped"] = column(timeline, [](const Bucket& bucket) { return bucket.mapped; });
  json["banks_on"] = column(timeline, [](const Bucket& bucket) { return bucket.banks_on; });
  json["failures"] = column(timeline, [](const Bucket& bucket) { return bucket.failures; });
  json["lost"] = column(timeline, [](const Bucket& bucket) { return bucket.lost; });
  json["pipelines"] = pipelines_json(timeline);
  // Who has a lane, as a number in a list of names; -1 for nobody.
  std::map<std::string, int> names;
  const auto owner_number = [&](const Bucket& bucket, std::size_t lane) {
    const std::string name =
        lane < bucket.owner_by_lane.size() ? bucket.owner_by_lane[lane] : std::string();
    return name.empty() ? -1 : names.emplace(name, static_cast<int>(names.size())).first->second;
  };
  json["lanes"] = ordered_json::array();
  for (std::size_t lane = 0; lane < history.lanes().size(); ++lane) {
    const auto live = [&](const Bucket& bucket) { return at(bucket.live_by_lane, lane); };
    const auto mapped = [&](const Bucket& bucket) { return at(bucket.mapped_by_lane, lane); };
    const auto owner = [&](const Bucket& bucket) { return owner_number(bucket, lane); };
    json["lanes"].push_back({{"name", history.lanes()[lane]},
                             {"live", column(timeline, live)},
                             {"mapped", column(timeline, mapped)},
                             {"owner", column(timeline, owner)}});
  }
  std::vector<std::string> by_number(names.size());
  for (const auto& [name, number] : names) {
    by_number[static_cast<std::size_t>(number)] = name;
  }
  json["owner_names"] = by_number;
  json["banks"] = ordered_json::array();
  const std::uint32_t banks = history.memory().pool().banks();
  for (std::uint32_t bank = 0; bank < banks; ++bank) {
    json["banks"].push_back(
        column(timeline, [&](const Bucket& bucket) { return bucket.banks[bank]; }));
  }
  return json;
}

// Rows of numbers, as pages and blocks are many.
ordered_json moment_json(const Moment& moment, std::string label) {
  ordered_json json{{"label", std::move(label)}, {"event", moment.event},
                    {"time_us", moment.time_us}, {"live", moment.live},
                    {"mapped", moment.mapped},   {"names", moment.names},
                    {"powered", moment.powered}, {"more_blocks", moment.more_blocks}};
  json["pages"] = ordered_json::array();
  for (const Moment::Page& page : moment.pages) {
    json["pages"].push_back({page.frame, page.page, page.lane, page.name});
  }
  json["blocks"] = ordered_json::array();
  for (const Moment::Block& block : moment.blocks) {
    json["blocks"].push_back(
        {block.page, block.offset, block.bytes, block.lane, block.name, block.site, block.event});
  }
  return json;
}

ordered_json moments_json(const History& history) {
  std::vector<std::pair<const Moment*, std::string>> moments;
  for (const Moment& moment : history.spread()) {
    moments.emplace_back(&moment, "");
  }
  for (std::size_t i = 0; i < history.failure_moments().size(); ++i) {
    moments.emplace_back(&history.failure_moments()[i], "failure " + std::to_string(i + 1));
  }
  if (history.most_live()) {
    moments.emplace_back(&*history.most_live(), "most live bytes");
  }
  if (history.most_mapped()) {
    moments.emplace_back(&*history.most_mapped(), "most mapped bytes");
  }
  if (history.end()) {
    moments.emplace_back(&*history.end(), "end");
  }
  std::stable_sort(moments.begin(), moments.end(),
                   [](const auto& a, const auto& b) { return a.first->event < b.first->event; });
  // What is the same moment is one, with all that it is called.
  ordered_json json = ordered_json::array();
  for (std::size_t i = 0; i < moments.size();) {
    std::string label;
    std::size_t end = i;
    for (; end < moments.size() && moments[end].first->event == moments[i].first->event; ++end) {
      if (!moments[end].second.empty()) {
        label += (label.empty() ? "" : ", ") + moments[end].second;
      }
    }
    json.push_back(moment_json(*moments[i].first, std::move(label)));
    i = end;
  }
  return json;
}

ordered_json owners_json(const Accounts& accounts) {
  ordered_json json = ordered_json::array();
  for (const OwnerAccount& owner : accounts.owners()) {
    ordered_json row{{"name", owner.name},     {"kind", to_string(owner.kind)},
                     {"within", owner.within}, {"number", owner.number},
                     {"times", owner.times},   {"tree_peak", owner.tree_peak}};
    row["begin_event"] = owner.begin_event;
    row["begin_us"] = owner.begin_us;
    const bool ended = owner.end_event != OwnerAccount::kLives;
    row["end_event"] = ended ? ordered_json(owner.end_event) : ordered_json(nullptr);
    row["end_us"] = ended ? ordered_json(owner.end_us) : ordered_json(nullptr);
    row.update(account_json(owner));
    json.push_back(std::move(row));
  }
  return json;
}

// Page maps name sites by their number, so their names are all there, in that order; of figures
// those of the sites with the highest peaks.
ordered_json sites_json(const Accounts& accounts) {
  const std::vector<SiteAccount>& sites = accounts.sites();
  std::vector<std::uint32_t> order(sites.size());
  for (std::uint32_t i = 0; i < order.size(); ++i) {
    order[i] = i;
  }
  std::stable_sort(order.begin(), order.end(),
                   [&](std::uint32_t a, std::uint32_t b) { return sites[a].peak > sites[b].peak; });
  ordered_json json{{"names", ordered_json::array()}, {"rows", ordered_json::array()}};
  for (const SiteAccount& site : sites) {
    json["names"].push_back(site.name);
  }
  Account others;
  for (std::size_t i = 0; i < order.size(); ++i) {
    const SiteAccount& site = sites[order[i]];
    if (i >= kMostSites) {
      others.add(site);
      continue;
    }
    ordered_json row{{"site", order[i]},
                     {"largest", site.largest},
                     {"disguised", site.disguised},
                     {"disguised_bytes", site.disguised_bytes}};
    row.update(account_json(site));
    json["rows"].push_back(std::move(row));
  }
  json["other_sites"] = sites.size() - std::min(sites.size(), kMostSites);
  json["others"] = account_json(others);
  return json;
}

ordered_json failures_json(const History& history) {
  ordered_json json = ordered_json::array();
  for (const trace::FailureNote& note : history.failures()) {
    ordered_json row{{"event", note.event},
                     {"time_us", note.time_us},
                     {"owner", note.owner},
                     {"site", note.site},
                     {"bytes", note.bytes},
                     {"alignment", note.alignment},
                     {"flags", note.flags},
                     {"explained", note.explained},
                     {"reason", to_string(note.reason)},
                     {"free_bytes", note.free_bytes},
                     {"largest_request", note.largest_request},
                     {"guarantee", note.guarantee}};
    row["holders"] = ordered_json::array();
    for (const trace::FailureNote::Holder& holder : note.holders) {
      row["holders"].push_back({{"name", holder.name}, {"bytes", holder.bytes}});
    }
    json.push_back(std::move(row));
  }
  return json;
}

ordered_json leftovers_json(const Accounts& accounts) {
  ordered_json json = ordered_json::array();
  for (const Accounts::Leftover& leftover : accounts.leftovers()) {
    if (json.size() == kMostLeftovers) {
      break;
    }
    json.push_back({{"owner", accounts.owner(leftover.owner).name},
                    {"site", leftover.site},
                    {"blocks", leftover.blocks},
                    {"bytes", leftover.bytes}});
  }
  return json;
}

}  // namespace

nlohmann::ordered_json platform_json(const Memory& memory) {
  const PlatformConfig& config = memory.config();
  ordered_json banks = ordered_json::array();
  for (std::uint32_t i = 0; i < memory.pool().banks(); ++i) {
    const Bank bank{static_cast<std::uint16_t>(i)};
    banks.push_back({{"first_frame", number(memory.pool().first_frame(bank))},
                     {"frames", memory.pool().frames_in(bank)},
                     {"held_on", memory.pool().is_held_on(bank)}});
  }
  return {{"name", config.name},
          {"page_bytes", config::kPageBytes},
          {"bank_bytes", config.bank_bytes},
          {"frames", memory.pool().frames()},
          {"banks", std::move(banks)}};
}

nlohmann::ordered_json to_json(const trace::History& history) {
  const trace::ReplayFigures figures = history.figures();
  const auto mean = [&](std::uint64_t sum) {
    return figures.boundaries == 0
               ? ordered_json(nullptr)
               : ordered_json(static_cast<double>(sum) / static_cast<double>(figures.boundaries));
  };
  const Accounts& accounts = history.accounts();
  ordered_json json;
  json["policy"] = history.memory().policy().name;
  json["lost"] = history.lost();
  const std::optional<std::uint64_t> differs = history.differs();
  json["differs"] = differs ? ordered_json(*differs) : ordered_json(nullptr);
  json["events"] = history.timeline().events();
  json["bucket_events"] = history.timeline().width();
  json["last_time_us"] = history.last_time_us();
  json["figures"] = {{"allocations", figures.allocations},
                     {"failures", figures.failures},
                     {"peak_live_bytes", figures.peak_live_bytes},
                     {"peak_mapped_bytes", figures.peak_mapped_bytes},
                     {"peak_banks_on", figures.peak_banks_on},
                     {"metadata_bytes", figures.metadata_bytes},
                     {"live_bytes_mean", mean(figures.live_bytes_sum)},
                     {"mapped_bytes_mean", mean(figures.mapped_bytes_sum)},
                     {"banks_on_mean", mean(figures.banks_on_sum)},
                     {"banks_lower_bound_mean", mean(figures.banks_lower_bound_sum)},
                     {"live_bytes_at_end", history.live_bytes()}};
  json["timeline"] = timeline_json(history);
  json["moments"] = moments_json(history);
  json["owners"] = owners_json(accounts);
  json["owners_begun"] = accounts.owners_begun();
  json["other_owners"] = accounts.other_owners();
  json["others"] = account_json(accounts.others());
  json["sites"] = sites_json(accounts);
  json["failures"] = failures_json(history);
  json["leftovers"] = leftovers_json(accounts);
  return json;
}

std::string to_page(const nlohmann::ordered_json& data, const std::string& template_page) {
  const std::size_t place = template_page.find(kPlaceholder);
  if (place == std::string::npos) {
    throw std::logic_error("the report's page has no place for its data");
  }
  std::string page = template_page.substr(0, place);
  for (const char c : data.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)) {
    if (c == '<') {
      page += "\\u003c";  // only strings have one
    } else {
      page += c;
    }
  }
  page.append(template_page, place + kPlaceholder.size());
  return page;
}

}  // namespace modmem::tools
