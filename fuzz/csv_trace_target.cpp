// Allocation traces in CSV: what is accepted is read to its end, twice alike, replayed under two
// policies, and written again.
// Planted: refusals that do not name the file.
#include <cstdio>
#include <string>
#include <vector>

#include "fuzz/input_file.hpp"
#include "fuzz/refusal.hpp"
#include "modmem/presets.hpp"
#include "trace/file_source.hpp"
#include "trace/replay.hpp"

namespace modmem::fuzz {
namespace {

constexpr const char* kName = "input.csv";

std::FILE* file_of(const std::uint8_t* data, std::size_t size) {
  // An empty buffer is none to fmemopen(), but a file may well be empty.
  static char none = '\0';
  std::FILE* file = size == 0 ? ::fmemopen(&none, 1, "w+")
                              : ::fmemopen(const_cast<std::uint8_t*>(data), size, "rb");
  require(file != nullptr, "no file for an input");
  return file;
}

// Small, as booting takes as long as there are pages.
PlatformConfig platform() {
  PlatformConfig small = config::kDefaultPlatform;
  small.sram_bytes = small.reserve_bytes + 4 * small.bank_bytes;
  small.arena_bytes = small.slots_arena_bytes = small.bank_bytes;
  small.window_bytes = 4 * small.sram_bytes;
  small.lp_sram_bytes = small.l3_bytes = 4 * config::kPageBytes;
  return small;
}

// All events, where it can be read.
std::vector<trace::Event> events_of(trace::FileSource& source) {
  std::vector<trace::Event> all;
  std::vector<trace::Event> part(7);
  while (const std::size_t count = source.read(part)) {
    all.insert(all.end(), part.begin(), part.begin() + static_cast<std::ptrdiff_t>(count));
  }
  return all;
}

bool same(const trace::Event& one, const trace::Event& other) {
  return one.time_us == other.time_us && one.kind == other.kind && one.block == other.block &&
         one.owner == other.owner && one.bytes == other.bytes && one.flags == other.flags &&
         one.alignment == other.alignment && one.boundary == other.boundary;
}

void replay(const std::vector<trace::Event>& events, const Policy& policy) {
  try {
    trace::Replay replay(platform(), policy, {.time_calls = false});
    replay.play(events);
    require(replay.memory().check(CheckDepth::deep), "an invariant is broken");
    require(replay.figures().allocations >= replay.figures().failures ||
                replay.figures().failures <= events.size(),
            "more failures than events");
  } catch (const trace::TraceError& error) {
    report(std::string("what was accepted can't be replayed: ") + error.what());
  }
}

}  // namespace
}  // namespace modmem::fuzz

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace modmem::fuzz;
  using namespace modmem;
  std::vector<trace::Event> events;
  accepts(kName, [&] {
    trace::FileSource source(file_of(data, size), kName);
    events = events_of(source);
    for (const std::string& problem : source.problems()) {
      check_refusal(problem, kName);
    }
    source.rewind();
    const std::vector<trace::Event> again = events_of(source);
    require(std::equal(events.begin(), events.end(), again.begin(), again.end(), same),
            "read otherwise the second time");
  });
  if (!events.empty()) {
    replay(events, kElasticPolicy);
    replay(events, kSlotsPolicy);
  }
  return 0;
}
