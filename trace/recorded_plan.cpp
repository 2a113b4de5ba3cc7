#include "trace/recorded_plan.hpp"

#include <utility>

#include "trace/ctf_fields.hpp"

namespace modmem::trace {

using namespace field;

namespace {

constexpr std::uint32_t to_32(std::uint64_t value) { return static_cast<std::uint32_t>(value); }

}  // namespace

bool is_owner(const CtfEvent::Fields& fields) {
  if (fields[kKind] > static_cast<std::uint64_t>(OwnerKind::slots) ||
      fields[kHeapKind] > static_cast<std::uint64_t>(HeapKind::region)) {
    return false;
  }
  // What is asked of a region or a heap of slots comes from there.
  const auto kind = static_cast<OwnerKind>(fields[kKind]);
  const auto heap = static_cast<HeapKind>(fields[kHeapKind]);
  return (kind != OwnerKind::slots || heap == HeapKind::slots) &&
         (kind != OwnerKind::region || heap == HeapKind::region);
}

OwnerSpec owner_spec_of(const CtfEvent::Fields& fields, const char* name) {
  return {.kind = static_cast<OwnerKind>(fields[kKind]),
          .id = to_32(fields[kId]),
          .name = name,
          .limit = fields[kLimit],
          .guarantee = fields[kGuarantee],
          .core = static_cast<std::uint8_t>(fields[kCore])};
}

HeapSpec heap_spec_of(const CtfEvent::Fields& fields, std::span<const SlotBundle> bundles) {
  HeapSpec heap;
  heap.kind = static_cast<HeapKind>(fields[kHeapKind]);
  heap.bytes = fields[kHeapBytes];
  heap.grows = fields[kGrows] != 0;
  heap.frame_limit = to_32(fields[kFrameLimit]);
  heap.bundles = bundles;
  heap.contiguous = fields[kContiguous] != 0;
  heap.retained_pages = to_32(fields[kRetainedPages]);
  heap.retained_us = to_32(fields[kRetainedUs]);
  return heap;
}

void RecordedPlan::add_entry(const CtfEvent::Fields& fields, const char* name, Owner* known,
                             std::vector<SlotBundle> bundles) {
  sound_ = sound_ && is_owner(fields) && known != nullptr;
  PlanEntry entry;
  entry.spec = owner_spec_of(fields, name);
  entry.heap = heap_spec_of(fields, bundles_.emplace_back(std::move(bundles)));
  (fields[kCreated] != 0 ? entry.parent : entry.owner) = known;
  entry.accounts = to_32(fields[kAccounts]);
  entry.heaps = to_32(fields[kHeaps]);
  entries_.push_back(entry);
  handles_.push_back(fields[kHandle]);
  needs_.emplace_back();
}

void RecordedPlan::add_need(const CtfEvent::Fields& fields) {
  if (needs_.empty()) {
    return;  // its entry is lost
  }
  const auto alignment = static_cast<std::uint8_t>(fields[kNeedAlignment]);
  needs_.back().push_back({.bytes = fields[kNeedBytes],
                           .blocks = to_32(fields[kNeedBlocks]),
                           .largest = fields[kNeedLargest],
                           .alignment = event::alignment_of(alignment),
                           .flags = to_32(fields[kNeedFlags]),
                           .apart = fields[kApart] != 0});
}

bool RecordedPlan::ask(Memory& memory) {
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    entries_[i].needs = needs_[i];
  }
  return sound_ && memory.admit(entries_);
}

void RecordedPlan::clear() {
  entries_.clear();
  handles_.clear();
  needs_.clear();
  bundles_.clear();
  sound_ = true;
}

}  // namespace modmem::trace
