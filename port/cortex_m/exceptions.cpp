#include "port/cortex_m/exceptions.hpp"

#include "port/cortex_m/memory_guard.hpp"
#include "port/cortex_m/semihosting.hpp"

// From the linker script.
extern "C" {
extern std::uint32_t modmem_data_begin[];
extern std::uint32_t modmem_data_end[];
extern const std::uint32_t modmem_data_image[];  // NOLINT(readability-identifier-naming): a symbol
extern std::uint32_t modmem_bss_begin[];
extern std::uint32_t modmem_bss_end[];
extern std::uint32_t modmem_stack_end[];
int main();
}

namespace modmem::cortex_m {

namespace {

// What the processor puts on the stack when it takes an exception.
struct Frame {
  std::uint32_t r0, r1, r2, r3, r12, lr, pc, psr;
};

struct SystemControl {
  std::uint32_t fault_status;       // CFSR
  std::uint32_t hard_fault_status;  // HFSR
  std::uint32_t debug_fault_status;
  std::uint32_t memory_fault_address;  // MMFAR
  std::uint32_t bus_fault_address;     // BFAR
};
volatile SystemControl& control() { return *reinterpret_cast<volatile SystemControl*>(0xE000ED28); }
constexpr std::uint32_t kMemoryAddressValid = 1U << 7;
constexpr std::uint32_t kBusAddressValid = 1U << 15;
constexpr std::uint32_t kDataAccess = 1U << 1;  // MMFSR.DACCVIOL
constexpr std::uint32_t kMemoryFaultStatus = 0xff;

struct SysTick {
  std::uint32_t control;
  std::uint32_t reload;
  std::uint32_t current;
};
volatile SysTick& systick() { return *reinterpret_cast<volatile SysTick*>(0xE000E010); }
volatile std::uint32_t& interrupt_control() {
  return *reinterpret_cast<volatile std::uint32_t*>(0xE000ED04);
}
volatile std::uint8_t& tick_priority() {
  return *reinterpret_cast<volatile std::uint8_t*>(0xE000ED23);
}
constexpr std::uint8_t kLeastUrgent = 0xff;
constexpr std::uint32_t kTickPending = 1U << 26;
constexpr std::uint32_t kTickMost = 0xffffff;
constexpr std::uint32_t kOnWithInterrupt = 7;  // counts the processor's clock

FaultReporter fault_reporter = nullptr;
AccessHandler access_handler = nullptr;
void* access_context = nullptr;
volatile std::uint32_t wraps = 0;
std::uint32_t cycles_per_us = 1;

[[noreturn]] void stop(const Fault& fault) {
  if (fault_reporter != nullptr) {
    MemoryGuard::open_all();  // a fault in here would be one too many
    fault_reporter(fault);
  }
  write("a fault that nobody reports\n");
  exit_program(3);
}

}  // namespace

void set_fault_reporter(FaultReporter reporter) { fault_reporter = reporter; }

void set_access_handler(AccessHandler handler, void* context) {
  access_context = context;
  access_handler = handler;
}

void start_clock(std::uint32_t hertz) {
  cycles_per_us = hertz / 1000000;
  wraps = 0;
  systick().reload = kTickMost;
  systick().current = 0;
  tick_priority() = kLeastUrgent;
  systick().control = kOnWithInterrupt;
}

std::uint64_t clock_cycles() {
  std::uint32_t masked = 0;
  asm volatile("mrs %0, primask\n cpsid i" : "=r"(masked)::"memory");
  std::uint32_t left = systick().current;
  std::uint64_t high = wraps;
  if ((interrupt_control() & kTickPending) != 0) {
    left = systick().current;  // it has wrapped, before or after it was read
    ++high;
  }
  asm volatile("msr primask, %0" ::"r"(masked) : "memory");
  return high * (kTickMost + 1ULL) + (kTickMost - left);
}

std::uint64_t clock_us() { return clock_cycles() / cycles_per_us; }

extern "C" {

[[noreturn]] void modmem_reset() {
  const std::uint32_t* from = modmem_data_image;
  for (std::uint32_t* to = modmem_data_begin; to != modmem_data_end; ++to, ++from) {
    *to = *from;
  }
  for (std::uint32_t* at = modmem_bss_begin; at != modmem_bss_end; ++at) {
    *at = 0;
  }
  exit_program(main());
}

void modmem_on_tick() { wraps = wraps + 1; }

void modmem_on_memory_fault(const Frame* frame) {
  const std::uint32_t status = control().fault_status;
  const std::uint32_t address = control().memory_fault_address;
  const bool has_address = (status & kMemoryAddressValid) != 0;
  if (has_address && (status & kDataAccess) != 0 && access_handler != nullptr &&
      access_handler(access_context, address)) {
    control().fault_status = kMemoryFaultStatus;  // ones clear
    return;
  }
  stop({"MemManage", frame->pc, has_address, address});
}

[[noreturn]] void modmem_on_fault(const Frame* frame, const char* kind) {
  const bool bus = (control().fault_status & kBusAddressValid) != 0;
  stop({kind, frame->pc, bus, control().bus_fault_address});
}

// The frame is on the stack that was in use, the main one throughout.
[[gnu::naked]] void modmem_memory_fault() { asm volatile("mov r0, sp\n b modmem_on_memory_fault"); }
[[gnu::naked]] void modmem_hard_fault() {
  asm volatile("mov r0, sp\n ldr r1, =modmem_hard_fault_name\n b modmem_on_fault");
}
[[gnu::naked]] void modmem_bus_fault() {
  asm volatile("mov r0, sp\n ldr r1, =modmem_bus_fault_name\n b modmem_on_fault");
}
[[gnu::naked]] void modmem_usage_fault() {
  asm volatile("mov r0, sp\n ldr r1, =modmem_usage_fault_name\n b modmem_on_fault");
}
// Symbols, as the assembly names them.
// NOLINTBEGIN(readability-identifier-naming)
[[gnu::used]] extern const char modmem_hard_fault_name[] = "HardFault";
[[gnu::used]] extern const char modmem_bus_fault_name[] = "BusFault";
[[gnu::used]] extern const char modmem_usage_fault_name[] = "UsageFault";

using Handler = void (*)();

struct Vectors {
  std::uint32_t* stack_end;
  Handler handlers[15];
};
[[gnu::used, gnu::section(".vectors")]] extern const Vectors modmem_vectors = {
    modmem_stack_end,
    {modmem_reset, modmem_hard_fault, modmem_hard_fault, modmem_memory_fault, modmem_bus_fault,
     modmem_usage_fault, nullptr, nullptr, nullptr, nullptr, modmem_hard_fault, modmem_hard_fault,
     nullptr, modmem_hard_fault, modmem_on_tick}};
// NOLINTEND(readability-identifier-naming)
}

}  // namespace modmem::cortex_m
