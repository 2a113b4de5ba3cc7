#include "trace/recording.hpp"

#include <algorithm>
#include <utility>

#include "trace/trace_error.hpp"

namespace modmem::trace {

Recording::Recording(const std::string& path) { read(*open_records(path)); }

Recording::Recording(RecordSource& reader) { read(reader); }

// The next row. Returns false at the end, or where a row can't be; throws where that is the first.
bool Recording::next(RecordSource& reader, Sequence& sequence, Step& step) {
  try {
    if (!reader.next(step.record)) {
      return false;
    }
    step.event = sequence.resolve(step.record);
  } catch (const TraceError& error) {
    if (set_up_.empty()) {
      throw;
    }
    problems_.emplace_back(error.what());
    return false;
  }
  return true;
}

void Recording::read(RecordSource& reader) {
  Sequence sequence(reader);
  std::vector<std::uint32_t> object_at;  // by place of the sequence
  std::vector<bool> lives;               // by object
  std::size_t set_up_steps = 0;
  std::uint64_t begin = 0;
  Step row;
  while (next(reader, sequence, row)) {
    Step step = row;
    if (step.event.kind == OpKind::release) {
      continue;  // what it ends is ended with the recording
    }
    begin = set_up_.empty() ? row.record.time_us : begin;
    step.record.time_us -= std::min(begin, row.record.time_us);
    object_at.resize(std::max<std::size_t>(object_at.size(), step.event.block + 1));
    std::uint32_t& object = object_at[step.event.block];
    if (step.event.kind == OpKind::allocate) {
      object = static_cast<std::uint32_t>(lives.size());
      lives.push_back(true);
    } else if (step.event.kind == OpKind::free) {
      lives[object] = false;
    }
    step.event.block = object;
    set_up_.push_back(std::move(step));
    if (set_up_.back().event.kind != OpKind::free) {
      set_up_steps = set_up_.size();
    }
  }
  const std::vector<std::string> found = reader.problems();
  problems_.insert(problems_.begin(), found.begin(), found.end());
  if (lives.empty()) {
    throw TraceError(reader.name() + ": nothing is allocated in this trace");
  }
  tear_down_.assign(
      std::make_move_iterator(set_up_.begin() + static_cast<std::ptrdiff_t>(set_up_steps)),
      std::make_move_iterator(set_up_.end()));
  set_up_.resize(set_up_steps);
  set_up_.back().event.boundary = true;

  Step last;
  last.event.kind = OpKind::free;
  last.record.op = "free";
  last.record.time_us = (tear_down_.empty() ? set_up_ : tear_down_).back().record.time_us;
  objects_ = static_cast<std::uint32_t>(lives.size());
  for (std::uint32_t object = objects_; object-- > 0;) {
    if (lives[object]) {
      last.event.block = object;
      tear_down_.push_back(last);
    }
  }
}

}  // namespace modmem::trace
