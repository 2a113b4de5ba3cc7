// HostPort: a simulated platform on a Linux host, with real mappings, real faults and real bank
// power.
//
// SRAM is an anonymous file in memory (memfd); the window and its uncached alias are reserved
// address space without access. Mapping a page maps its frame of the file at both addresses;
// unmapping takes the access away, so that a stray access faults, and is reported with what is
// known about the address. A bank that powers off loses its content: when it comes up again it is
// filled with kLostContent. Low-power SRAM and L3 are simulated in the same way, L3 without losing
// anything. Without an MMU page = frame and the alias is absent, but access follows
// mapping all the same. In builds with AddressSanitizer what is mapped and not in use is poisoned
// (AsanBlocks).
//
// Cost: a system call or two for each page mapped or unmapped. Linux only. Needs the C library
// only, but for the constructor that throws, which is in a library of its own.
#pragma once

#include "port/host/simulated_memory.hpp"
#include "port/port_concept.hpp"
#include "port/posix/asan_blocks.hpp"
#include "port/posix/posix_port.hpp"

namespace modmem {

class HostPort final : public SimulatedMemory {
 public:
  HostPort() = default;

  // Opens the port. Throws std::system_error where the host does not give the memories. Defined in
  // modmem_port_host.
  explicit HostPort(const PlatformConfig& config);

  ~HostPort() { close(); }

  // Reserves the address space and creates the memories of `config`. Returns false where the host
  // does not give them: then failure() says what, errno why, and the port stays closed. Requires
  // that it is closed.
  bool open(const PlatformConfig& config);

  // Gives them back. The Memory on this port, if there is one, is not to be used any more. Allowed
  // at any time.
  void close();

  // Has `view` told of all blocks in all of its memories: what blocks() was before is what `view`
  // has to pass them on to. After open() and before the boot.
  void set_block_view(BlockView* view) {
    set_view(view);
    low_power_.set_view(view);
    l3_.set_view(view);
  }

  // What open() could not do.
  const char* failure() const { return failure_; }

  // Out of line: where the first of them is, the table of virtual functions is, and it has to be
  // with those of the bases, in a library without run-time type information.
  Port* low_power() override;
  Port* l3() override;

  // Right before fork() and, in both processes, right after it, which then have a memory each: see
  // AliasedMemory. The lock is held in between, so that the child finds it free. Requires an open
  // port.
  void before_fork();
  void after_fork(bool is_child);

  // What a power cycle of the DSP does: all mappings go, all banks are off, and the contents of
  // SRAM and low-power SRAM are lost; L3 keeps its own. The Memory that ran on this port is not to
  // be used any more, not even shut down: the next one boots.
  void power_cycle();

 private:
  AsanBlocks blocks_;
  SimulatedMemory low_power_;
  SimulatedMemory l3_;
  const char* failure_ = "";
};

MODMEM_ASSERT_PORT(HostPort);

}  // namespace modmem
