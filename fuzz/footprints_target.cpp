// Tables of footprints: what is read is written as a table that is read as the same one, and
// written the same again.
// Planted: refusals that do not name the file.
#include <string>

#include "fuzz/input_file.hpp"
#include "fuzz/refusal.hpp"
#include "testbench/plan/footprint_file.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace modmem::fuzz;
  using namespace modmem::testbench;
  constexpr const char* kName = "input.toml";
  const std::string text(text_of(data, size));
  FootprintTable table;
  if (accepts(kName, [&] { parse_footprints(text, kName, table); })) {
    const std::string written = to_toml(table);
    if (shows()) {
      show(written);
    }
    FootprintTable again;
    require(accepts(kName, [&] { parse_footprints(written, kName, again); }),
            "refused what was written: " + written);
    require(to_toml(again) == written, "written otherwise the second time: " + written);
  }
  return 0;
}
