#include "testbench/admission.hpp"

#include <algorithm>

namespace modmem::testbench {

void NeedsBook::begin(const Part& part) {
  recording_ = &parts_[part];
  recording_->clear();
}

void NeedsBook::note(const Request& request) {
  if (recording_ != nullptr) {
    const bool of_system = request.owner == nullptr || request.owner->parent == nullptr;
    recording_->push_back({request.bytes, request.alignment, request.flags, of_system});
  }
}

const std::vector<NeededBlock>* NeedsBook::find(const Part& part) const {
  const auto known = parts_.find(part);
  return known != parts_.end() ? &known->second : nullptr;
}

void add_need(std::vector<Need>& needs, const NeededBlock& block, bool apart) {
  const Flags flags = block.flags & ~(flag::kSilent | flag::kNoCopy);
  auto same = std::find_if(needs.begin(), needs.end(), [&](const Need& need) {
    return need.flags == flags && need.alignment == block.alignment && need.apart == apart;
  });
  if (same == needs.end()) {
    needs.push_back({.alignment = block.alignment, .flags = flags, .apart = apart});
    same = needs.end() - 1;
  }
  same->bytes += block.bytes;
  same->largest = std::max(same->largest, block.bytes);
  ++same->blocks;
}

}  // namespace modmem::testbench
