// QEMU's virt with 64-bit RISC-V harts.
#include "firmware/board.hpp"
#include "modmem/presets.hpp"
#include "port/riscv/machine.hpp"
#include "port/riscv/riscv_port.hpp"

// From the linker script.
extern "C" std::byte modmem_pool[];

namespace modmem::firmware {

namespace {

constexpr std::uintptr_t kDevices = 0;
constexpr std::size_t kDeviceBytes = std::size_t{0x10200000};
constexpr std::uintptr_t kImage = 0x80000000;
constexpr std::size_t kImageBytes = std::size_t{4} << 20;
constexpr std::uintptr_t kWindow = 0x40000000;
constexpr std::size_t kMetadataBytes = std::size_t{128} * 1024;

alignas(16) std::byte metadata[kMetadataBytes];
riscv::PageTable table;
RiscvPort port;
TrapHandler trap_handler = nullptr;

}  // namespace

PlatformConfig board_platform() {
  PlatformConfig config = config::kDefaultPlatform;
  config.cores = 2;
  config.lp_sram_bytes = 0;
  config.l3_bytes = 0;
  return config;
}

Port& start_board(const PlatformConfig& config, TrapHandler on_trap) {
  trap_handler = on_trap;
  riscv::set_fault_reporter([](const riscv::Fault& fault) {
    trap_handler({fault.kind, fault.pc, fault.has_address, fault.address});
  });
  table.add_identity(kDevices, kDeviceBytes, false);
  table.add_identity(kImage, kImageBytes, true);
  port.start(reinterpret_cast<std::uintptr_t>(modmem_pool), kWindow, table, config);
  return port;
}

std::span<std::byte> metadata_place() { return metadata; }

// With QEMU's -icount shift=6, it counts 64 for an instruction of any hart; the other one sleeps
// until it is called.
std::uint64_t instructions() { return riscv::instructions() / 64; }

void run_on_other_core(void (*function)()) { riscv::run_on_other_hart(function); }

bool is_other_core_running() { return riscv::is_other_hart_running(); }

void write(const char* text) { riscv::write(text); }

void exit_program(int status) { riscv::exit_program(status); }

}  // namespace modmem::firmware
