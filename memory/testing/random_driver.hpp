// RandomDriver: calls of Memory beside a reference model that is simple enough to be right. What is
// called, Choices say: random numbers, or the bytes of a fuzzer.
//
// The model knows every live block (address, size, owner, alias, content, pins) and every owner's
// figures. Each step makes one call and compares its result and its effect with the model;
// compare() compares everything. A difference throws std::logic_error with the step's number.
//
// Owners are chosen in the order of their ids, blocks in that of their addresses, so that the same
// choices make the same calls.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include "memory/testing/choices.hpp"
#include "memory/testing/test_system.hpp"

namespace modmem::testing {

class RandomDriver {
 public:
  struct Options {
    std::size_t largest_block = 6000;
    bool failing_maps = false;   // let the port refuse to map now and then
    bool side_memories = false;  // low-power SRAM and L3 are there, and asked for
    bool cores = false;          // calls come from any core
    bool private_heaps = false;  // owners with heaps of their own: private ones, slots, domains
    bool upkeep = false;         // pins, compaction, changed limits, saved L3
    std::function<void(const std::string&)> say = nullptr;  // is told of each call, in words
  };

  RandomDriver(TestSystem& system, std::uint32_t seed, const Options& options)
      : RandomDriver(system, nullptr, seed, options) {}
  // `choices` must outlive it.
  RandomDriver(TestSystem& system, Choices& choices, const Options& options)
      : RandomDriver(system, &choices, 0, options) {}
  ~RandomDriver();
  RandomDriver(const RandomDriver&) = delete;
  RandomDriver& operator=(const RandomDriver&) = delete;

  // One call.
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
    std::uint32_t pins = 0;
  };
  struct Account {
    bool isolated = false;
    std::size_t own = 0;
    std::size_t own_peak = 0;
    std::size_t tree = 0;
    std::size_t tree_peak = 0;
    std::uint64_t allocations = 0;
    std::uint64_t frees = 0;
    std::uint64_t failures = 0;
  };
  struct ById {
    bool operator()(const Owner* one, const Owner* other) const {
      return one->spec.id < other->spec.id;
    }
  };
  using Blocks = std::map<std::byte*, Block>;  // by cached address
  class Inside;                                // of a block's domain, to look at it

  RandomDriver(TestSystem& system, Choices* choices, std::uint32_t seed, const Options& options);

  [[noreturn]] void differ(const std::string& what) const {
    throw std::logic_error("step " + std::to_string(steps_) + ": " + what);
  }
  void expect(bool condition, const char* what) const {
    if (!condition) {
      differ(what);
    }
  }

  std::size_t below(std::size_t limit) { return choices_.below(limit); }
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
  void upkeep();
  void pin();
  void set_limit();
  void save_l3();

  // Tells in words what is called, where somebody listens.
  template <typename... Part>
  void say(const char* call, const Part&... parts);
  void say_request(const char* call, const Request& request);
  void add(const Request& request, void* pointer, std::size_t bytes);
  void fill(const Block& block) const;
  void check_content(const Block& block, std::size_t bytes) const;
  Owner* domain_of(const Owner* owner) const;
  void failed(const Request& request, std::size_t bytes);
  void charge(Owner& owner, std::size_t bytes);
  void uncharge(Owner& owner, std::size_t bytes);
  void forget(Blocks::iterator block);
  void forget_tree(Owner& owner, std::size_t& blocks);
  static bool is_below(const Owner* owner, const Owner* ancestor);

  TestSystem& system_;
  Memory& memory_;
  Options options_;
  RandomChoices own_choices_;
  Choices& choices_;
  Blocks blocks_;
  std::map<Owner*, Account, ById> owners_;
  std::uint64_t steps_ = 0;
  std::uint64_t failures_ = 0;
  std::size_t explained_ = 0;
  std::size_t faults_ = 0;
  std::uint32_t next_id_ = 1;
  unsigned char next_pattern_ = 1;
};

}  // namespace modmem::testing
