// Sequence: what the rows of a trace mean one after the other.
//
// It gives ids and owners their places and finds what can't be: a free of what does not live, an id
// that is allocated twice. An id may be used again once its block has gone. An owner begins with
// its first block; `release` ends it and every block of it. In a trace without a column `owner`
// all belongs to one stream. Memory: O(live blocks and owners + different call sites).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "trace/event.hpp"
#include "trace/place_table.hpp"
#include "trace/record_source.hpp"

namespace modmem::trace {

class Sequence {
 public:
  // Rows of `reader`, which errors are about.
  explicit Sequence(const RecordSource& reader) : reader_(reader) {}

  // What `record` does. Throws TraceError where it can't be.
  Event resolve(const Record& record);

  // Owners that live.
  std::size_t owners() const { return owners_.size(); }
  std::size_t blocks() const { return ids_.size(); }

  // Forgets all that lives.
  void clear();

 private:
  static constexpr std::uint32_t kNone = PlaceTable<std::uint64_t>::kNone;

  // A live block, in the list of its owner's.
  struct Block {
    std::uint64_t id = 0;
    std::uint32_t owner = Event::kSystem;
    std::uint32_t next = kNone;
    std::uint32_t previous = kNone;
  };

  std::uint32_t begin_owner(const Record& record);
  Event allocate(const Record& record, Event event);
  Event free(const Record& record, Event event);
  Event release(const Record& record, Event event);
  void add(std::uint32_t place, std::uint64_t id, std::uint32_t owner);
  void remove(std::uint32_t place);

  const RecordSource& reader_;
  PlaceTable<std::uint64_t> ids_;
  PlaceTable<std::string, TextHash> owners_;
  std::vector<Block> blocks_;         // by place
  std::vector<std::uint32_t> first_;  // newest block of each owner, by place
};

}  // namespace modmem::trace
