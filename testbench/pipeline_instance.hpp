// PipelineInstance: what firmware keeps of one pipeline while it exists: its account, and a record
// in the pipeline's own heap.
#pragma once

#include <cstdint>

#include "memory/memory.hpp"
#include "testbench/admission.hpp"
#include "testbench/topology/topology.hpp"

namespace modmem::testbench {

// How far something has come, a pipeline as a stream; each state has all that those before it have.
enum class PlayState : std::uint8_t {
  absent,
  reset,    // its modules exist
  paused,   // they are prepared
  running,  // and process a period every millisecond
};

class PipelineInstance {
 public:
  // Takes the account. False exactly when memory ran out. `description` must outlive it. Requires
  // that it does not exist.
  bool create(Memory& memory, const Pipeline& description);
  // Takes the record. False exactly when memory ran out; destroy() is due all the same.
  bool make_record(Memory& memory, const Pipeline& description);
  bool has_record() const { return record_ != nullptr; }
  // What make_record() takes.
  static NeededBlock record_block();
  // Gives them back. Requires that nothing else of the pipeline is left. Does nothing where it does
  // not exist.
  void destroy(Memory& memory);
  // Whether it has its account.
  bool exists() const { return owner_ != nullptr; }

  Owner* owner() const { return owner_; }
  // Another period has been run. The audio path.
  void count_period() { ++record_->periods; }

 private:
  struct Record {
    std::uint32_t id = 0;
    std::uint32_t core = 0;
    std::uint32_t priority = 0;
    std::uint32_t period_us = 0;
    std::uint64_t periods = 0;  // run so far
  };

  Owner* owner_ = nullptr;
  Record* record_ = nullptr;
};

}  // namespace modmem::testbench
