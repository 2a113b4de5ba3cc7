// MeteredPort: another port, whose calls for mapping and bank power are counted and whose
// instructions are not: what they cost is the platform's business.
#pragma once

#include <cstddef>
#include <cstdint>

#include "bench/instruction_meter.hpp"
#include "port/port.hpp"

namespace modmem::bench {

class MeteredPort final : public Port {
 public:
  explicit MeteredPort(Port& port) : port_(port) {}

  // Whether instructions of those calls are left out: not where they are with what calls them.
  void set_apart(bool is_apart) { is_apart_ = is_apart; }

  // Calls of map(), unmap() and set_bank_power().
  std::uint64_t calls() const { return calls_; }

  bool map(Page page, Frame frame) override {
    return metered([&] { return port_.map(page, frame); });
  }
  void unmap(Page page) override {
    metered([&] {
      port_.unmap(page);
      return true;
    });
  }
  bool set_bank_power(Bank bank, bool on) override {
    return metered([&] { return port_.set_bank_power(bank, on); });
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
  template <typename Call>
  bool metered(Call call) {
    ++calls_;
    if (!is_apart_) {
      return call();
    }
    InstructionMeter::pause();
    const bool done = call();
    InstructionMeter::resume();
    return done;
  }

  Port& port_;
  std::uint64_t calls_ = 0;
  bool is_apart_ = true;
};

}  // namespace modmem::bench
