#include "trace/file_source.hpp"

#include <algorithm>

#include "trace/trace_error.hpp"

namespace modmem::trace {

void FileSource::rewind() {
  reader_->rewind();
  sequence_.clear();
  events_.clear();
  given_ = 0;
  at_end_ = has_read_ = false;
  problem_.clear();
  run_owner_ = Event::kSystem;
  run_begin_ = 0;
  last_allocation_ = kNothing;
  started_.clear();
}

std::size_t FileSource::read(std::span<Event> events) {
  if (given_ == run_begin_ && !at_end_) {
    fill();
  }
  // What lies before the last run is settled; at the end everything is.
  const std::size_t count = std::min(events.size(), run_begin_ - given_);
  std::copy_n(events_.begin() + static_cast<std::ptrdiff_t>(given_), count, events.begin());
  given_ += count;
  return count;
}

// Reads on until at least one event is settled, or to the end.
void FileSource::fill() {
  events_.erase(events_.begin(), events_.begin() + static_cast<std::ptrdiff_t>(given_));
  if (last_allocation_ != kNothing) {
    last_allocation_ -= given_;
  }
  run_begin_ = given_ = 0;
  while (events_.size() < kLookAhead && !at_end_) {
    at_end_ = !next();
  }
  if (at_end_ && !reader_->has_owners() && sequence_.owners() != 0) {
    Event end;
    end.time_us = record_.time_us;
    end.kind = OpKind::release;
    end.owner = 0;
    end.boundary = true;
    append(end);
  }
  if (at_end_ || run_begin_ == 0) {
    end_run();
  }
}

// Appends the next row's event. Returns false at the end.
bool FileSource::next() {
  try {
    if (!reader_->next(record_)) {
      return false;
    }
    append(sequence_.resolve(record_));
  } catch (const TraceError& error) {
    if (!has_read_) {
      throw;
    }
    problem_ = error.what();
    return false;
  }
  has_read_ = true;
  return true;
}

std::vector<std::string> FileSource::problems() const {
  std::vector<std::string> problems = reader_->problems();
  if (!problem_.empty()) {
    problems.push_back(problem_);
  }
  return problems;
}

void FileSource::append(const Event& event) {
  if (event.owner != run_owner_) {
    end_run();
    run_owner_ = event.owner;
  }
  if (event.kind == OpKind::allocate || event.kind == OpKind::resize) {
    last_allocation_ = events_.size();
  }
  events_.push_back(event);
  if (event.kind == OpKind::release) {
    end_run();
    started_[event.owner] = false;
    run_owner_ = Event::kSystem;
  }
}

// Settles the events up to here.
void FileSource::end_run() {
  if (run_owner_ != Event::kSystem) {
    started_.resize(std::max<std::size_t>(started_.size(), run_owner_ + 1));
    if (!started_[run_owner_] && last_allocation_ != kNothing) {
      events_[last_allocation_].boundary = true;
      started_[run_owner_] = true;
    }
  }
  last_allocation_ = kNothing;
  run_begin_ = events_.size();
}

}  // namespace modmem::trace
