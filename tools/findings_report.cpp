#include "tools/findings_report.hpp"

#include "tools/hex_id.hpp"

namespace modmem::tools {

namespace {

using testbench::Finding;

std::string line(const char* title, const std::string& what) {
  return what.empty() ? "" : "    " + (title + std::string(": ")) + what + "\n";
}

std::string times(const Finding& finding) {
  std::string text;
  if (finding.bytes != 0) {
    text += std::to_string(finding.bytes) + " B";
  }
  if (finding.count != 1) {
    text += (text.empty() ? "" : ", ") + std::to_string(finding.count) + " times";
  }
  return text;
}

}  // namespace

std::string to_text(std::span<const Finding> findings) {
  if (findings.empty()) {
    return "";
  }
  std::string text = "Findings: " + std::to_string(findings.size()) + "\n";
  for (const Finding& finding : findings) {
    const std::string who =
        finding.module.empty() ? "outside of any module" : "module " + finding.module;
    const std::string where = finding.phase.empty() ? "" : ", in its " + finding.phase;
    text += std::string("  ") + to_string(finding.kind);
    text += ": " + who;
    text += " (" + hex_id(finding.id) + ")";
    text += where + "\n";
    text += line("what ", finding.text + (times(finding).empty() ? "" : ": " + times(finding)));
    text += line("where", finding.site);
    text += line("block",
                 finding.allocation_site.empty() ? "" : "allocated at " + finding.allocation_site);
    text += line("to do", advice(finding.kind));
  }
  return text;
}

nlohmann::ordered_json to_json(std::span<const Finding> findings) {
  nlohmann::ordered_json json = nlohmann::ordered_json::array();
  for (const Finding& finding : findings) {
    json.push_back({{"kind", to_string(finding.kind)},
                    {"module", finding.module},
                    {"id", hex_id(finding.id)},
                    {"phase", finding.phase},
                    {"function", finding.function},
                    {"site", finding.site},
                    {"allocation_site", finding.allocation_site},
                    {"bytes", finding.bytes},
                    {"count", finding.count},
                    {"text", finding.text},
                    {"advice", advice(finding.kind)}});
  }
  return json;
}

}  // namespace modmem::tools
