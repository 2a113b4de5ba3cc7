#include "port/xtensa/machine.hpp"

#include "port/xtensa/translation.hpp"

extern "C" int main();

namespace modmem::xtensa {

namespace {

constexpr int kExit = 1;
constexpr int kWrite = 4;
constexpr int kStandardOutput = 1;

// EXCCAUSE: "Xtensa Instruction Set Architecture Reference Manual", 4.4.1.
constexpr std::uint32_t kDataMiss = 24;
// A bit for each cause whose EXCVADDR is the address of the access: 3, 9, 12 to 18, 20, 24 to 29.
constexpr std::uint32_t kWithAddress = 0x3f17f208;

// PS: interrupts off, but not EXCM.
constexpr std::uint32_t kNoInterrupts = 15;

FaultReporter fault_reporter = nullptr;

int call_host(int operation, std::uint32_t a, std::uint32_t b, std::uint32_t c) {
  register int a2 asm("a2") = operation;
  register std::uint32_t a3 asm("a3") = a;
  register std::uint32_t a4 asm("a4") = b;
  register std::uint32_t a5 asm("a5") = c;
  asm volatile("simcall" : "+r"(a2), "+r"(a3) : "r"(a4), "r"(a5) : "memory");
  return a2;
}

const char* name_of(std::uint32_t cause) {
  switch (cause) {
    case 0:
      return "IllegalInstruction";
    case 3:
      return "LoadStoreError";
    case 6:
      return "IntegerDivideByZero";
    case 9:
      return "LoadStoreAlignment";
    case 16:
      return "InstTLBMiss";
    case 20:
      return "InstFetchProhibited";
    case 24:
      return "LoadStoreTLBMiss";
    case 28:
      return "LoadProhibited";
    case 29:
      return "StoreProhibited";
    default:
      return "exception";
  }
}

}  // namespace

void write(const char* text) {
  std::uint32_t length = 0;
  while (text[length] != '\0') {
    ++length;
  }
  call_host(kWrite, kStandardOutput, reinterpret_cast<std::uintptr_t>(text), length);
}

void exit_program(int status) {
  for (;;) {
    call_host(kExit, static_cast<std::uint32_t>(status), 0, 0);
  }
}

std::uint32_t cycles() {
  std::uint32_t value = 0;
  asm volatile("rsr.ccount %0" : "=r"(value));
  return value;
}

std::uint64_t long_cycles() {
  static std::uint64_t counted = 0;
  const std::uint32_t now = cycles();
  counted += static_cast<std::uint32_t>(now - static_cast<std::uint32_t>(counted));
  return counted;
}

void set_fault_reporter(FaultReporter reporter) { fault_reporter = reporter; }

extern "C" {

[[noreturn]] void modmem_main() { exit_program(main()); }

void modmem_on_exception(std::uint32_t cause, std::uintptr_t pc, std::uintptr_t address) {
  if (cause == kDataMiss && Translation::refill(address)) {
    return;
  }
  if (fault_reporter != nullptr) {
    // Exceptions are taken again, as the report may look at what lies in the window.
    asm volatile("wsr.ps %0\n rsync" ::"r"(kNoInterrupts) : "memory");
    const bool has_address = cause < 32 && (kWithAddress >> cause & 1U) != 0;
    fault_reporter({cause, name_of(cause), pc, has_address, address});
  }
  write("an exception that nobody reports\n");
  exit_program(3);
}
}

}  // namespace modmem::xtensa
