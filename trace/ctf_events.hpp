// CtfEvents: the events of a recorded trace, of all cores, in the order of Memory's lock.
//
// Read by libbabeltrace2. Anchors are not among them: they say where the others belong. Memory: the
// events that another core's one is ahead of.
#pragma once

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

  EventKind kind = EventKind::anchor;
  std::uint32_t core = 0;
  std::uint64_t time_us = 0;
  std::uint64_t number = 0;  // over all cores
  std::array<std::uint64_t, kMostFields> fields{};
  std::string text;
};

class CtfEvents {
 public:
  // Opens the trace. Throws TraceError where it can't be read.
  explicit CtfEvents(const std::filesystem::path& directory);
  ~CtfEvents();
  CtfEvents(const CtfEvents&) = delete;
  CtfEvents& operator=(const CtfEvents&) = delete;

  // The next event. Returns false at the end.
  bool next(CtfEvent& event);

  // Starts again.
  void rewind();

  const std::string& name() const { return name_; }
  // What the trace was recorded on; its names live as long as this.
  const PlatformConfig& platform() const { return platform_; }
  const std::string& policy() const { return policy_; }
  // Whether it was made from rows, which have no addresses, and not recorded.
  bool is_converted() const { return converted_; }

  // What could not be read, up to here, with its place.
  const std::vector<std::string>& problems() const { return problems_; }
  std::uint64_t lost() const { return lost_; }  // events that the numbers leave out, up to here
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
  std::uint64_t lost_ = 0;
  bool ended_ = false;
  PlatformConfig platform_{};
  std::string platform_name_;
  std::string policy_;
  bool converted_ = false;
  std::vector<std::string> problems_;
};

}  // namespace modmem::trace
