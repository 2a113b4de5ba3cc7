#include "tools/coherence_text.hpp"

#include <algorithm>
#include <cstdio>

#include "tools/hex_id.hpp"

namespace modmem::tools {

namespace {

using testbench::CoherenceFinding;
using testbench::CoherenceReport;

std::string hex(std::uint64_t number) {
  char text[24];
  std::snprintf(text, sizeof text, "%#llx", static_cast<unsigned long long>(number));
  return text;
}

// "gain.1.1 (0x00010001), taken at gain.cpp:12"
std::string block_text(const std::string& owner, const std::string& site) {
  return owner + (site.empty() ? "" : ", taken at " + site);
}

std::string to_text(const CoherenceFinding& finding) {
  std::string text = "  " + std::string(testbench::to_string(finding.kind)) + ": " + finding.what +
                     (finding.count == 1 ? "" : ", " + std::to_string(finding.count) + " times") +
                     "\n    line " + hex(finding.line) + " of the window, core " +
                     std::to_string(finding.core);
  if (finding.other_core) {
    text += ", and core " + std::to_string(*finding.other_core);
  }
  text += '\n';
  if (!finding.owner.empty()) {
    text += "    block of " +
            block_text(finding.owner + " (" + hex_id(finding.owner_id) + ")", finding.site) + "\n";
  }
  if (!finding.other_owner.empty()) {
    text += "    and of " + block_text(finding.other_owner, finding.other_site) + "\n";
  }
  return text;
}

}  // namespace

std::string to_text(const CoherenceReport& report) {
  std::string text =
      "Coherence: " +
      (report.findings.empty()
           ? "nothing found"
           : std::to_string(report.findings.size()) + (report.more ? " and more" : "") + " found") +
      "; " + std::to_string(report.turns) + " turns of cores, " + std::to_string(report.evicted) +
      " dirty lines evicted, " + std::to_string(report.written_back) + " written back, seed " +
      std::to_string(report.seed) + "\n";
  for (const CoherenceFinding& finding : report.findings) {
    text += to_text(finding);
  }
  for (const testbench::CoherenceKind kind : testbench::kCoherenceKinds) {
    if (std::any_of(report.findings.begin(), report.findings.end(),
                    [kind](const CoherenceFinding& finding) { return finding.kind == kind; })) {
      text += std::string("  ") + testbench::to_string(kind) +
              ", what to do: " + testbench::advice(kind) + "\n";
    }
  }
  return text;
}

nlohmann::ordered_json to_json(const CoherenceReport& report) {
  using Json = nlohmann::ordered_json;
  Json findings = Json::array();
  for (const CoherenceFinding& finding : report.findings) {
    Json json = {{"kind", testbench::to_string(finding.kind)},
                 {"what", finding.what},
                 {"line", hex(finding.line)},
                 {"core", finding.core}};
    json["other_core"] = finding.other_core ? Json(*finding.other_core) : Json();
    json["owner"] = finding.owner;
    json["id"] = finding.owner.empty() ? "" : hex_id(finding.owner_id);
    json["site"] = finding.site;
    json["other_owner"] = finding.other_owner;
    json["other_site"] = finding.other_site;
    json["count"] = finding.count;
    json["advice"] = testbench::advice(finding.kind);
    findings.push_back(std::move(json));
  }
  return {{"seed", report.seed},       {"turns", report.turns},
          {"evicted", report.evicted}, {"written_back", report.written_back},
          {"watched", report.watched}, {"findings", findings},
          {"more", report.more}};
}

}  // namespace modmem::tools
