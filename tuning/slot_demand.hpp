// SlotDemand: what a heap of slots is asked for by traces, and nothing else.
//
// Under a policy some requests go to the heap of slots. Of those only their *class* matters: the
// size of the smallest slot that can hold them, rounded as the policy rounds and aligned as they
// ask. (Where the alignment is more than the bytes, a smaller slot will do if it happens to lie
// right; that is not counted on, and is_exact() says that there are such requests.) So a trace
// becomes a row of operations: a block takes a slot of a class or larger, gives it back, or asks
// for another class. A block that is resized may also come from another heap or go there; of other
// heaps it is taken that they have room.
//
// Class c stands for slots of kLeastBytes << c bytes. Memory: 8 bytes an operation.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "memory/policy.hpp"
#include "port/platform_config.hpp"
#include "trace/event.hpp"

namespace modmem::tuning {

struct SlotOperation {
  enum class Kind : std::uint8_t {
    take,
    give,
    resize,
    enter,  // from another heap, where it stays if it fails
    leave,  // for another heap; a resize brings it back, and give ends it there
  };

  Kind kind = Kind::take;
  std::uint8_t size_class = 0;   // of take, resize and enter
  std::uint8_t least_class = 0;  // that has the bytes, whatever the alignment
  std::uint32_t block = 0;       // place, used again after its block has gone
};

class SlotDemand {
 public:
  static constexpr std::size_t kLeastBytes = SlotHeap::kMinSlotBytes;
  static constexpr std::uint32_t kMostClasses = 27;

  // Of requests under `policy` on `platform`; both outlive it.
  SlotDemand(const PlatformConfig& platform, const Policy& policy)
      : platform_(platform), policy_(policy) {}

  // Adds a trace, from its start to its end, after which nothing of it lives. Throws TraceError
  // where the trace does not hold. O(events).
  void add(trace::EventSource& source);

  // What a request asks for; nothing where another heap serves it.
  struct Class {
    std::uint32_t size_class = 0;
    std::uint32_t least_class = 0;
  };
  std::optional<Class> class_of(const trace::Event& event) const;

  // No request is aligned to more than its bytes.
  bool is_exact() const { return is_exact_; }

  const std::vector<SlotOperation>& operations() const { return operations_; }
  std::uint32_t blocks() const { return blocks_; }      // places
  std::uint32_t classes() const { return classes_; }    // the largest one that is asked for, and 1
  std::uint64_t requests() const { return requests_; }  // all but give and leave

  static constexpr std::size_t slot_bytes(std::uint32_t size_class) {
    return kLeastBytes << size_class;
  }

 private:
  static constexpr std::uint32_t kNone = UINT32_MAX;

  // A block that has been in slots, in the list of its owner's.
  struct Block {
    bool lives = false;
    std::uint32_t owner = trace::Event::kSystem;
    std::uint32_t next = kNone;
    std::uint32_t previous = kNone;
  };

  void play(const trace::Event& event);
  void take(const trace::Event& event, SlotOperation::Kind kind, const Class& wanted);
  void give(std::uint32_t place);
  std::uint32_t& first_of(std::uint32_t owner);
  void append(SlotOperation::Kind kind, const Class& wanted, std::uint32_t block);

  const PlatformConfig& platform_;
  const Policy& policy_;
  std::vector<SlotOperation> operations_;
  std::uint32_t blocks_ = 0;
  std::uint32_t classes_ = 0;
  std::uint64_t requests_ = 0;
  bool is_exact_ = true;
  std::vector<Block> live_;            // by place
  std::vector<std::uint32_t> owners_;  // newest block, by place of owner and 1; the system's first
};

// The sizes that blocks have at most at a time.
struct SlotPeaks {
  explicit SlotPeaks(const SlotDemand& demand);

  std::vector<std::uint32_t> of_class;  // live blocks of each class
  std::vector<std::uint32_t> at_least;  // of the least class and larger ones
  std::vector<std::uint32_t> at_most;   // of the class and smaller ones
};

}  // namespace modmem::tuning
