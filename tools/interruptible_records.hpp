// InterruptibleRecords: the rows of a trace, until the user has enough.
//
// Who reads a trace to its end before there is anything to say or draw would be deaf for as long
// as that takes. Cost: a look at one variable for each row.
#pragma once

#include <cstdint>
#include <exception>
#include <memory>
#include <string>
#include <vector>

#include "tools/interrupt.hpp"
#include "trace/record_source.hpp"

namespace modmem::tools {

class InterruptibleRecords final : public trace::RecordSource {
 public:
  // Opens the trace as trace::open_records() does, and throws as that.
  explicit InterruptibleRecords(const std::string& path) : rows_(trace::open_records(path)) {}

  // Throws Interrupted as well, where a signal was noted.
  bool next(trace::Record& record) override {
    InterruptGuard::check();
    return rows_->next(record);
  }

  void rewind() override { rows_->rewind(); }
  bool has_owners() const override { return rows_->has_owners(); }
  const std::string& name() const override { return rows_->name(); }
  std::uint64_t bytes_read() const override { return rows_->bytes_read(); }
  std::uint64_t size() const override { return rows_->size(); }
  std::vector<std::string> problems() const override { return rows_->problems(); }
  std::uint64_t lost() const override { return rows_->lost(); }
  [[noreturn]] void fail(const std::string& reason) const override {
    rows_->fail(reason);
    std::terminate();  // it has thrown, which compilers don't see
  }

 private:
  std::unique_ptr<trace::RecordSource> rows_;
};

}  // namespace modmem::tools
