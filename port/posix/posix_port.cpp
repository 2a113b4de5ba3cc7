#include "port/posix/posix_port.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <ctime>

#include "base/bits.hpp"

namespace modmem {

namespace {

thread_local int audio_path_depth = 0;
thread_local std::uint32_t this_core = 0;
std::atomic<void (*)()> audio_path_hook{nullptr};

}  // namespace

PosixPort::~PosixPort() { pthread_mutex_destroy(&mutex_); }

void PosixPort::lock() {
  pthread_mutex_lock(&mutex_);
  holder_.store(thread_id(), std::memory_order_relaxed);
  if (watch_ != nullptr) {
    watch_->on_lock();
  }
}

void PosixPort::unlock() {
  if (watch_ != nullptr) {
    watch_->on_unlock();
  }
  holder_.store(0, std::memory_order_relaxed);
  pthread_mutex_unlock(&mutex_);
}

std::uintptr_t PosixPort::thread_id() const {
  // The address of a thread's own variable is as good as a number, and never zero.
  return reinterpret_cast<std::uintptr_t>(&this_core);
}

std::uint32_t PosixPort::core_id() const { return this_core; }

bool PosixPort::on_audio_path() const {
  if (!AudioPathScope::active()) {
    return false;
  }
  if (auto* hook = audio_path_hook.load(std::memory_order_acquire)) {
    hook();
  }
  return true;
}

void PosixPort::set_audio_path_hook(void (*hook)()) {
  audio_path_hook.store(hook, std::memory_order_release);
}

std::uint64_t PosixPort::time_us() const {
  const std::uint64_t set = set_time_us_.load(std::memory_order_relaxed);
  if (set != kRealTime) {
    return set;
  }
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000 +
         static_cast<std::uint64_t>(now.tv_nsec) / 1'000;
}

void PosixPort::log(LogLevel level, const char* line) {
  if (sink_ != nullptr) {
    sink_(sink_context_, level, line);
    return;
  }
  static constexpr const char* kNames[] = {"error", "warning", "info", "debug"};
  std::fprintf(stderr, "modmem: %s: %s\n", kNames[static_cast<int>(level)], line);
}

void PosixPort::set_writable(std::byte* start, std::size_t bytes, bool writable) {
  static const auto kPage = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  const auto from = reinterpret_cast<std::uintptr_t>(start);
  const std::size_t before = align_up(from, kPage) - from;
  const std::size_t whole = bytes > before ? align_down(bytes - before, kPage) : 0;
  if (whole != 0 &&
      mprotect(start + before, whole, writable ? PROT_READ | PROT_WRITE : PROT_READ) != 0) {
    std::perror("modmem: having the library's own memory read-only, or writable again");
    std::abort();
  }
}

void PosixPort::set_log_sink(LogSink sink, void* context) {
  sink_ = sink;
  sink_context_ = context;
}

AudioPathScope::AudioPathScope() { enter(); }
AudioPathScope::~AudioPathScope() { leave(); }
void AudioPathScope::enter() { ++audio_path_depth; }
void AudioPathScope::leave() { --audio_path_depth; }
bool AudioPathScope::active() { return audio_path_depth > 0; }

void set_host_core(std::uint32_t core) { this_core = core; }

}  // namespace modmem
