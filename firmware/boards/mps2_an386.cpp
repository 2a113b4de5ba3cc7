// QEMU's mps2-an386: a Cortex-M4 with 4 MiB for code and 4 MiB for data.
#include "firmware/board.hpp"
#include "modmem/presets.hpp"
#include "port/cortex_m/cortex_m_port.hpp"
#include "port/cortex_m/semihosting.hpp"

// From the linker script.
extern "C" std::byte modmem_metadata[];
extern "C" std::byte modmem_pool[];

namespace modmem::firmware {

namespace {

constexpr std::size_t kMegabyte = std::size_t{1} << 20;
constexpr std::uintptr_t kData = 0x20000000;
constexpr std::size_t kMetadataBytes = 32 * 1024;
constexpr std::uint32_t kHertz = 25000000;

[[gnu::section(".metadata"), gnu::aligned(16)]] std::byte metadata[kMetadataBytes];
CortexMPort port;
TrapHandler trap_handler = nullptr;

// With QEMU's -icount shift=6 an instruction takes 64 ns, and the clock ticks every 40. As it ticks
// more often than that, each of its readings is that of one instruction, once it is known how far
// into a tick the clock was started: in eighths of an instruction, one of these.
constexpr std::uint32_t kEighths = 8;
std::uint32_t clock_phase = 0;

constexpr std::uint64_t to_instructions(std::uint64_t ticks, std::uint32_t phase) {
  return (ticks * 5 + phase) / kEighths;
}

// The phase for which readings that are ever further apart, by as many instructions each time, are
// so in figures.
std::uint32_t find_phase() {
  constexpr std::uint32_t kReadings = 24;
  std::uint64_t readings[kReadings];
  for (std::uint32_t i = 0; i < kReadings; ++i) {
    readings[i] = cortex_m::clock_cycles();
    for (std::uint32_t wait = 0; wait < i; ++wait) {
      asm volatile("nop");
    }
  }
  for (std::uint32_t candidate = 0; candidate < kEighths; ++candidate) {
    const auto reading = [&](std::uint32_t i) { return to_instructions(readings[i], candidate); };
    const auto further = [&](std::uint32_t i) {
      return reading(i + 2) - reading(i + 1) - (reading(i + 1) - reading(i));
    };
    std::uint32_t i = 1;
    while (i + 2 < kReadings && further(i) == further(1)) {
      ++i;
    }
    if (i + 2 == kReadings) {
      return candidate;
    }
  }
  return 0;
}

}  // namespace

PlatformConfig board_platform() {
  PlatformConfig config = config::kDefaultPlatform;
  config.max_heaps = 16;
  config.max_owners = 64;
  config.max_sites = 64;
  config.metadata_bytes = 8192;
  return config;
}

Port& start_board(const PlatformConfig& config, TrapHandler on_trap) {
  trap_handler = on_trap;
  cortex_m::set_fault_reporter([](const cortex_m::Fault& fault) {
    trap_handler({fault.kind, fault.pc, fault.has_address, fault.address});
  });
  port.start({.code = 0,
              .code_bytes = kMegabyte,
              .data = kData,
              .data_bytes = kMegabyte,
              .metadata = reinterpret_cast<std::uintptr_t>(modmem_metadata),
              .metadata_bytes = kMetadataBytes,
              .pool = reinterpret_cast<std::uintptr_t>(modmem_pool),
              .pool_bytes = config.sram_bytes - config.reserve_bytes},
             config, kHertz);
  clock_phase = find_phase();
  return port;
}

std::span<std::byte> metadata_place() { return metadata; }

std::uint64_t instructions() { return to_instructions(cortex_m::clock_cycles(), clock_phase); }

void write(const char* text) { cortex_m::write(text); }

void exit_program(int status) { cortex_m::exit_program(status); }

}  // namespace modmem::firmware
