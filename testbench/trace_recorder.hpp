// TraceRecorder: writes down which blocks a run takes and gives back, as an allocation trace that
// `modmem replay` plays (docs/replay.md).
//
// It stands before the port's view of blocks, where every block passes that the library hands out,
// takes back or resizes in place, and is told of each request before. Memory: O(rows).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <unordered_map>

#include "memory/memory.hpp"
#include "port/port.hpp"
#include "port/posix/passing_blocks.hpp"
#include "trace/record.hpp"
#include "trace/writer.hpp"

namespace modmem::testbench {

class TraceRecorder final : public PassingBlocks {
 public:
  TraceRecorder() : writer_(text_, false) {}
  TraceRecorder(const TraceRecorder&) = delete;
  TraceRecorder& operator=(const TraceRecorder&) = delete;

  // Blocks of memory on `port` follow, whose own view of them, if any, is `inner`. Both must
  // outlive it.
  void begin(const Port& port, BlockView* inner);

  // The request that the next block is for.
  void note(const Request& request);

  // The trace up to now.
  const std::string& text() const { return text_; }

  std::byte* hand_out(std::byte* block, std::size_t bytes, std::size_t alignment) override;
  bool resize(std::byte* block, std::size_t old_bytes, std::size_t bytes) override;
  void take_back(std::byte* block, std::size_t bytes) override;

 private:
  void write(const char* op, std::uint64_t id, std::size_t bytes);

  const Port* port_ = nullptr;
  std::string text_;
  trace::Writer writer_;
  trace::Record record_;  // with what note() was told
  std::uint64_t next_id_ = 0;
  std::unordered_map<const std::byte*, std::uint64_t> ids_;  // of live blocks
};

}  // namespace modmem::testbench
