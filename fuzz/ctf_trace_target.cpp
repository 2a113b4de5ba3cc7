// Recorded traces: a folder of metadata and streams. An input is its files one after the other,
// each behind a line `@@NAME`: metadata, core-0, core-1 ... What is accepted can be read twice
// alike, called again on its own platform or refused, and read as rows.
// Planted: refusals that do not name the file.
#include <filesystem>
#include <set>
#include <string>
#include <string_view>

#include "fuzz/input_file.hpp"
#include "fuzz/refusal.hpp"
#include "trace/ctf_events.hpp"
#include "trace/ctf_records.hpp"
#include "trace/recorded_history.hpp"

namespace modmem::fuzz {
namespace {

constexpr std::string_view kMark = "@@";
// Platforms that damaged metadata names may have any size; larger ones are only refused.
constexpr std::size_t kMostSramBytes = std::size_t{8} << 20;

// Writes the files of an input into `folder`, in place of those that lie there.
void write_files(std::string_view text, const InputFolder& folder) {
  static const std::set<std::string_view> kNames = {"metadata", "core-0", "core-1", "core-2"};
  for (const auto& entry : std::filesystem::directory_iterator(folder.path())) {
    std::filesystem::remove_all(entry.path());
  }
  while (text.starts_with(kMark)) {
    const std::size_t line = std::min(text.find('\n'), text.size());
    const std::string_view name = text.substr(kMark.size(), line - kMark.size());
    text.remove_prefix(std::min(line + 1, text.size()));
    // The next file begins behind an end of line, which belongs to neither.
    const std::size_t end = std::min(text.find("\n@@"), text.size());
    if (kNames.contains(name)) {
      folder.write(std::string(name), text.substr(0, end));
    }
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

struct Reading {
  std::uint64_t events = 0;
  std::uint64_t sum = 0;
  bool operator==(const Reading&) const = default;
};

Reading read(trace::CtfEvents& events) {
  Reading reading;
  trace::CtfEvent event;
  std::uint64_t last = 0;
  while (events.next(event)) {
    require(reading.events == 0 || event.number > last || !events.problems().empty(),
            "events out of order, and no word of it");
    last = event.number;
    ++reading.events;
    reading.sum = reading.sum * 31 + event.number + event.time_us + event.fields[0];
  }
  return reading;
}

void rerun(trace::CtfEvents& events) {
  const PlatformConfig& platform = events.platform();
  if (platform.sram_bytes > kMostSramBytes || platform.window_bytes > 4 * kMostSramBytes ||
      platform.l3_bytes > 4 * kMostSramBytes) {
    return;
  }
  trace::RecordedHistory history(platform, kElasticPolicy);
  trace::CtfEvent event;
  while (events.next(event)) {
    history.play(event, events.lost());
  }
  history.finish(events.lost());
  require(history.memory().check(CheckDepth::deep), "an invariant is broken");
}

}  // namespace
}  // namespace modmem::fuzz

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace modmem::fuzz;
  using namespace modmem;
  static InputFolder folder;
  write_files(text_of(data, size), folder);
  const std::string name = folder.path().string();
  accepts(name, [&] {
    trace::CtfEvents events(folder.path());
    const Reading first = read(events);
    events.rewind();
    require(read(events) == first, "read otherwise the second time");
    for (const std::string& problem : events.problems()) {
      check_refusal(problem, name);
    }
    events.rewind();
    try {
      rerun(events);
    } catch (const trace::TraceError&) {
      // What cannot be called again has no file: the caller names it.
    }
  });
  accepts(name, [&] {
    trace::CtfRecords records(folder.path());
    trace::Record record;
    while (records.next(record)) {
    }
  });
  return 0;
}
