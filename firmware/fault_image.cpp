// An image with a deliberate fault, which the machine has to catch: MODMEM_FAULT says which. It
// prints "# touching ADDRESS of OWNER" and then touches it; what comes back is a trap, or a failed
// test.
#include "firmware/booted_memory.hpp"
#include "firmware/report.hpp"
#include "firmware/traps.hpp"
#include "memory/memory.hpp"

namespace {

using namespace modmem;
using namespace modmem::firmware;

void* take(Memory& memory, Owner& owner, std::size_t bytes) {
  return memory.allocate(
      {.owner = &owner, .bytes = bytes, .flags = flag::kUser, .site = Site::here()});
}

struct Target {
  std::byte* address = nullptr;
  const char* owner = nullptr;
};

// A page that nobody has asked for, behind a block: of the range of addresses of the block's heap
// or, without an MMU, of nobody.
[[maybe_unused]] Target unmapped_page(Memory& memory, Owner& owner) {
  auto* block = static_cast<std::byte*>(take(memory, owner, 16));
  return {block != nullptr ? block + 2 * config::kPageBytes : nullptr,
          memory.config().has_mmu ? owner.spec.name : "nobody"};
}

// A block whose page went with it, in a bank that stays on for another one.
[[maybe_unused]] Target freed_memory(Memory& memory, Owner& owner) {
  void* block = take(memory, owner, 2 * config::kPageBytes);
  if (block == nullptr || take(memory, owner, config::kPageBytes) == nullptr) {
    return {};
  }
  memory.free(block);
  return {memory.pool().banks_on() != 0 ? static_cast<std::byte*>(block) : nullptr,
          owner.spec.name};
}

// A block of a domain, while another one is entered.
[[maybe_unused]] Target other_owner(Memory& memory, Owner&) {
  Owner* victim = memory.create_owner(
      memory.system(), {.kind = OwnerKind::heap, .id = 8, .name = "victim"}, {.isolated = true});
  Owner* intruder = memory.create_owner(
      memory.system(), {.kind = OwnerKind::heap, .id = 9, .name = "intruder"}, {.isolated = true});
  if (victim == nullptr || intruder == nullptr) {
    return {};
  }
  auto* block = static_cast<std::byte*>(take(memory, *victim, 100));
  auto* own = static_cast<volatile std::byte*>(take(memory, *intruder, 100));
  if (block == nullptr || own == nullptr) {
    return {};
  }
  // Each reaches its own.
  memory.enter_domain(victim);
  *static_cast<volatile std::byte*>(block) = std::byte{1};
  memory.enter_domain(intruder);
  *own = std::byte{1};
  return {block, victim->spec.name};
}

// A block of a domain that another one, which is entered, was granted to write.
[[maybe_unused]] Target granted(Memory& memory, Owner*& reader) {
  Owner* table = memory.create_owner(
      memory.system(), {.kind = OwnerKind::heap, .id = 8, .name = "table"}, {.isolated = true});
  reader = memory.create_owner(
      memory.system(), {.kind = OwnerKind::heap, .id = 9, .name = "reader"}, {.isolated = true});
  if (table == nullptr || reader == nullptr) {
    return {};
  }
  auto* block = static_cast<std::byte*>(take(memory, *table, 100));
  if (block == nullptr || !memory.grant(*reader, *table, Access::open)) {
    return {};
  }
  memory.enter_domain(reader);
  *static_cast<volatile std::byte*>(block) = std::byte{1};
  return {block, table->spec.name};
}

// The same when it may only be read any more, which works.
[[maybe_unused]] Target read_only(Memory& memory, Owner&) {
  Owner* reader = nullptr;
  const Target target = granted(memory, reader);
  const Owner* table = memory.locate(target.address).owner;
  if (target.address == nullptr || !memory.grant(*reader, *table, Access::read_only) ||
      *static_cast<volatile std::byte*>(target.address) != std::byte{1}) {
    return {};
  }
  return target;
}

// The same when the grant was taken back.
[[maybe_unused]] Target revoked(Memory& memory, Owner&) {
  Owner* reader = nullptr;
  const Target target = granted(memory, reader);
  if (target.address != nullptr) {
    memory.revoke(*reader, *memory.locate(target.address).owner);
  }
  return target;
}

// A block that was the last one of its bank.
[[maybe_unused]] Target bank_off(Memory& memory, Owner& owner) {
  void* block = take(memory, owner, 3 * config::kPageBytes);
  memory.free(block);
  if (block == nullptr || memory.pool().banks_on() != 0) {
    return {};
  }
  return {static_cast<std::byte*>(block) + config::kPageBytes, owner.spec.name};
}

// What the library itself keeps, which it alone may write.
[[maybe_unused]] Target metadata(Memory&, Owner&) { return {metadata_place().data(), "nobody"}; }

}  // namespace

int main() {
  const PlatformConfig config = board_platform();
  Port& port = start_board(config, report_trap);
  Report report;
  report.begin("fault", "is caught");
  Target target;
  if (Memory* memory = boot_memory(report, config, port)) {
    describe_traps_by(*memory);
    Owner* owner = memory->create_owner(memory->system(),
                                        {.kind = OwnerKind::pipeline, .id = 7, .name = "careless"});
    if (MODMEM_CHECK(report, owner != nullptr)) {
      target = MODMEM_FAULT(*memory, *owner);
    }
  }
  if (MODMEM_CHECK(report, target.address != nullptr)) {
    print("# touching ");
    print_hexadecimal(reinterpret_cast<std::uintptr_t>(target.address));
    print(" of ");
    print(target.owner);
    print("\n");
    *reinterpret_cast<volatile std::uint32_t*>(target.address) = 1;
    const bool was_let_through = true;
    MODMEM_CHECK(report, !was_let_through);
  }
  report.end();
  return report.finish();
}
