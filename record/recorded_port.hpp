// RecordedPort: a platform's port whose pages and banks a recorder hears of.
//
// It stands before the platform's own port, and does what that does. A Memory that is not recorded
// is booted with the platform's port itself, so its pages cost nothing more then.
#pragma once

#include <cstddef>
#include <cstdint>

#include "port/port.hpp"
#include "record/recorder.hpp"

namespace modmem {

// The port of one memory: SRAM (0), low-power SRAM (1) or L3 (2).
class RecordedMemory : public Port {
 public:
  // `port` may be nullptr: then nothing is to be called.
  RecordedMemory(Port* port, Recorder& recorder, std::uint8_t memory)
      : port_(port), recorder_(&recorder), memory_(memory) {}

  // Out of line: where the first of them is, the table of virtual functions is.
  bool map(Page page, Frame frame) override;
  void unmap(Page page) override;
  bool remap(Page page, Frame from, Frame to) override;
  bool set_bank_power(Bank bank, bool on) override;

  std::byte* window() const override { return port_->window(); }
  std::ptrdiff_t alias_offset() const override { return port_->alias_offset(); }
  void cache_writeback(std::byte* address, std::size_t bytes) override {
    port_->cache_writeback(address, bytes);
  }
  void cache_invalidate(std::byte* address, std::size_t bytes) override {
    port_->cache_invalidate(address, bytes);
  }
  void lock() override { port_->lock(); }
  void unlock() override { port_->unlock(); }
  std::uintptr_t thread_id() const override { return port_->thread_id(); }
  std::uint32_t core_id() const override { return port_->core_id(); }
  bool on_audio_path() const override { return port_->on_audio_path(); }
  std::uint64_t time_us() const override { return port_->time_us(); }
  void log(LogLevel level, const char* line) override { port_->log(level, line); }
  BlockView* blocks() override { return port_->blocks(); }

  // This one, or nullptr where there is none behind it.
  Port* or_none() { return port_ != nullptr ? this : nullptr; }

 protected:
  ~RecordedMemory() = default;

 private:
  Port* port_;
  Recorder* recorder_;
  std::uint8_t memory_;
};

class RecordedPort final : public RecordedMemory {
 public:
  // `port` and `recorder` must outlive it.
  RecordedPort(Port& port, Recorder& recorder)
      : RecordedMemory(&port, recorder, 0),
        low_power_(port.low_power(), recorder, 1),
        l3_(port.l3(), recorder, 2) {}

  Port* low_power() override;
  Port* l3() override;

 private:
  class Side final : public RecordedMemory {
   public:
    using RecordedMemory::RecordedMemory;
    bool map(Page page, Frame frame) override;
  };

  Side low_power_;
  Side l3_;
};

}  // namespace modmem
