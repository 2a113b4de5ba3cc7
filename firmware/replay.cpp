#include "firmware/replay.hpp"

#include "modmem/recorded_trace.hpp"

namespace modmem::firmware {

namespace {

constexpr int kRounds = 10;

struct Place {
  std::uint8_t* block = nullptr;
  std::uint32_t bytes = 0;
};

std::uint8_t pattern(std::size_t place, int round) {
  return static_cast<std::uint8_t>(1 + (place * 7 + static_cast<std::size_t>(round)) % 255);
}

bool is_whole(const Place& place, std::uint8_t pattern) {
  for (std::uint32_t i = 0; i < place.bytes; ++i) {
    if (place.block[i] != pattern) {
      return false;
    }
  }
  return true;
}

void play(Report& report, Memory& memory, Owner& owner, int round) {
  static Place places[kTracePlaces];
  for (const TraceOperation& operation : kTrace) {
    Place& place = places[operation.place];
    const std::uint8_t content = pattern(operation.place, round);
    if (operation.bytes != 0) {
      place.block = static_cast<std::uint8_t*>(memory.allocate({.owner = &owner,
                                                                .bytes = operation.bytes,
                                                                .alignment = operation.alignment,
                                                                .flags = flag::kUser,
                                                                .site = Site::here()}));
      if (!MODMEM_CHECK(report, place.block != nullptr)) {
        return;
      }
      place.bytes = operation.bytes;
      for (std::uint32_t i = 0; i < place.bytes; ++i) {
        place.block[i] = content;
      }
    } else {
      MODMEM_CHECK(report, is_whole(place, content));
      MODMEM_CHECK(report, memory.free(place.block, &owner) == PointerStatus::live);
    }
  }
}

}  // namespace

void test_replay(Report& report, Memory& memory) {
  report.begin("memory", "a recorded stream plays again and again");
  for (int round = 0; round < kRounds; ++round) {
    Owner* owner =
        memory.create_owner(memory.system(), {.kind = OwnerKind::pipeline, .name = "stream"});
    if (!MODMEM_CHECK(report, owner != nullptr)) {
      break;
    }
    play(report, memory, *owner, round);
    MODMEM_CHECK(report, memory.check(CheckDepth::deep));
    MODMEM_CHECK(report, memory.destroy_owner(*owner) == 0);
    MODMEM_CHECK(report, memory.pool().taken() == 0);
  }
  report.end();
}

}  // namespace modmem::firmware
