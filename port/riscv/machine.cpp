#include "port/riscv/machine.hpp"

#include "base/check.hpp"
#include "port/riscv/page_table.hpp"

extern "C" {
int main();
std::uint32_t modmem_forgotten = 0;  // requests that other harts have answered
}

namespace modmem::riscv {

namespace {

// Devices of the machine.
constexpr std::uintptr_t kSerial = 0x10000000;
constexpr std::uintptr_t kSerialStatus = 5;
constexpr std::uint8_t kCanWrite = 0x20;
constexpr std::uintptr_t kTestDevice = 0x100000;
constexpr std::uint32_t kPass = 0x5555;
constexpr std::uint32_t kFail = 0x3333;
constexpr std::uintptr_t kSoftwareInterrupts = 0x2000000;  // of the CLINT, a word a hart

constexpr const char* kTraps[] = {"instruction address misaligned",
                                  "instruction access fault",
                                  "illegal instruction",
                                  "breakpoint",
                                  "load address misaligned",
                                  "load access fault",
                                  "store address misaligned",
                                  "store access fault",
                                  "call from user mode",
                                  "call from supervisor mode",
                                  "reserved",
                                  "call from machine mode",
                                  "instruction page fault",
                                  "load page fault",
                                  "reserved",
                                  "store page fault"};

// A bit for each of them whose stval is the address of the access.
constexpr std::uint64_t kWithAddress = 0xb0f3;

template <typename Register>
volatile Register& at(std::uintptr_t address) {
  return *reinterpret_cast<volatile Register*>(address);
}

FaultReporter fault_reporter = nullptr;
using Function = void (*)();
Function other_function = nullptr;
bool other_runs = false;

}  // namespace

void write(const char* text) {
  for (; *text != '\0'; ++text) {
    while ((at<std::uint8_t>(kSerial + kSerialStatus) & kCanWrite) == 0) {
    }
    at<std::uint8_t>(kSerial) = static_cast<std::uint8_t>(*text);
  }
}

void exit_program(int status) {
  for (;;) {
    at<std::uint32_t>(kTestDevice) =
        status == 0 ? kPass : static_cast<std::uint32_t>(status) << 16 | kFail;
  }
}

std::uint64_t ticks() {
  std::uint64_t value = 0;
  asm volatile("rdtime %0" : "=r"(value));
  return value;
}

std::uint64_t instructions() {
  std::uint64_t value = 0;
  asm volatile("rdinstret %0" : "=r"(value));
  return value;
}

std::uint32_t hart() {
  std::uint64_t value = 0;
  asm volatile("mv %0, tp" : "=r"(value));
  return static_cast<std::uint32_t>(value);
}

void set_fault_reporter(FaultReporter reporter) { fault_reporter = reporter; }

void run_on_other_hart(void (*function)()) {
  MODMEM_ASSERT(other_function == nullptr);
  __atomic_store_n(&other_runs, true, __ATOMIC_RELAXED);
  __atomic_store_n(&other_function, function, __ATOMIC_RELEASE);
  // The request wakes the hart. Its answer is waited for, so that it is not taken for a later
  // one's.
  forget_on_other_hart();
}

bool is_other_hart_running() { return __atomic_load_n(&other_runs, __ATOMIC_ACQUIRE); }

void forget_on_other_hart() {
  const std::uint32_t before = __atomic_load_n(&modmem_forgotten, __ATOMIC_ACQUIRE);
  asm volatile("fence rw, orw" ::: "memory");  // entries before the request, which is a device's
  const std::uintptr_t other = hart() == 0 ? 1 : 0;
  at<std::uint32_t>(kSoftwareInterrupts + 4 * other) = 1;
  while (__atomic_load_n(&modmem_forgotten, __ATOMIC_ACQUIRE) == before) {
  }
}

extern "C" {

[[noreturn]] void modmem_main() { exit_program(main()); }

[[noreturn]] void modmem_other_main() {
  const Function function = __atomic_load_n(&other_function, __ATOMIC_ACQUIRE);
  PageTable::use_active();
  function();
  __atomic_store_n(&other_runs, false, __ATOMIC_RELEASE);
  for (;;) {
    asm volatile("wfi");
  }
}

[[noreturn]] void modmem_on_trap(std::uint64_t cause, std::uintptr_t pc, std::uintptr_t address) {
  const char* kind = cause < sizeof(kTraps) / sizeof(kTraps[0]) ? kTraps[cause] : "interrupt";
  if (fault_reporter != nullptr) {
    const bool has_address = cause < 64 && (kWithAddress >> cause & 1U) != 0;
    fault_reporter({kind, pc, has_address, address, hart()});
  }
  write("a fault that nobody reports\n");
  exit_program(3);
}
}

}  // namespace modmem::riscv
