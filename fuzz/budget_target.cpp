// What `modmem diff` reads: a budget (TOML) and two reports (JSON), with lines of `---` between
// them. What is accepted is compared, printed and held against the budget.
// Planted: refusals that do not name the file.
#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "fuzz/input_file.hpp"
#include "fuzz/refusal.hpp"
#include "tools/budget.hpp"
#include "tools/comparison.hpp"

namespace modmem::fuzz {
namespace {

constexpr std::string_view kBetween = "\n---\n";

std::array<std::string_view, 3> parts_of(std::string_view text) {
  std::array<std::string_view, 3> parts;
  for (std::string_view& part : parts) {
    const std::size_t end = std::min(text.find(kBetween), text.size());
    part = text.substr(0, end);
    text.remove_prefix(std::min(end + kBetween.size(), text.size()));
  }
  return parts;
}

std::optional<tools::Summary> summary_of(std::string_view text, const char* name) {
  std::optional<tools::Summary> summary;
  accepts(name, [&] { summary = tools::summary_of_report(std::string(text), name); });
  return summary;
}

}  // namespace
}  // namespace modmem::fuzz

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace modmem::fuzz;
  using namespace modmem::tools;
  static InputFolder folder;
  const auto [budget_text, a_text, b_text] = parts_of(text_of(data, size));
  const std::string path = folder.write("budget.toml", budget_text).string();
  std::optional<Budget> budget;
  accepts(path, [&] { budget.emplace(path); });
  const std::optional<Summary> a = summary_of(a_text, "a.json");
  const std::optional<Summary> b = summary_of(b_text, "b.json");
  if (!a || !b) {
    return 0;
  }
  const Comparison comparison = compare(*a, *b);
  const std::string table = to_table(comparison);
  to_json(comparison).dump(2, ' ', false, nlohmann::json::error_handler_t::replace);
  if (shows()) {
    show(table);
  }
  if (budget) {
    accepts(path, [&] { budget->exceeded(comparison); });
  }
  return 0;
}
