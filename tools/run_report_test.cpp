// The report of figures that no run can be made to have: run_report_test.py has those of runs.

#include <gtest/gtest.h>

#include "tools/run_report_json.hpp"
#include "tools/run_report_text.hpp"

namespace modmem::tools {
namespace {

testbench::HeapNote heap(const char* name, std::size_t ready_bytes, std::size_t queued_bytes) {
  testbench::HeapNote note{.name = name, .kind = "elastic", .owner = "system", .figures = {}};
  note.figures.live_bytes = 64;
  note.figures.mapped_bytes = 8192;
  note.figures.ready_bytes = ready_bytes;
  note.figures.queued_bytes = queued_bytes;
  return note;
}

TEST(Report, SaysWhatIsReadyAndWhatWaitsForACore) {
  testbench::RunReport report;
  report.heaps = {heap("system", 4096, 0), heap("system-1", 0, 1536)};
  const nlohmann::ordered_json json = to_json(report);
  EXPECT_EQ(json["heaps"][0]["ready_bytes"], 4096);
  EXPECT_EQ(json["heaps"][1]["ready_bytes"], 0);
  EXPECT_EQ(json["heaps"][0]["queued_bytes"], 0);
  EXPECT_EQ(json["heaps"][1]["queued_bytes"], 1536);
  const std::string text = to_text(report);
  EXPECT_NE(text.find("\n  system-1: 1,536 B that other cores freed wait for its own\n"),
            std::string::npos);
  EXPECT_EQ(text.find("  system: "), std::string::npos);
}

}  // namespace
}  // namespace modmem::tools
