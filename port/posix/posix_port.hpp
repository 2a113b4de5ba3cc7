// PosixPort: what all ports on a POSIX host have in common - lock, threads, time and log.
//
// Threads stand for the cores and the audio path: each says itself which core it is and whether it
// is on the audio path. Needs the C library only. Linux.
#pragma once

#include <pthread.h>

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "port/port.hpp"

namespace modmem {

// Is told of the lock, and holds it meanwhile.
class LockWatch {
 public:
  // Right after it was taken, and right before it is given back.
  virtual void on_lock() = 0;
  virtual void on_unlock() = 0;

 protected:
  ~LockWatch() = default;
};

class PosixPort : public Port {
 public:
  // What simulated SRAM holds when its power comes back.
  static constexpr std::byte kLostContent{0xdb};

  // Gets one line, without its end of line.
  using LogSink = void (*)(void* context, LogLevel level, const char* line);

  PosixPort(const PosixPort&) = delete;
  PosixPort& operator=(const PosixPort&) = delete;

  void lock() override;
  void unlock() override;
  std::uintptr_t thread_id() const override;
  std::uint32_t core_id() const override;
  // nullptr: nobody. Not while another thread may take the lock.
  void set_lock_watch(LockWatch* watch) { watch_ = watch; }
  // Whether the calling thread holds the lock: for those who would end what it does half-way.
  bool holds_lock() const { return holder_.load(std::memory_order_relaxed) == thread_id(); }
  bool on_audio_path() const override;
  std::uint64_t time_us() const override;
  void log(LogLevel level, const char* line) override;
  // With a system call; ends the program where the host does not let it.
  void set_writable(std::byte* start, std::size_t bytes, bool writable) override;

  // From now on time is what is set, for simulations whose time is not the host's. Must not go
  // back.
  void set_time_us(std::uint64_t time) { set_time_us_.store(time, std::memory_order_relaxed); }

  // Called from now on, on its thread and with the lock held, for each call on the audio path that
  // Memory counts; nullptr: nothing. For all ports. Not while somebody is on the audio path.
  static void set_audio_path_hook(void (*hook)());

  // Lines go to `sink` from now on, which is called with `context`; nullptr: to stderr again, as
  // "modmem: LEVEL: LINE". Not while another thread may log.
  void set_log_sink(LogSink sink, void* context);

 protected:
  PosixPort() = default;
  ~PosixPort();

 private:
  pthread_mutex_t mutex_ = PTHREAD_MUTEX_INITIALIZER;
  std::atomic<std::uintptr_t> holder_{0};
  LockWatch* watch_ = nullptr;
  static constexpr std::uint64_t kRealTime = UINT64_MAX;
  std::atomic<std::uint64_t> set_time_us_{kRealTime};  // read with and without the lock
  LogSink sink_ = nullptr;
  void* sink_context_ = nullptr;
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

  // The same where there is no scope: as often left as entered.
  static void enter();
  static void leave();
};

// Sets which simulated core the calling thread is.
void set_host_core(std::uint32_t core);

}  // namespace modmem
