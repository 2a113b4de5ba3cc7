// HostPort: a simulated platform on a Linux host, with real mappings, real faults and real bank
// power.
//
// SRAM is an anonymous file in memory (memfd); the window and its uncached alias are reserved
// address space without access. Mapping a page maps its frame of the file at both addresses;
// unmapping takes the access away, so that a stray access faults, and is reported with what is
// known about the address. A bank that powers off loses its content: when it comes up again it is
// filled with kLostContent. Low-power SRAM and L3 are simulated in the same way, L3 without losing
// anything. Without an MMU page = frame and the alias is absent, but access follows
// mapping all the same.
//
// Cost: a system call or two for each page mapped or unmapped. Linux only. Works under
// AddressSanitizer: the addresses are whatever range the kernel has free.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "port/port.hpp"

namespace modmem {

class HostPort final : public Port {
 public:
  static constexpr std::byte kLostContent{0xdb};

  // Reserves the address space and creates the SRAM of `config`. Throws std::system_error where the
  // host does not give them.
  explicit HostPort(const PlatformConfig& config);
  ~HostPort();
  HostPort(const HostPort&) = delete;
  HostPort& operator=(const HostPort&) = delete;

  std::byte* window() const override { return window_; }
  std::ptrdiff_t alias_offset() const override { return alias_offset_; }
  bool map(Page page, Frame frame) override;
  void unmap(Page page) override;
  bool set_bank_power(Bank bank, bool on) override;
  void cache_writeback(std::byte* address, std::size_t bytes) override;
  void cache_invalidate(std::byte* address, std::size_t bytes) override;
  void lock() override { mutex_.lock(); }
  void unlock() override { mutex_.unlock(); }
  std::uintptr_t thread_id() const override;
  std::uint32_t core_id() const override;
  bool on_audio_path() const override;
  std::uint64_t time_us() const override;
  void log(LogLevel level, const char* line) override;
  Port* low_power() override { return low_power_.get(); }
  Port* l3() override { return l3_.get(); }

  // What a power cycle of the DSP does: all mappings go, all banks are off, and the contents of
  // SRAM and low-power SRAM are lost; L3 keeps its own. The Memory that ran on this port is not to
  // be used any more, not even shut down: the next one boots.
  void power_cycle();

  // Bytes from the start of the window to the end of both aliases.
  std::size_t window_bytes() const { return window_bytes_; }
  std::uint64_t invalidated_bytes() const { return invalidated_bytes_; }

  // --- for tests ---

  // The next `count` calls of map() succeed, all after them fail; kNever: none does.
  static constexpr std::uint64_t kNever = UINT64_MAX;
  void fail_maps_after(std::uint64_t count) { maps_until_failure_ = count; }
  // Refuses (or no longer refuses) to power `bank` up.
  void break_bank(Bank bank, bool broken) { banks_[number(bank)].broken = broken; }

 private:
  enum class Kind : std::uint8_t { sram, low_power, l3 };

  HostPort(const PlatformConfig& config, Kind kind);

  struct BankState {
    bool on = false;
    bool broken = false;
  };

  // From one alias to the other: a power of two, so that a block is aligned through both alike,
  // with at least a page without access between them.
  std::size_t alias_stride() const;
  // Both aliases, with a page without access before and behind: an overrun at either end faults.
  std::size_t reserved_bytes() const;

  PlatformConfig config_;
  Kind kind_;
  std::unique_ptr<HostPort> low_power_;
  std::unique_ptr<HostPort> l3_;
  int sram_ = -1;
  std::byte* window_ = nullptr;
  std::ptrdiff_t alias_offset_ = 0;
  std::size_t window_bytes_ = 0;
  std::size_t first_bank_offset_ = 0;  // bytes of the first bank that belong to the reserve
  std::vector<BankState> banks_;
  std::mutex mutex_;
  std::uint64_t maps_until_failure_ = kNever;
  std::uint64_t invalidated_bytes_ = 0;
};

// Marks the calling thread as on the audio path for a scope: Memory counts calls from there.
class AudioPathScope {
 public:
  AudioPathScope();
  ~AudioPathScope();
  AudioPathScope(const AudioPathScope&) = delete;
  AudioPathScope& operator=(const AudioPathScope&) = delete;

  // True where the calling thread is in such a scope.
  static bool active();
};

// Sets which simulated core the calling thread is.
void set_host_core(std::uint32_t core);

}  // namespace modmem
