#include "tools/summary.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "testbench/input_error.hpp"
#include "testbench/toml_file.hpp"

namespace modmem::tools {

namespace {

using nlohmann::json;
using testbench::InputError;

// What a report has in a list, with what is asked of it named in errors.
class Entry {
 public:
  Entry(const json& value, std::string name) : value_(value), name_(std::move(name)) {}

  Entry at(const char* key) const {
    if (!value_.is_object() || !value_.contains(key)) {
      throw InputError(name_ + ": " + key + " is missing");
    }
    return {value_.at(key), name_ + ": " + key};
  }
  bool has(const char* key) const { return value_.contains(key); }
  std::uint64_t number() const {
    if (!value_.is_number_unsigned()) {
      throw InputError(name_ + ": must be a whole number");
    }
    return value_.get<std::uint64_t>();
  }
  std::string text() const {
    if (!value_.is_string()) {
      throw InputError(name_ + ": must be a text");
    }
    return value_.get<std::string>();
  }
  std::vector<Entry> list() const {
    if (!value_.is_array()) {
      throw InputError(name_ + ": must be a list");
    }
    std::vector<Entry> entries;
    entries.reserve(value_.size());
    for (const json& entry : value_) {
      entries.emplace_back(entry, name_ + "[" + std::to_string(entries.size()) + "]");
    }
    return entries;
  }

 private:
  const json& value_;
  std::string name_;
};

// Whether the file begins as JSON does, and no CSV. What is no file (a pipe, standard input) can be
// read once, and so is taken for CSV.
bool is_report(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) {
    return false;
  }
  std::ifstream file(path, std::ios::binary);
  char first = '\0';
  return file >> first && (first == '{' || first == '[');
}

}  // namespace

void Usage::add(const Usage& life) {
  for (std::size_t i = 0; i < kFigures; ++i) {
    const auto figure = static_cast<Figure>(i);
    const bool is_peak = figure == Figure::peak_live_bytes || figure == Figure::peak_mapped_bytes;
    if (life[figure]) {
      const std::uint64_t before = (*this)[figure].value_or(0);
      (*this)[figure] = is_peak ? std::max(before, *life[figure]) : before + *life[figure];
    }
  }
}

Summary summary_of_report(const std::string& text, const std::string& path) {
  const json data = json::parse(text, nullptr, false);
  if (data.is_discarded()) {
    throw InputError(path + ": is no JSON");
  }
  if (!data.is_object() || !data.contains("pool") || !data.contains("heaps")) {
    throw InputError(path + ": is no report of modmem run --json");
  }
  const Entry report(data, path);
  Summary summary;
  summary.name = path;
  summary.platform = report.at("platform").text();
  summary.policy = report.at("policy").text();
  summary.total[Figure::peak_live_bytes] = report.at("pool").at("peak_live_bytes").number();
  summary.total[Figure::peak_mapped_bytes] = report.at("pool").at("peak_mapped_bytes").number();
  for (const Entry& heap : report.at("heaps").list()) {
    Usage usage;
    usage[Figure::failures] = heap.at("failures").number();
    usage[Figure::allocations] = heap.at("allocations").number();
    summary.total.add(usage);
  }
  std::map<std::string, std::string> pipelines;  // names by id
  for (const Entry& pipeline : report.at("pipelines").list()) {
    const std::string name = pipeline.at("name").text();
    pipelines[pipeline.at("id").text()] = name;
    Usage usage;
    usage[Figure::peak_live_bytes] = pipeline.at("peak_live_bytes").number();
    usage[Figure::peak_mapped_bytes] = pipeline.at("peak_mapped_bytes").number();
    summary.owners[name].add(usage);
  }
  for (const Entry& module : report.at("modules").list()) {
    Usage usage;
    usage[Figure::peak_live_bytes] = module.at("peak_live_bytes").number();
    usage[Figure::failures] = module.at("failures").number();
    usage[Figure::allocations] = module.at("allocations").number();
    const std::string pipeline = pipelines[module.at("pipeline").text()];
    summary.owners[pipeline + "/" + module.at("name").text()].add(usage);
  }
  return summary;
}

Summary load_summary(const std::string& path, const SummaryOptions& options) {
  return is_report(path) ? summary_of_report(testbench::read_text(path, "a report"), path)
                         : summary_of_trace(path, options);
}

}  // namespace modmem::tools
