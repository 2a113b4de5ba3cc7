// Transaction: a scope that undoes what was set up in it, unless it is committed.
//
//   TransactionStep steps[16];
//   Transaction setup(memory, steps);
//   Owner* pipeline = setup.create_owner(memory.system(), spec);
//   void* table = pipeline == nullptr ? nullptr : setup.allocate({pipeline, 4096});
//   if (table == nullptr) {
//     return false;  // the pipeline is gone, too
//   }
//   setup.commit();
//
// Each thing that is made is a step; undoing takes the steps back in reverse order: blocks are
// freed, what plans reserved is returned, owners end with all that they hold, which is no leak, and
// functions that the user gave are called. The steps lie where the user says, so a transaction
// takes no memory itself; what there is no step for is not made.
//
// Invariant: used steps = things that were made in it and not given back through it.
// Cost: a step is O(1) beside what it does; free() O(steps); undoing is the sum of the ends.
// Not thread-safe itself; as Memory, not the audio path.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "memory/memory.hpp"

namespace modmem {

// One thing that was made. For Transaction alone.
struct TransactionStep {
  using Undo = void (*)(void* context, std::size_t number);

  enum class Kind : std::uint8_t { block, owner, reservation, call };

  Kind kind = Kind::block;
  void* what = nullptr;  // block, owner, or context of the call
  Undo undo = nullptr;
  std::size_t number = 0;
};

class Transaction {
 public:
  // `memory` and `steps` must outlive it.
  Transaction(Memory& memory, std::span<TransactionStep> steps) : memory_(memory), steps_(steps) {}
  // Undoes what was not committed.
  ~Transaction() { undo(); }
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;

  // As the functions of Memory; nullptr or false also where no step is left, with nothing made. A
  // plan needs a step for each entry.
  Owner* create_owner(Owner& parent, const OwnerSpec& spec, const HeapSpec& heap = {});
  bool admit(Plan plan, Shortage* shortage = nullptr);
  void* allocate(const Request& request);

  // Ends a block of this transaction, or another one: as Memory::free(). What is freed otherwise
  // must not have been made in it.
  PointerStatus free(void* block);

  // Has step(context, number) called where the transaction is undone. False where no step is left.
  bool on_undo(TransactionStep::Undo step, void* context, std::size_t number = 0);

  // Keeps all that was made so far. A new transaction begins.
  void commit() { used_ = 0; }
  // Ends all that was made since the last commit, newest first.
  void undo();

  std::size_t steps() const { return used_; }

 private:
  bool has_room(std::size_t count) const { return steps_.size() - used_ >= count; }
  void add(const TransactionStep& step) { steps_[used_++] = step; }

  Memory& memory_;
  std::span<TransactionStep> steps_;
  std::size_t used_ = 0;
};

}  // namespace modmem
