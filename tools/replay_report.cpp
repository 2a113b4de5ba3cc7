#include "tools/replay_report.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

#include "tools/run_report_json.hpp"

namespace modmem::tools {

namespace {

using Json = nlohmann::ordered_json;

// a / b, nothing where b is 0.
std::optional<double> ratio(std::uint64_t a, std::uint64_t b) {
  return b == 0 ? std::nullopt : std::optional(static_cast<double>(a) / static_cast<double>(b));
}

template <typename Number>
Json or_null(const std::optional<Number>& number) {
  return number ? Json(*number) : Json();
}

struct Ratios {
  explicit Ratios(const trace::ReplayFigures& figures)
      : peak(ratio(figures.peak_mapped_bytes, figures.peak_live_bytes)),
        mean(ratio(figures.mapped_bytes_sum, figures.live_bytes_sum)),
        banks_on(ratio(figures.banks_on_sum, figures.boundaries)),
        banks_lower_bound(ratio(figures.banks_lower_bound_sum, figures.boundaries)) {}

  std::optional<double> peak;
  std::optional<double> mean;
  std::optional<double> banks_on;
  std::optional<double> banks_lower_bound;
};

std::string fixed(const std::optional<double>& number, int digits) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", digits, number.value_or(0));
  return number ? text : "-";
}

std::string bytes(const std::optional<std::size_t>& number) {
  return number ? std::to_string(*number) : "-";
}

}  // namespace

Json to_json(const std::vector<ReplayResult>& results) {
  Json list = Json::array();
  for (const ReplayResult& result : results) {
    const trace::ReplayFigures& figures = result.figures;
    const Ratios ratios(figures);
    list.push_back({{"trace", result.trace},
                    {"policy", result.policy},
                    {"allocations", figures.allocations},
                    {"frees", figures.frees},
                    {"failures", figures.failures},
                    {"peak_live_bytes", figures.peak_live_bytes},
                    {"peak_mapped_bytes", figures.peak_mapped_bytes},
                    {"metadata_bytes", figures.metadata_bytes},
                    {"mapped_over_live_peak", or_null(ratios.peak)},
                    {"mapped_over_live_mean", or_null(ratios.mean)},
                    {"banks_on_mean", or_null(ratios.banks_on)},
                    {"banks_lower_bound_mean", or_null(ratios.banks_lower_bound)},
                    {"min_arena_bytes", or_null(result.min_arena_bytes)},
                    {"ns_per_operation",
                     {{"p50", figures.ns_per_operation.percentile(50)},
                      {"p99", figures.ns_per_operation.percentile(99)},
                      {"max", figures.ns_per_operation.longest()}}}});
    if (result.recorded) {
      list.back()["recorded"] = {{"lost", result.recorded->lost},
                                 {"differs", result.recorded->differs},
                                 {"memory", to_json(result.recorded->taken.memory)},
                                 {"owners", to_json(result.recorded->taken.owners)}};
    }
  }
  return list;
}

std::string to_table(const std::vector<ReplayResult>& results) {
  constexpr std::size_t kColumns = 14;
  using Row = std::array<std::string, kColumns>;
  std::vector<Row> rows{{"policy", "allocations", "frees", "failures", "peak live", "peak mapped",
                         "metadata", "mapped/live", "mean", "banks", "of at least", "min arena",
                         "ns p50", "p99"}};
  for (const ReplayResult& result : results) {
    const trace::ReplayFigures& figures = result.figures;
    const Ratios ratios(figures);
    rows.push_back(
        {result.policy, std::to_string(figures.allocations), std::to_string(figures.frees),
         std::to_string(figures.failures), std::to_string(figures.peak_live_bytes),
         std::to_string(figures.peak_mapped_bytes), std::to_string(figures.metadata_bytes),
         fixed(ratios.peak, 3), fixed(ratios.mean, 3), fixed(ratios.banks_on, 2),
         fixed(ratios.banks_lower_bound, 2), bytes(result.min_arena_bytes),
         std::to_string(figures.ns_per_operation.percentile(50)),
         std::to_string(figures.ns_per_operation.percentile(99))});
  }
  std::array<std::size_t, kColumns> widths{};
  for (const Row& row : rows) {
    for (std::size_t i = 0; i < kColumns; ++i) {
      widths[i] = std::max(widths[i], row[i].size());
    }
  }
  const auto line = [&](const Row& row) {
    std::string text = row[0] + std::string(widths[0] - row[0].size(), ' ');
    for (std::size_t i = 1; i < kColumns; ++i) {
      text += "  " + std::string(widths[i] - row[i].size(), ' ') + row[i];
    }
    return text + "\n";
  };
  std::string text;
  for (std::size_t i = 0; i < results.size(); ++i) {
    if (i == 0 || results[i].trace != results[i - 1].trace) {
      text += (i == 0 ? "" : "\n") + results[i].trace + "\n" + line(rows[0]);
    }
    text += line(rows[i + 1]);
    if (const auto& recorded = results[i].recorded; recorded && recorded->lost != 0) {
      text += "  " + std::to_string(recorded->lost) + " events are missing in this trace\n";
    }
  }
  return text;
}

}  // namespace modmem::tools
