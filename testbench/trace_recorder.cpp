#include "testbench/trace_recorder.hpp"

#include "testbench/modules/call_site.hpp"
#include "testbench/system.hpp"

namespace modmem::testbench {

void TraceRecorder::begin(const Port& port, BlockView* inner) {
  port_ = &port;
  set_inner(inner);
}

void TraceRecorder::note(const Request& request) {
  record_.alignment = static_cast<std::uint32_t>(request.alignment);
  record_.flags = request.flags & flag::kAll;
  record_.caller = request.site.where != nullptr ? to_text(request.site) : "";
  // As in the repository, wherever it was built.
  while (record_.caller.starts_with("../")) {
    record_.caller.erase(0, 3);
  }
}

void TraceRecorder::write(const char* op, std::uint64_t id, std::size_t bytes) {
  record_.time_us = port_->time_us();
  record_.op = op;
  record_.id = id;
  record_.bytes = static_cast<std::uint32_t>(bytes);
  writer_.write(record_);
}

std::byte* TraceRecorder::hand_out(std::byte* block, std::size_t bytes, std::size_t alignment) {
  std::byte* const user = PassingBlocks::hand_out(block, bytes, alignment);
  if (user != nullptr) {
    ids_[block] = next_id_;
    write("sof_heap_alloc", next_id_++, bytes);
  }
  return user;
}

bool TraceRecorder::resize(std::byte* block, std::size_t old_bytes, std::size_t bytes) {
  if (!PassingBlocks::resize(block, old_bytes, bytes)) {
    return false;
  }
  write("realloc", ids_.at(block), bytes);
  return true;
}

void TraceRecorder::take_back(std::byte* block, std::size_t bytes) {
  PassingBlocks::take_back(block, bytes);
  const auto found = ids_.find(block);
  record_.caller.clear();
  write("sof_heap_free", found->second, 0);
  ids_.erase(found);
}

}  // namespace modmem::testbench
