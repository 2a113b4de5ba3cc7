// QEMU's sim machine with an Xtensa dc232b.
#include "firmware/board.hpp"
#include "modmem/presets.hpp"
#include "port/xtensa/machine.hpp"
#include "port/xtensa/xtensa_port.hpp"

namespace modmem::firmware {

namespace {

constexpr std::uintptr_t kPool = std::uintptr_t{4} << 20;  // physical
constexpr std::uintptr_t kWindow = 0x20000000;
constexpr std::uintptr_t kUncached = 0x30000000;
constexpr std::size_t kMetadataBytes = std::size_t{128} * 1024;
constexpr std::uint32_t kHertz = 10000000;

alignas(16) std::byte metadata[kMetadataBytes];
XtensaPort port;
TrapHandler trap_handler = nullptr;

}  // namespace

PlatformConfig board_platform() {
  PlatformConfig config = config::kDefaultPlatform;
  config.cores = 1;
  config.lp_sram_bytes = 0;
  config.l3_bytes = 0;
  return config;
}

Port& start_board(const PlatformConfig& config, TrapHandler on_trap) {
  trap_handler = on_trap;
  xtensa::set_fault_reporter([](const xtensa::Fault& fault) {
    trap_handler({fault.kind, fault.pc, fault.has_address, fault.address});
  });
  port.start(kPool, kWindow, kUncached, config, kHertz);
  return port;
}

std::span<std::byte> metadata_place() { return metadata; }

std::uint64_t instructions() { return xtensa::long_cycles(); }

void write(const char* text) { xtensa::write(text); }

void exit_program(int status) { xtensa::exit_program(status); }

}  // namespace modmem::firmware
