// Heaps alone: a stream of commands for HeapDriver, which holds elastic heaps, fixed arenas and
// heaps of slots to their contract against a reference model (heap/testing/heap_driver.hpp).
// The first byte chooses the heaps and what they stand on.
// Planted: after a resize() somebody writes one byte of a block that is not his.
#include <sstream>
#include <string>

#include "fuzz/byte_source.hpp"
#include "fuzz/fuzz_target.hpp"
#include "heap/testing/heap_driver.hpp"

namespace modmem::fuzz {
namespace {

using Kind = HeapCommand::Kind;

constexpr std::size_t kMostCommands = 300;
constexpr std::size_t kPage = config::kPageBytes;

constexpr ElasticHeapOptions kElastic{.span_pages = 16};
constexpr ElasticHeapOptions kRetaining{.span_pages = 16, .retained_pages = 3};
constexpr ElasticHeapOptions kArena{.fixed_pages = 12};
constexpr ElasticDriver::Options kElasticHeaps[] = {
    {.frames = 32, .heaps = 1, .heap = kElastic},
    {.frames = 32, .heaps = 3, .heap = kElastic},
    {.has_mmu = false, .frames = 32, .heaps = 1, .heap = kElastic},
    {.has_mmu = false, .frames = 32, .heaps = 3, .heap = kElastic},
    {.frames = 32, .heaps = 2, .premaps = true, .heap = kRetaining},
    {.has_mmu = false, .frames = 32, .heaps = 2, .premaps = true, .heap = kRetaining},
    {.frames = 32, .heaps = 2, .heap = kArena},
    {.has_mmu = false, .frames = 32, .heaps = 2, .heap = kArena},
    {.port = PortKind::host, .frames = 24, .heaps = 2, .heap = kElastic},
};

// Not in the order of sizes: it is the table that counts.
constexpr SlotBundle kTable[] = {{16, 512}, {128, 64}, {64, 64}, {2048, 8}, {8192, 4}};
constexpr SlotHeapOptions kSingle{.region_bytes = 24 * kPage, .bundles = kTable};
constexpr SlotHeapOptions kContiguous{
    .region_bytes = 24 * kPage, .bundles = kTable, .contiguous = true};
constexpr SlotHeapOptions kEqual{.region_bytes = 21 * kPage, .contiguous = true};
constexpr SlotDriver::Options kSlotHeaps[] = {
    {.frames = 32, .heaps = 1, .heap = kSingle},
    {.frames = 32, .heaps = 2, .heap = kContiguous},
    {.frames = 32, .heaps = 1, .heap = kEqual},
    // Frames enough for the region of a heap that is opened again while the other has its own.
    {.has_mmu = false, .frames = 96, .heaps = 2, .heap = kSingle},
    {.has_mmu = false, .frames = 96, .heaps = 2, .heap = kContiguous},
};

// Small, around whole pages, or anything up to more than there is.
std::size_t any_size(ByteSource& bytes, std::size_t most) {
  switch (bytes.below(4)) {
    case 0:
      return bytes.size(600);
    case 1:
      return bytes.size(3 * kPage);
    case 2:
      return (1 + bytes.below(9)) * kPage + bytes.below(49) - 24;
    default:
      return bytes.size(most);
  }
}

HeapCommand any_command(ByteSource& bytes) {
  static constexpr Kind kKinds[] = {
      Kind::allocate,       Kind::allocate, Kind::allocate,   Kind::allocate,
      Kind::allocate_range, Kind::free,     Kind::free,       Kind::free,
      Kind::resize,         Kind::resize,   Kind::free_twice, Kind::allocate_largest,
      Kind::misuse,         Kind::premap,   Kind::reopen,     Kind::release_all};
  HeapCommand command;
  const std::size_t what = bytes.below(256);
  command.kind = kKinds[what % std::size(kKinds)];
  command.thorough = what / std::size(kKinds) == 7;
  command.heap = static_cast<std::uint8_t>(bytes.below(3));
  switch (command.kind) {
    case Kind::allocate_range:
      command.more = any_size(bytes, 60 * kPage);
      command.step = any_size(bytes, 3 * kPage);
      command.keep = static_cast<std::uint32_t>(bytes.below(20));
      [[fallthrough]];
    case Kind::allocate:
      command.bytes = any_size(bytes, 40 * kPage);
      [[fallthrough]];
    case Kind::allocate_largest: {
      const std::size_t more = bytes.below(64);
      command.alignment_log = static_cast<std::uint8_t>(more < 34 ? more / 2 : 0);
      command.maps = more >= 58 ? static_cast<std::uint32_t>(more - 58) : HeapCommand::kAllMaps;
      break;
    }
    case Kind::resize:
      command.bytes = any_size(bytes, 40 * kPage);
      [[fallthrough]];
    case Kind::free:
    case Kind::free_twice:
      command.index = static_cast<std::uint32_t>(bytes.below(256));
      break;
    case Kind::misuse:
      command.index = static_cast<std::uint32_t>(bytes.below(256));
      command.bytes = bytes.below(1 << 16U);
      break;
    case Kind::premap:
      command.keep = static_cast<std::uint32_t>(bytes.below(14));
      break;
    default:
      break;
  }
  return command;
}

std::string to_text(const HeapCommand& command) {
  std::ostringstream text;
  text << command;
  return text.str();
}

template <typename Driver>
void overwrite(const Driver& driver) {
  for (std::uint32_t heap = 0; heap < driver.heaps(); ++heap) {
    const HeapModel& model = driver.model(heap);
    if (model.size() > 1) {
      model[0].pointer[model[0].asked - 1] ^= std::byte{0xff};
      return;
    }
  }
}

template <typename Driver>
void drive(const typename Driver::Options& options, ByteSource& bytes) {
  HeapCommand command;
  std::size_t commands = 0;
  try {
    Driver driver(options);
    for (; commands < kMostCommands && !bytes.empty(); ++commands) {
      command = any_command(bytes);
      if (shows()) {
        show(to_text(command));
      }
      driver.apply(command);
      if (is_planted() && command.kind == Kind::resize) {
        overwrite(driver);
      }
    }
    driver.check_deep();
    driver.finish(driver.steps() % 2 == 0);
  } catch (const ContractBroken& broken) {
    report(broken.what() + (" behind " + std::to_string(commands)) + " commands, the last one " +
           to_text(command));
  }
}

}  // namespace
}  // namespace modmem::fuzz

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace modmem::fuzz;
  ByteSource bytes(data, size);
  const std::size_t which = bytes.below(std::size(kElasticHeaps) + std::size(kSlotHeaps));
  if (which < std::size(kElasticHeaps)) {
    drive<modmem::ElasticDriver>(kElasticHeaps[which], bytes);
  } else {
    drive<modmem::SlotDriver>(kSlotHeaps[which - std::size(kElasticHeaps)], bytes);
  }
  return 0;
}
