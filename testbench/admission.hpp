// NeedsBook: what the parts of pipelines take, learned while they are set up, so that the next time
// all of it can be admitted before any of it exists.
//
// A part is a step of setting up: a module that is created, a buffer that is bound, a module that
// is prepared. While a part is recorded, the requests that Memory sees are noted as its; where it
// was recorded before, the last time counts. What a part that was never recorded will need is what
// the topology says of it (declared needs): the bytes of a buffer, the stack of a task.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "memory/memory.hpp"

namespace modmem::testbench {

// One request, as it was or will be.
struct NeededBlock {
  std::size_t bytes = 0;
  std::size_t alignment = 0;
  Flags flags = 0;
  bool of_system = false;  // not of the pipeline, but of the system itself
};

enum class PartKind : std::uint8_t { module, buffer, prepared_module };

// Kind and index: of the node, or of the edge.
using Part = std::pair<PartKind, std::size_t>;

class NeedsBook {
 public:
  // Notes requests as of `part` from now on, until end(). Whatever was noted of it before goes.
  void begin(const Part& part);
  void end() { recording_ = nullptr; }
  // A request that Memory is about to serve; noted where a part is recorded. Under Memory's lock.
  void note(const Request& request);
  // Forgets a part: it did not get all that it needs.
  void drop(const Part& part) { parts_.erase(part); }

  // What the part took last; nullptr where it was not recorded.
  const std::vector<NeededBlock>* find(const Part& part) const;

 private:
  std::map<Part, std::vector<NeededBlock>> parts_;
  std::vector<NeededBlock>* recording_ = nullptr;
};

// Adds a block to those of the same kind among `needs`. `apart`: as Need::apart.
void add_need(std::vector<Need>& needs, const NeededBlock& block, bool apart);

// What became of admissions.
struct AdmissionFigures {
  std::uint64_t admitted = 0;  // plans
  std::uint64_t refused = 0;
  std::uint64_t recorded = 0;      // of these, those that were recorded in full before
  std::size_t reserved_bytes = 0;  // of the largest one, in frames
  std::size_t returned_bytes = 0;  // that were not used, of all of them
  std::string shortage;            // of the first that was refused
};

}  // namespace modmem::testbench
