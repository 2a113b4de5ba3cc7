// Footprint: what a module asks of memory, by UUID.
//
// Requests are in the order in which the module makes them, in two phases: `init` when it is
// created, `prepare` when it learns its formats. How large a request is follows from facts
// (testbench/plan/module_facts.hpp):
//
//   bytes of each of its blocks = bytes(facts)            where they are alike
//                               = total(facts) / count    where only the sum is known
//
// A request of which only examples are known has cases: bytes for exactly these values of the facts
// that it goes by. Where there is no case for the values at hand, or a fact is beyond what was ever
// seen, the footprint does not cover the module.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "memory/intent.hpp"
#include "testbench/plan/formula.hpp"
#include "testbench/plan/module_facts.hpp"
#include "testbench/topology/uuid.hpp"

namespace modmem::testbench {

// One block to be asked for.
struct PlannedBlock {
  std::size_t bytes = 0;
  std::size_t least = 0;  // that do, where less is taken if there is no more; 0: all of it
  std::size_t alignment = 0;
  Flags flags = 0;
  bool temporary = false;
  bool operator==(const PlannedBlock&) const = default;
};

struct FootprintRequest {
  struct Case {
    std::vector<std::int64_t> values;  // of the facts in `by`
    Formula bytes;
    bool operator==(const Case&) const = default;
  };

  Condition when;
  Formula bytes;  // of one block, or `together` of all
  bool together = false;
  std::vector<std::string> by;
  std::vector<Case> cases;  // in place of `bytes` where there are any
  Formula count{1};
  Formula least;  // 0: no less will do
  std::size_t alignment = 0;
  Flags flags = flag::kUser;
  bool temporary = false;  // freed when the phase ends
  bool estimate = false;   // the most that was seen, as nothing explained it
  bool operator==(const FootprintRequest&) const = default;
};

struct PlannedPhase {
  std::vector<PlannedBlock> blocks;
  bool covered = true;    // false: the most of any case stands for one that there is not
  bool estimate = false;  // some of it is the most that was seen
};

struct Footprint {
  struct Range {
    std::int64_t least = 0;
    std::int64_t most = 0;
    bool operator==(const Range&) const = default;
  };

  Uuid uuid;
  std::string name;
  std::vector<Parameter> parameters;
  std::map<std::string, Range> seen;  // by fact: the values that it was made from
  std::vector<FootprintRequest> init;
  std::vector<FootprintRequest> prepare;
  bool operator==(const Footprint&) const = default;

  // Whether all facts are within what was seen.
  bool has_seen(const Facts& facts) const;
};

// The blocks of a phase of a module of which these facts are known. Throws InputError where a
// formula is too large, or there are more than kMostBlocks of one request.
PlannedPhase planned_blocks(const std::vector<FootprintRequest>& phase, const Facts& facts);
inline constexpr std::int64_t kMostBlocks = 65536;

class FootprintTable {
 public:
  // Takes it in place of the one of the same UUID, if there is one.
  void put(Footprint footprint);
  // nullptr where there is none. O(footprints).
  const Footprint* find(const Uuid& uuid) const;
  const std::vector<Footprint>& footprints() const { return footprints_; }  // by name, then UUID

 private:
  std::vector<Footprint> footprints_;
};

}  // namespace modmem::testbench
