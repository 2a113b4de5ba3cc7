#include "firmware/traps.hpp"

#include "base/check.hpp"
#include "firmware/report.hpp"
#include "memory/stray_access.hpp"

namespace modmem {

namespace firmware {

namespace {

const Memory* known_memory = nullptr;

}  // namespace

void describe_traps_by(const Memory& memory) { known_memory = &memory; }

void report_trap(const Trap& trap) {
  print("# trap: ");
  print(trap.kind);
  print(" at pc ");
  print_hexadecimal(trap.pc);
  if (trap.has_address) {
    print(", address ");
    print_hexadecimal(trap.address);
    if (known_memory != nullptr) {
      Line line;
      const auto* address = reinterpret_cast<const void*>(trap.address);
      print(describe_stray_access(line << ", ", *known_memory, address).text());
    }
  }
  print("\n");
  exit_program(kTrapped);
}

}  // namespace firmware

void check_failed(const char* condition, const char* file, int line) {
  firmware::print("# check failed: ");
  firmware::print(condition);
  firmware::print(", ");
  firmware::print(file);
  firmware::print(":");
  firmware::print_decimal(static_cast<std::uint64_t>(line));
  firmware::print("\n");
  firmware::exit_program(firmware::kCheckFailed);
}

}  // namespace modmem
