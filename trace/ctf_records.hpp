// CtfRecords: a recorded trace as rows of an allocation trace.
//
// An owner right below the system is a stream, by name and id; its blocks and those of all owners
// below it are the stream's, and its end is `release`. What ends with an owner further below are
// rows `free`, newest block first. The system's own blocks belong to nobody. Requests that were
// refused are rows as well, without an end. Ids count blocks. Memory: O(live blocks and owners).
#pragma once

#include <cstdint>
#include <deque>
#include <filesystem>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "trace/ctf_events.hpp"
#include "trace/record_source.hpp"

namespace modmem::trace {

class CtfRecords final : public RecordSource {
 public:
  explicit CtfRecords(const std::filesystem::path& directory) : events_(directory) {}

  bool next(Record& record) override;
  void rewind() override;
  bool has_owners() const override { return true; }
  const std::string& name() const override { return events_.name(); }
  std::uint64_t bytes_read() const override { return row_; }
  std::uint64_t size() const override { return 0; }
  std::vector<std::string> problems() const override { return events_.problems(); }
  std::uint64_t lost() const override { return events_.lost(); }
  [[noreturn]] void fail(const std::string& reason) const override;

  const CtfEvents& events() const { return events_; }

 private:
  using Fields = CtfEvent::Fields;

  struct Account {
    std::string stream;  // "": the system
    std::uint64_t parent = 0;
    bool is_stream = false;
    std::set<std::uint64_t> children;
    std::set<std::uint64_t> blocks;  // ids, oldest first
  };
  struct Block {
    std::uint64_t id = 0;
    std::uint64_t owner = 0;
  };

  void take(const CtfEvent& event);
  void allocate(const CtfEvent& event, bool resized);
  void free(const CtfEvent& event, std::uint64_t memory, std::uint64_t place);
  void begin(std::uint64_t handle, std::uint64_t parent, std::uint64_t id);
  void end(const CtfEvent& event, std::uint64_t handle, bool goes);
  Record& add(const CtfEvent& event, const char* op);

  CtfEvents events_;
  std::deque<Record> rows_;
  std::unordered_map<std::uint64_t, Account> accounts_;
  std::unordered_map<std::uint64_t, Block> blocks_;            // by memory and place
  std::unordered_map<std::uint64_t, std::uint64_t> place_of_;  // by id
  std::unordered_map<std::uint64_t, std::string> sites_;
  std::string owner_name_;
  std::set<std::string> streams_;  // that have had a block
  std::uint64_t next_id_ = 0;
  std::uint64_t row_ = 0;
};

}  // namespace modmem::trace
