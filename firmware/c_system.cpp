#include "firmware/c_system.hpp"

#include <new>

#include "capi/hooks.hpp"
#include "capi/system.hpp"
#include "firmware/board.hpp"
#include "firmware/c_client.h"
#include "firmware/traps.hpp"

namespace modmem {

// The image boots; nothing does so by itself.
CSystem* boot_default() { return nullptr; }

void panic() {
  firmware::print("# a misuse that nothing can go on after\n");
  firmware::exit_program(firmware::kCheckFailed);
}

// Code addresses are for the linker's map.
bool name_code(const void*, char*, std::size_t) { return false; }

namespace firmware {

namespace {

// Neither is ever destroyed: the image has no code for that.
alignas(SharedCopies) std::byte copies_place[sizeof(SharedCopies)];
alignas(CSystem) std::byte system_place[sizeof(CSystem)];

int check(void* report, int holds, const char* text, const char* file, int line) {
  return static_cast<Report*>(report)->check(holds != 0, text, file, line) ? 1 : 0;
}

}  // namespace

void test_c_client(Report& report, Memory& memory) {
  auto& copies = *new (copies_place) SharedCopies(memory);
  auto& system = *new (system_place) CSystem(memory, copies, "firmware");
  report.begin("c", "a client of the C interface");
  if (MODMEM_CHECK(report, adopt(system))) {
    c_client_run(check, &report);
    leave(system);
  }
  MODMEM_CHECK(report, memory.check(CheckDepth::deep));
  report.end();
}

}  // namespace firmware

}  // namespace modmem
