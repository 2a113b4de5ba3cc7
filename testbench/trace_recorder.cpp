#include "testbench/trace_recorder.hpp"

#include "testbench/system.hpp"

namespace modmem::testbench {

void TraceRecorder::begin(const Port& port, BlockView* inner) {
  port_ = &port;
  inner_ = inner;
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

void TraceRecorder::start(std::byte* window, std::size_t bytes) {
  if (inner_ != nullptr) {
    inner_->start(window, bytes);
  }
}

void TraceRecorder::stop(std::byte* window, std::size_t bytes) {
  if (inner_ != nullptr) {
    inner_->stop(window, bytes);
  }
}

void TraceRecorder::expose(std::byte* address, std::size_t bytes) {
  if (inner_ != nullptr) {
    inner_->expose(address, bytes);
  }
}

void TraceRecorder::cover(std::byte* address, std::size_t bytes) {
  if (inner_ != nullptr) {
    inner_->cover(address, bytes);
  }
}

std::byte* TraceRecorder::hand_out(std::byte* block, std::size_t bytes, std::size_t alignment) {
  std::byte* const user = inner_ != nullptr ? inner_->hand_out(block, bytes, alignment) : block;
  if (user != nullptr) {
    ids_[block] = next_id_;
    write("sof_heap_alloc", next_id_++, bytes);
  }
  return user;
}

bool TraceRecorder::resize(std::byte* block, std::size_t old_bytes, std::size_t bytes) {
  if (inner_ != nullptr && !inner_->resize(block, old_bytes, bytes)) {
    return false;
  }
  write("realloc", ids_.at(block), bytes);
  return true;
}

void TraceRecorder::take_back(std::byte* block, std::size_t bytes) {
  if (inner_ != nullptr) {
    inner_->take_back(block, bytes);
  }
  const auto found = ids_.find(block);
  record_.caller.clear();
  write("sof_heap_free", found->second, 0);
  ids_.erase(found);
}

std::byte* TraceRecorder::user_of(std::byte* block) const {
  return inner_ != nullptr ? inner_->user_of(block) : block;
}

const void* TraceRecorder::block_of(const void* user) const {
  return inner_ != nullptr ? inner_->block_of(user) : user;
}

}  // namespace modmem::testbench
