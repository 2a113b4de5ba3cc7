// Summary: what a run or a trace took, by owner and by call site, to be compared with another.
//
// It is of a report that `modmem run --json` wrote, of a directory that `modmem run --trace` wrote,
// or of rows of CSV. Each of them says what it can: reports nothing of sites and of bytes asked
// for, rows nothing of mapped bytes by owner. A figure that is not known is not there.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "memory/policy.hpp"
#include "port/platform_config.hpp"

namespace modmem::tools {

// Peaks are of all lives of an owner, the others are sums over them.
enum class Figure : std::uint8_t {
  peak_live_bytes,
  peak_mapped_bytes,
  failures,
  allocations,
  churn_bytes,  // of all requests that were served
};
inline constexpr std::size_t kFigures = 5;
inline constexpr std::array<std::string_view, kFigures> kFigureNames = {
    "peak_live_bytes", "peak_mapped_bytes", "failures", "allocations", "churn_bytes"};

class Usage {
 public:
  std::optional<std::uint64_t>& operator[](Figure figure) {
    return values_[static_cast<std::size_t>(figure)];
  }
  const std::optional<std::uint64_t>& operator[](Figure figure) const {
    return values_[static_cast<std::size_t>(figure)];
  }
  // Adds another life: of peaks, the higher one.
  void add(const Usage& life);

 private:
  std::array<std::optional<std::uint64_t>, kFigures> values_;
};

using Usages = std::map<std::string, Usage>;  // by name

struct Summary {
  std::string name;  // its file or directory
  std::string platform;
  std::string policy;
  Usage total;
  Usages owners;                // by their names from the one below the system on, with '/' between
  std::optional<Usages> sites;  // nothing: it says nothing of them
  std::vector<std::string> problems;  // what could not be read, with its place
};

// What rows are played on; a recording is played on what it was recorded on.
struct SummaryOptions {
  const PlatformConfig* platform = nullptr;
  const Policy* policy = nullptr;
};

// Throws InputError or TraceError where it is none of the three.
Summary load_summary(const std::string& path, const SummaryOptions& options);

// Of the text of a report. Throws InputError where it is none.
Summary summary_of_report(const std::string& text, const std::string& path);

// Of a trace: of a directory, a recorded one or one made of rows, else of CSV.
Summary summary_of_trace(const std::string& path, const SummaryOptions& options);

}  // namespace modmem::tools
