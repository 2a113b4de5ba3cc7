#include "memory/transaction.hpp"

namespace modmem {

Owner* Transaction::create_owner(Owner& parent, const OwnerSpec& spec, const HeapSpec& heap) {
  Owner* owner = has_room(1) ? memory_.create_owner(parent, spec, heap) : nullptr;
  if (owner != nullptr) {
    add({TransactionStep::Kind::owner, owner, nullptr, 0});
  }
  return owner;
}

bool Transaction::admit(Plan plan, Shortage* shortage) {
  if (!has_room(plan.size()) || !memory_.admit(plan, shortage)) {
    return false;
  }
  for (const PlanEntry& entry : plan) {
    add({entry.created ? TransactionStep::Kind::owner : TransactionStep::Kind::reservation,
         entry.owner, nullptr, 0});
  }
  return true;
}

void* Transaction::allocate(const Request& request) {
  void* block = has_room(1) ? memory_.allocate(request) : nullptr;
  if (block != nullptr) {
    add({TransactionStep::Kind::block, block, nullptr, 0});
  }
  return block;
}

PointerStatus Transaction::free(void* block) {
  const PointerStatus status = memory_.free(block);
  std::size_t at = used_;
  while (at > 0 &&
         (steps_[at - 1].kind != TransactionStep::Kind::block || steps_[at - 1].what != block)) {
    --at;
  }
  if (at > 0 && status == PointerStatus::live) {
    for (--used_; at <= used_; ++at) {
      steps_[at - 1] = steps_[at];
    }
  }
  return status;
}

bool Transaction::on_undo(TransactionStep::Undo step, void* context, std::size_t number) {
  if (!has_room(1)) {
    return false;
  }
  add({TransactionStep::Kind::call, context, step, number});
  return true;
}

void Transaction::undo() {
  while (used_ > 0) {
    const TransactionStep step = steps_[--used_];
    switch (step.kind) {
      case TransactionStep::Kind::block:
        memory_.free(step.what);
        break;
      case TransactionStep::Kind::owner:
        memory_.release_owner(*static_cast<Owner*>(step.what));
        break;
      case TransactionStep::Kind::reservation:
        memory_.return_unused(*static_cast<Owner*>(step.what));
        break;
      case TransactionStep::Kind::call:
        step.undo(step.what, step.number);
        break;
    }
  }
}

}  // namespace modmem
