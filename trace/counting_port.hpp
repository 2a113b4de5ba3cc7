// CountingPort: another port, whose mappings and bank switches are counted.
#pragma once

#include <cstddef>
#include <cstdint>

#include "port/port.hpp"

namespace modmem::trace {

class CountingPort final : public Port {
 public:
  // `port` outlives it.
  explicit CountingPort(Port& port) : port_(port) {}

  // Calls of map() and unmap(); remap() is one of each.
  std::uint64_t mappings() const { return mappings_; }
  // Banks switched on or off.
  std::uint64_t switches() const { return switches_; }

  bool map(Page page, Frame frame) override {
    ++mappings_;
    return port_.map(page, frame);
  }
  void unmap(Page page) override {
    ++mappings_;
    port_.unmap(page);
  }
  bool remap(Page page, Frame from, Frame to) override {
    mappings_ += 2;
    return port_.remap(page, from, to);
  }
  bool set_bank_power(Bank bank, bool on) override {
    ++switches_;
    return port_.set_bank_power(bank, on);
  }

  std::byte* window() const override { return port_.window(); }
  std::ptrdiff_t alias_offset() const override { return port_.alias_offset(); }
  void cache_writeback(std::byte* address, std::size_t bytes) override {
    port_.cache_writeback(address, bytes);
  }
  void cache_invalidate(std::byte* address, std::size_t bytes) override {
    port_.cache_invalidate(address, bytes);
  }
  void lock() override { port_.lock(); }
  void unlock() override { port_.unlock(); }
  std::uintptr_t thread_id() const override { return port_.thread_id(); }
  std::uint32_t core_id() const override { return port_.core_id(); }
  bool on_audio_path() const override { return port_.on_audio_path(); }
  std::uint64_t time_us() const override { return port_.time_us(); }
  void log(LogLevel level, const char* line) override { port_.log(level, line); }
  Port* low_power() override { return port_.low_power(); }
  Port* l3() override { return port_.l3(); }
  BlockView* blocks() override { return port_.blocks(); }

 private:
  Port& port_;
  std::uint64_t mappings_ = 0;
  std::uint64_t switches_ = 0;
};

}  // namespace modmem::trace
