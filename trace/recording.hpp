// Recording: one recorded stream, as its set-up and its tear-down.
//
// The *set-up* is everything up to the last allocation, the *tear-down* what follows. Blocks that
// the recording never frees end the tear-down, newest first, so that it leaves nothing. Owners in
// the trace are not looked at: all of it is one stream.
//
// Invariant: each object is allocated once and freed once, in this order. Memory: O(rows).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "trace/event.hpp"
#include "trace/record_source.hpp"
#include "trace/sequence.hpp"

namespace modmem::trace {

class Recording {
 public:
  // One row; its event's block is an object of the recording, numbered in order of allocation.
  struct Step {
    Event event;    // without an owner
    Record record;  // without an owner and an id; time since the recording began
  };

  // Reads the file to its end, or to a row that can't be. Throws TraceError where that is the
  // first, or nothing is allocated.
  explicit Recording(const std::string& path);
  explicit Recording(RecordSource& reader);

  const std::vector<Step>& set_up() const { return set_up_; }
  const std::vector<Step>& tear_down() const { return tear_down_; }
  // What could not be read, with its place.
  const std::vector<std::string>& problems() const { return problems_; }
  std::uint32_t objects() const { return objects_; }  // that it allocates

 private:
  bool next(RecordSource& reader, Sequence& sequence, Step& step);
  void read(RecordSource& reader);

  std::vector<Step> set_up_;
  std::vector<Step> tear_down_;
  std::uint32_t objects_ = 0;
  std::vector<std::string> problems_;
};

}  // namespace modmem::trace
