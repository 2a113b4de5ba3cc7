#include "port/host/host_port.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <system_error>
#include <thread>

#include "base/bits.hpp"
#include "base/check.hpp"
#include "modmem/config.hpp"

namespace modmem {

namespace {

thread_local int audio_path_depth = 0;
thread_local std::uint32_t this_core = 0;

[[noreturn]] void fail(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

}  // namespace

void check_failed(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "modmem: %s:%d: broken invariant: %s\n", file, line, condition);
  std::abort();
}

HostPort::HostPort(const PlatformConfig& config) : HostPort(config, Kind::sram) {
  // Not make_unique(): the constructor is private.
  if (config.lp_sram_bytes != 0) {
    low_power_.reset(new HostPort(side_platform(config, config.lp_sram_bytes), Kind::low_power));
  }
  if (config.l3_bytes != 0) {
    l3_.reset(new HostPort(side_platform(config, config.l3_bytes), Kind::l3));
  }
}

HostPort::HostPort(const PlatformConfig& config, Kind kind) : config_(config), kind_(kind) {
  const std::size_t pool_bytes = config.sram_bytes - config.reserve_bytes;
  window_bytes_ = config.has_mmu ? config.window_bytes : pool_bytes;
  first_bank_offset_ = config.reserve_bytes % config.bank_bytes;
  banks_.resize(divide_up(pool_bytes + first_bank_offset_, config.bank_bytes));
  const std::size_t reserved = reserved_bytes();
  void* space =
      mmap(nullptr, reserved, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (space == MAP_FAILED) {
    fail("reserving address space for the simulated window");
  }
  window_ = static_cast<std::byte*>(space) + config::kPageBytes;
  alias_offset_ = config.has_mmu ? static_cast<std::ptrdiff_t>(alias_stride()) : 0;
  sram_ = memfd_create("modmem-sram", MFD_CLOEXEC);
  if (sram_ < 0 || ftruncate(sram_, static_cast<off_t>(pool_bytes)) != 0) {
    const int error = errno;
    munmap(space, reserved);
    if (sram_ >= 0) {
      close(sram_);
    }
    errno = error;
    fail("creating the simulated SRAM");
  }
}

HostPort::~HostPort() {
  munmap(window_ - config::kPageBytes, reserved_bytes());
  close(sram_);
}

std::size_t HostPort::alias_stride() const {
  return std::bit_ceil(window_bytes_ + config::kPageBytes);
}

std::size_t HostPort::reserved_bytes() const {
  return (config_.has_mmu ? alias_stride() : 0) + window_bytes_ + 2 * config::kPageBytes;
}

bool HostPort::map(Page page, Frame frame) {
  if (maps_until_failure_ == 0) {
    return false;
  }
  maps_until_failure_ -= maps_until_failure_ == kNever ? 0 : 1;
  const std::size_t at = std::size_t{number(page)} * config::kPageBytes;
  const auto offset = static_cast<off_t>(std::size_t{number(frame)} * config::kPageBytes);
  constexpr int kAccess = PROT_READ | PROT_WRITE;
  constexpr int kHow = MAP_SHARED | MAP_FIXED;
  std::byte* cached = window_ + at;
  if (mmap(cached, config::kPageBytes, kAccess, kHow, sram_, offset) == MAP_FAILED) {
    return false;
  }
  if (alias_offset_ != 0 && mmap(cached + alias_offset_, config::kPageBytes, kAccess, kHow, sram_,
                                 offset) == MAP_FAILED) {
    unmap(page);
    return false;
  }
  return true;
}

void HostPort::unmap(Page page) {
  std::byte* cached = window_ + std::size_t{number(page)} * config::kPageBytes;
  constexpr int kHow = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED;
  for (std::byte* address : {cached, cached + alias_offset_}) {
    // Replacing a mapping in place can only fail for want of kernel memory: nothing to go on with.
    if (mmap(address, config::kPageBytes, PROT_NONE, kHow, -1, 0) == MAP_FAILED) {
      std::perror("modmem: taking the access to a simulated page away");
      std::abort();
    }
  }
}

bool HostPort::set_bank_power(Bank bank, bool on) {
  BankState& state = banks_.at(number(bank));
  if (on && state.broken) {
    return false;
  }
  state.on = on;
  if (!on || kind_ == Kind::l3) {
    return true;
  }
  const std::size_t pool_bytes = config_.sram_bytes - config_.reserve_bytes;
  const std::size_t bank_start = std::size_t{number(bank)} * config_.bank_bytes;
  const std::size_t begin = bank_start - std::min(bank_start, first_bank_offset_);
  const std::size_t end =
      std::min(bank_start + config_.bank_bytes - first_bank_offset_, pool_bytes);
  const std::vector<std::byte> lost(end - begin, kLostContent);
  const ssize_t written = pwrite(sram_, lost.data(), lost.size(), static_cast<off_t>(begin));
  return written == static_cast<ssize_t>(lost.size());
}

void HostPort::power_cycle() {
  const auto pages = static_cast<std::uint32_t>(window_bytes_ / config::kPageBytes);
  for (std::uint32_t page = 0; page < pages; ++page) {
    unmap(Page{static_cast<std::uint16_t>(page)});
  }
  for (BankState& bank : banks_) {
    bank.on = false;
  }
  if (low_power_ != nullptr) {
    low_power_->power_cycle();
  }
  if (l3_ != nullptr) {
    l3_->power_cycle();
  }
}

void HostPort::cache_writeback(std::byte*, std::size_t) {
  // The host's caches are coherent.
}

void HostPort::cache_invalidate(std::byte*, std::size_t bytes) { invalidated_bytes_ += bytes; }

std::uintptr_t HostPort::thread_id() const {
  // The address of a thread's own variable is as good as a number, and never zero.
  return reinterpret_cast<std::uintptr_t>(&this_core);
}

std::uint32_t HostPort::core_id() const { return this_core; }

bool HostPort::on_audio_path() const { return AudioPathScope::active(); }

std::uint64_t HostPort::time_us() const {
  using std::chrono::duration_cast;
  using std::chrono::microseconds;
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(duration_cast<microseconds>(now).count());
}

void HostPort::log(LogLevel level, const char* line) {
  static constexpr const char* kNames[] = {"error", "warning", "info", "debug"};
  std::fprintf(stderr, "modmem: %s: %s\n", kNames[static_cast<int>(level)], line);
}

AudioPathScope::AudioPathScope() { ++audio_path_depth; }
AudioPathScope::~AudioPathScope() { --audio_path_depth; }
bool AudioPathScope::active() { return audio_path_depth > 0; }

void set_host_core(std::uint32_t core) { this_core = core; }

}  // namespace modmem
