// RandomDriver: random calls of Memory beside a reference model that is simple enough to be right.
//
// The model knows every live block (address, size, owner, alias, content) and every owner's
// figures. Each step makes one call and compares its result and its effect with the model;
// compare() compares everything. A difference throws std::logic_error with the step's number.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "memory/testing/test_system.hpp"

namespace modmem::testing {

class RandomDriver {
 public:
  struct Options {
    std::size_t largest_block = 6000;
    bool failing_maps = false;   // let the port refuse to map now and then
    bool side_memories = false;  // low-power SRAM and L3 are there, and asked for
  };

  RandomDriver(TestSystem& system, std::uint32_t seed, const Options& options)
      : system_(system), memory_(system.memory()), options_(options), random_(seed) {
    owners_[&memory_.system()] = {};
  }

  // One random call.
  void step();

  // Ends all owners but the system, and all blocks, in random order.
  void end_everything();

  // Everything that the model knows against everything that Memory says. O(blocks).
  void compare();

  // A live block as its user has it, nullptr where there is none.
  void* some_block() { return blocks_.empty() ? nullptr : any_block()->second.pointer; }

  std::size_t live_blocks() const { return blocks_.size(); }
  std::uint64_t failures() const { return failures_; }

 private:
  struct Block {
    void* pointer = nullptr;  // as it was handed out
    std::size_t bytes = 0;
    std::size_t alignment = 0;
    Flags flags = 0;
    Owner* owner = nullptr;
    unsigned char pattern = 0;
  };
  struct Account {
    std::size_t own = 0;
    std::size_t own_peak = 0;
    std::size_t tree = 0;
    std::size_t tree_peak = 0;
    std::uint64_t allocations = 0;
    std::uint64_t frees = 0;
    std::uint64_t failures = 0;
  };
  using Blocks = std::map<std::byte*, Block>;  // by cached address

  [[noreturn]] void differ(const std::string& what) const {
    throw std::logic_error("step " + std::to_string(steps_) + ": " + what);
  }
  void expect(bool condition, const char* what) const {
    if (!condition) {
      differ(what);
    }
  }

  std::size_t below(std::size_t limit) {
    return std::uniform_int_distribution<std::size_t>(0, limit - 1)(random_);
  }
  bool one_in(std::size_t n) { return below(n) == 0; }

  std::byte* cached(void* pointer) const {
    auto* bytes = static_cast<std::byte*>(pointer);
    const std::size_t window = system_.port().host().window_bytes();
    std::byte* through_alias = bytes - system_.port().alias_offset();
    const auto offset = static_cast<std::size_t>(through_alias - system_.port().window());
    return offset < window ? through_alias : bytes;
  }

  // The simulator has no alias of the memories beside the SRAM.
  bool in_sram(const std::byte* start) const { return memory_.space().page_of(start).has_value(); }
  std::ptrdiff_t alias_offset(const std::byte* start) const {
    return in_sram(start) ? system_.port().alias_offset() : 0;
  }

  Owner& any_owner();
  Blocks::iterator any_block();
  Request any_request();

  void allocate();
  void allocate_range();
  void reallocate();
  void free();
  void free_badly();
  void create_owner();
  void destroy_owner();
  void release_all();
  void premap();

  void add(const Request& request, void* pointer, std::size_t bytes);
  void fill(const Block& block);
  void check_content(const Block& block, std::size_t bytes) const;
  void failed(const Request& request, std::size_t bytes);
  void charge(Owner& owner, std::size_t bytes);
  void uncharge(Owner& owner, std::size_t bytes);
  void forget(Blocks::iterator block);
  void forget_tree(Owner& owner, std::size_t& blocks);
  static bool is_below(const Owner* owner, const Owner* ancestor);

  TestSystem& system_;
  Memory& memory_;
  Options options_;
  std::mt19937 random_;
  Blocks blocks_;
  std::map<Owner*, Account> owners_;
  std::uint64_t steps_ = 0;
  std::uint64_t failures_ = 0;
  std::size_t explained_ = 0;
  std::size_t faults_ = 0;
  std::uint32_t next_id_ = 1;
  unsigned char next_pattern_ = 1;
};

}  // namespace modmem::testing
