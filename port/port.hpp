// Port: the few things that the library needs from a platform.
//
// A port is an object of a class derived from Port, given at boot and alive as long as the Memory
// that uses it. The library calls it from the context of its own caller; no function may allocate
// from modmem. Mapping and bank power are called under Memory's lock, so they need no lock of their
// own. Porting guide: docs/porting.md.
//
// Vocabulary: a *page* is an index into the virtual window, a *frame* an index into the pool's
// SRAM. On a platform without an MMU the window is the pool, page = frame, and map()/unmap() have
// nothing to translate (a port may still use them to open and close the memory to access).
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/check.hpp"
#include "port/block_view.hpp"
#include "port/platform_config.hpp"

namespace modmem {

// A virtual page and a physical frame, as distinct types: mixing them up is an error at compile
// time.
enum class Page : std::uint16_t {};
enum class Frame : std::uint16_t {};
enum class Bank : std::uint16_t {};

constexpr std::uint16_t number(Page page) { return static_cast<std::uint16_t>(page); }
constexpr std::uint16_t number(Frame frame) { return static_cast<std::uint16_t>(frame); }
constexpr std::uint16_t number(Bank bank) { return static_cast<std::uint16_t>(bank); }

// What may be done with what lies in a mapped page, more with each.
enum class Access : std::uint8_t { closed, read_only, open };

enum class LogLevel : std::uint8_t { error, warning, info, debug };

class Port {
 public:
  // Address of the first byte of the window: page 0, cached alias. Constant after boot,
  // page-aligned.
  virtual std::byte* window() const = 0;

  // uncached address = cached address + alias_offset(). Zero where the platform has no alias, else
  // a multiple of a power of two no smaller than the window: blocks are aligned through both alike.
  virtual std::ptrdiff_t alias_offset() const = 0;

  // Maps `page` of the window, through both aliases, to `frame`; the content is whatever the frame
  // holds. Returns false, and leaves the page unmapped, where the platform could not. Requires that
  // the page is unmapped and that the frame's bank is powered.
  virtual bool map(Page page, Frame frame) = 0;

  // Takes the mapping of `page` away, cached lines of it included. Cannot fail.
  virtual void unmap(Page page) = 0;

  // Lays the frame `to` under `page` in place of `from`, through both aliases. Returns false, with
  // the page on `from` as before, where the platform could not. Requires that the page is mapped to
  // `from`, that both frames hold the same content, that `to` lies under no page and its bank is
  // powered, and that no cache holds a dirty line of the page. What is here is for platforms whose
  // map() does not fail; others need their own.
  virtual bool remap(Page page, Frame from, Frame to) {
    unmap(page);
    const bool done = map(page, to);
    if (!done && !map(page, from)) {
      check_failed("a page that was mapped can be mapped again", __FILE__, __LINE__);
    }
    return done;
  }

  // Whether set_access() can close pages. Constant after boot.
  virtual bool can_close_pages() const { return false; }

  // Closes a mapped page, through both aliases and for all cores: accesses end in a fault, as those
  // to a page that is not mapped, but it keeps its frame and its content. Or has it read only, with
  // a fault for whoever writes, or opens it again. map() and remap() leave the page open. Cannot
  // fail. Not called where pages can't be closed.
  virtual void set_access(Page /*page*/, Access /*access*/) {}

  // Has [start, start + bytes), memory outside of the window that the library keeps its own state
  // in, be read-only to everybody, or writable again: as far as whole pages of the processor's
  // protection lie in it. Nothing where the platform can't, as here.
  virtual void set_writable(std::byte* /*start*/, std::size_t /*bytes*/, bool /*writable*/) {}

  // Switches a bank on or off; returns when the bank is ready. Off loses the content. Switching off
  // cannot fail; switching on returns false where the hardware refuses.
  virtual bool set_bank_power(Bank bank, bool on) = 0;

  // Cache maintenance on the cached addresses [address, address + bytes), both multiples of the
  // line.
  virtual void cache_writeback(std::byte* address, std::size_t bytes) = 0;
  virtual void cache_invalidate(std::byte* address, std::size_t bytes) = 0;

  // The lock around all of Memory's state. Not recursive. Never held across a call out of the
  // library other than those of this interface.
  virtual void lock() = 0;
  virtual void unlock() = 0;

  // Identity of the calling thread (non-zero) and core, for checks and reports.
  virtual std::uintptr_t thread_id() const = 0;
  virtual std::uint32_t core_id() const = 0;

  // True where the caller is on the audio path (the low-latency thread, an interrupt), which must
  // not allocate: Memory counts such calls.
  virtual bool on_audio_path() const = 0;

  // Monotonic time in microseconds, for traces.
  virtual std::uint64_t time_us() const = 0;

  // One line of log, without its end of line.
  virtual void log(LogLevel level, const char* line) = 0;

  // The memories beside the SRAM, each a port without an MMU whose window is that memory (page =
  // frame; of its functions only those of windows, mapping, banks and caches are called). nullptr
  // where the platform has no such memory. Constant after boot; they live as long as this port.
  // Low-power SRAM is one bank, which loses its content when it is off. L3 keeps its content while
  // the rest of the DSP is without power; its power is not switched: set_bank_power() does nothing
  // and returns true.
  virtual Port* low_power() { return nullptr; }
  virtual Port* l3() { return nullptr; }

  // What blocks look like to their users; nullptr: as they are. Constant after boot, and the same
  // in a port and in those of its memories beside the SRAM.
  virtual BlockView* blocks() { return nullptr; }

 protected:
  // Never deleted through this class: the library owns no port.
  ~Port() = default;
};

// Holds the port's lock for a scope.
class LockGuard {
 public:
  explicit LockGuard(Port& port) : port_(port) { port_.lock(); }
  ~LockGuard() { port_.unlock(); }
  LockGuard(const LockGuard&) = delete;
  LockGuard& operator=(const LockGuard&) = delete;

 private:
  Port& port_;
};

}  // namespace modmem
