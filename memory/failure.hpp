// Failure and Fault: what went wrong, as data.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/line.hpp"
#include "heap/heap.hpp"
#include "memory/intent.hpp"
#include "memory/owner.hpp"
#include "memory/record.hpp"

namespace modmem {

// Why frames could not be guaranteed, or not be had as others have guarantees. In frames:
// asked > total - guaranteed - held.
struct GuaranteeFigures {
  std::uint32_t asked = 0;       // 0: the failure is not about guarantees
  std::uint32_t metadata = 0;    // of these, for metadata
  std::uint32_t guaranteed = 0;  // to others, beyond what they hold
  std::uint32_t held = 0;        // by whomever
  std::uint32_t total = 0;       // of the pool, or of the guarantee that it would be a part of
  const char* within = nullptr;  // whose guarantee that is; nullptr: the pool
};

// "asked 44 frames (4 for metadata), guaranteed to others 600 frames, held 30 frames, pool 640
// frames", with an end, cut off where it does not fit; "" where nothing was asked. Returns the
// length.
std::size_t to_text(const GuaranteeFigures& figures, std::span<char> text);

// A request that could not be served. The figures are those of the moment of the failure.
struct Failure {
  static constexpr std::size_t kTopOwners = 5;
  struct TopOwner {
    OwnerKind kind = OwnerKind::system;
    std::uint32_t id = 0;
    const char* name = "";
    std::size_t bytes = 0;  // charged to this very owner
  };

  OwnerKind owner_kind = OwnerKind::system;
  std::uint32_t owner_id = 0;
  const char* owner_name = "";
  Flags flags = 0;
  std::size_t bytes = 0;
  std::size_t alignment = 0;  // as it was after the policy's rules
  Site site;
  FailureReason reason = FailureReason::none;
  std::size_t free_bytes = 0;  // what this request could have used at best
  std::size_t largest_request =
      0;  // bytes that the same owner could get now, same flags and alignment
  GuaranteeFigures guarantee;
  std::array<TopOwner, kTopOwners> top_owners;
  std::size_t top_count = 0;
};

enum class FaultKind : std::uint8_t {
  pointer,           // a pointer that was given back and was none of ours, or not any more
  overrun,           // bytes behind a block were written: guards (memory/hardening.hpp)
  write_after_free,  // a block was written after its free: quarantine
};

// What a module did that it must not; or (`damaged`) what restore_l3() found damaged: a block, or
// the header of all that was saved.
struct Fault {
  const void* pointer = nullptr;  // what was given back, or the block that was overrun
  PointerStatus status = PointerStatus::foreign;
  const char* heap = "";  // the heap that it lies in, "" for none
  OwnerKind owner_kind = OwnerKind::system;
  std::uint32_t owner_id = 0;  // who that heap belongs to, or who tried; of damage, whose block
  const char* owner_name = "";
  FaultKind kind = FaultKind::pointer;
  // The block, where it is known: of what was written, of a pointer that waits in quarantine, and
  // of a damaged one, whose owner, with a name that is not known any more, is the one that it had.
  std::size_t bytes = 0;  // as asked for; 0: not known
  Site site;              // where it was taken
  Site freed_at;          // where it was freed, if that is known
  // What was written: `length` bytes from the first wrong one to the last, `offset` bytes behind
  // the start of the block.
  std::size_t offset = 0;
  std::size_t length = 0;
};

// Appends "overrun: 4 bytes behind a block of 100 bytes of module gain (id 0x10001), in heap music"
// or "write after free: 4 bytes, 16 bytes into a block of ..." to `line`; nothing of faults of
// pointers. Where the block was taken and freed is left to who can name code addresses.
Line& describe_damage(Line& line, const Fault& fault);
// What to do about it: "write within the block, or ask for more".
const char* advice(FaultKind kind);

// A block, or another thing that is given back, that outlived its owner.
struct Leak {
  OwnerKind owner_kind = OwnerKind::system;
  std::uint32_t owner_id = 0;
  const char* owner_name = "";
  std::size_t bytes = 0;
  std::size_t alignment = 0;
  Site site;
};

struct Request;

// Who wants to know. All functions but on_damage() are called under Memory's lock and must not call
// Memory.
class MemoryObserver {
 public:
  virtual void on_failure(const Failure& failure) = 0;
  // Of kind `pointer`.
  virtual void on_fault(const Fault& fault) = 0;
  // Of the other kinds: what hardening found in a call, on its thread, before the call returns,
  // with no lock held. Each damage is told of once.
  virtual void on_damage(const Fault& damage) { on_fault(damage); }
  virtual void on_leak(const Leak& leak) = 0;
  // Before each request for a block. False refuses it, for the reason `injected`: so tests reach
  // every path out of memory.
  virtual bool on_request(const Request& request) {
    static_cast<void>(request);
    return true;
  }

 protected:
  ~MemoryObserver() = default;
};

const char* to_string(FailureReason reason);
const char* to_string(PointerStatus status);
const char* to_string(OwnerKind kind);

}  // namespace modmem
