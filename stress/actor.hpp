// Actor: one thread of a stress run, on a core of its own.
//
// What it does is what a correct program may do: it touches no block that it gave away, ends no
// owner whose blocks others have, and works in a region while it has a reference. All else it does
// at any time, whatever the other actors do. Every block is filled when it comes and looked at,
// all of it, when it goes.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "heap/testing/random.hpp"
#include "stress/shared_state.hpp"

namespace modmem::stress {

class Actor {
 public:
  Actor(SharedState& state, std::uint32_t thread);

  // One random call, or a few that belong together. From the actor's thread.
  void step();

  // Ends everything of this actor's but blocks on their way to it: for the last phase, in which
  // clean_mailbox() of all actors comes first.
  void clean_mailbox();
  void end();

  // While no thread runs: that all its blocks are as it left them.
  void check_blocks() const;

  const Counters& counters() const { return counters_; }

 private:
  struct Visit {  // in a region
    Owner* region = nullptr;
    std::uint32_t slot = 0;
    std::vector<Block> blocks;
  };
  struct Copy {
    const void* copy = nullptr;
    std::uint32_t source = 0;
  };
  struct Object {
    void* object = nullptr;
    std::uint64_t stamp = 0;
  };

  Memory& memory() { return state_.memory(); }
  Block make(void* start, std::size_t bytes, Tenant& tenant);
  Flags any_flags();
  std::size_t any_size();
  bool is_time_to_fill();
  Tenant& any_tenant();
  Block take_out(std::size_t index);
  void end_block(const Block& block);
  void refuse() { ++counters_.refused; }

  void allocate();
  void allocate_range();
  void reallocate();
  void free();
  void misuse();
  void send();
  void receive();
  void create_owner();
  void end_owner(std::size_t index, bool must_end);
  void enter_region();
  void work_in_region();
  void leave_region();
  void take_copy();
  void return_copy();
  void take_object();
  void return_object();
  void look();

  SharedState& state_;
  std::uint32_t thread_;
  Random random_;
  std::vector<std::unique_ptr<Tenant>> tenants_;
  std::vector<Block> blocks_;
  std::vector<Copy> copies_;
  std::vector<Object> objects_;
  Visit visit_;
  Counters counters_;
};

}  // namespace modmem::stress
