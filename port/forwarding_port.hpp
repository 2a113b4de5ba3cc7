// ForwardingPort: does what another port does. A port that stands before the platform's own derives
// from it, and says only what it does besides.
#pragma once

#include <cstddef>
#include <cstdint>

#include "port/port.hpp"

namespace modmem {

class ForwardingPort : public Port {
 public:
  bool map(Page page, Frame frame) override { return port_->map(page, frame); }
  void unmap(Page page) override { port_->unmap(page); }
  bool remap(Page page, Frame from, Frame to) override { return port_->remap(page, from, to); }
  bool can_close_pages() const override { return port_->can_close_pages(); }
  void set_access(Page page, Access access) override { port_->set_access(page, access); }
  void set_writable(std::byte* start, std::size_t bytes, bool writable) override {
    port_->set_writable(start, bytes, writable);
  }
  bool set_bank_power(Bank bank, bool on) override { return port_->set_bank_power(bank, on); }
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
  Port* low_power() override { return port_->low_power(); }
  Port* l3() override { return port_->l3(); }
  BlockView* blocks() override { return port_->blocks(); }

 protected:
  // `port` must outlive it. nullptr: then nothing is to be called.
  explicit ForwardingPort(Port* port) : port_(port) {}
  ~ForwardingPort() = default;

  Port* port() const { return port_; }

 private:
  Port* port_;
};

}  // namespace modmem
