// CtfEvents: the events of a recorded trace, of all cores, in the order of Memory's lock.
//
// Read by libbabeltrace2. Anchors are not among them: they say where the others belong. Memory: the
// events of one microsecond, as babeltrace puts all streams into the order of time, and time goes
// on with the numbers.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "port/platform_config.hpp"
#include "record/event.hpp"
#include "trace/ctf_files.hpp"

namespace modmem::trace {

// The fields of an event in the order of its kind's in the metadata; of names, without the text.
struct CtfEvent {
  static constexpr std::size_t kMostFields = 17;
  using Fields = std::array<std::uint64_t, kMostFields>;

  EventKind kind = EventKind::anchor;
  std::uint32_t core = 0;
  std::uint64_t time_us = 0;
  std::uint64_t number = 0;  // over all cores
  Fields fields{};
  std::string text;
};

class CtfEvents {
 public:
  // Opens the trace. Throws TraceError where it can't be read.
  explicit CtfEvents(const std::filesystem::path& directory);
  ~CtfEvents();
  CtfEvents(const CtfEvents&) = delete;
  CtfEvents& operator=(const CtfEvents&) = delete;

  // The next event; numbers rise, but where one is damaged, which is a problem then. Returns false
  // at the end.
  bool next(CtfEvent& event);

  // Starts again.
  void rewind();

  const std::string& name() const { return name_; }
  // What the trace was recorded on; its names live as long as this.
  const PlatformConfig& platform() const { return platform_; }
  const std::string& policy() const { return files_.environment().policy(); }
  // Whether it was made from rows, which have no addresses, and not recorded.
  bool is_converted() const { return files_.environment().is_converted(); }

  // What could not be read, up to here, with its place.
  const std::vector<std::string>& problems() const { return problems_; }
  // Events that the trace lacks, up to here: that the numbers leave out, or, where those are more,
  // that the recorder had no room for. At least: of what is damaged at the end nobody knows.
  std::uint64_t lost() const { return std::max(lost_, ended_ ? files_.discarded() : 0); }
  std::uint64_t bytes() const { return files_.bytes(); }

 private:
  class Graph;
  struct Stream {
    std::uint64_t number = 0;  // of the next event
    std::deque<CtfEvent> events;
  };

  void take(CtfEvent&& event);

  std::string name_;
  CtfFiles files_;
  std::unique_ptr<Graph> graph_;
  std::map<std::uint32_t, Stream> streams_;
  std::uint64_t next_ = 0;
  std::uint64_t time_us_ = 0;  // of the last event that babeltrace gave
  std::uint64_t lost_ = 0;
  bool ended_ = false;
  bool went_back_ = false;  // numbers did, as one of them is damaged
  PlatformConfig platform_;
  std::vector<std::string> problems_;
};

// Whether it is a trace whose calls can be made again: a directory, and not made from rows. Throws
// TraceError where the directory can't be read.
bool is_recorded(const std::string& path);

}  // namespace modmem::trace
