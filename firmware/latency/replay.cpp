#include <new>

#include "firmware/booted_memory.hpp"
#include "firmware/latency/measured.hpp"
#include "firmware/traps.hpp"
#include "memory/memory.hpp"
#include "modmem/recorded_trace.hpp"

namespace modmem::firmware {

namespace {

constexpr int kRounds = 10;

struct SizeClass {
  const char* name;
  std::uint32_t largest;
};
constexpr SizeClass kClasses[] = {
    {"64", 64}, {"256", 256}, {"1024", 1024}, {"4096", 4096}, {"more", UINT32_MAX}};
constexpr std::size_t kClassCount = sizeof(kClasses) / sizeof(kClasses[0]);

// Of Bench::numbers: allocate and free of each class, with what they map and without, then the
// port's functions.
enum Row : std::size_t { allocate_all, allocate_own, free_all, free_own, rows };
constexpr std::size_t kMap = rows * kClassCount;
constexpr std::size_t kUnmap = kMap + 1;
static_assert(kUnmap < Bench::kDistributions);

constexpr std::size_t number_of(Row row, std::size_t size_class) {
  return row * kClassCount + size_class;
}

std::size_t class_of(std::uint32_t bytes) {
  std::size_t at = 0;
  while (bytes > kClasses[at].largest) {
    ++at;
  }
  return at;
}

struct Place {
  void* block = nullptr;
  std::size_t size_class = 0;
};

void play(Bench& bench, Memory& memory, Owner& owner) {
  static Place places[kTracePlaces];
  for (const TraceOperation& operation : kTrace) {
    Place& place = places[operation.place];
    const bool allocates = operation.bytes != 0;
    if (allocates) {
      place.size_class = class_of(operation.bytes);
      Meter::begin();
      place.block = memory.allocate({.owner = &owner,
                                     .bytes = operation.bytes,
                                     .alignment = operation.alignment,
                                     .flags = flag::kUser,
                                     .site = Site::here()});
      Meter::end<Part::own>();
      MODMEM_CHECK(bench.report, place.block != nullptr);
    } else {
      Meter::begin();
      const PointerStatus status = memory.free(place.block, &owner);
      Meter::end<Part::own>();
      MODMEM_CHECK(bench.report, status == PointerStatus::live);
    }
    const std::uint32_t own = Meter::total(Part::own);
    bench.add(number_of(allocates ? allocate_own : free_own, place.size_class), own);
    bench.add(number_of(allocates ? allocate_all : free_all, place.size_class),
              own + Meter::mapping());
    for (std::uint32_t i = 0; i < Meter::parts(Part::map); ++i) {
      bench.add(kMap, Meter::one(Part::map, i));
    }
    for (std::uint32_t i = 0; i < Meter::parts(Part::unmap); ++i) {
      bench.add(kUnmap, Meter::one(Part::unmap, i));
    }
  }
}

void write_figures(Bench& bench) {
  struct Line {
    Row row;
    const char* operation;
    const char* part;
  };
  for (const Line& line :
       {Line{allocate_own, "allocate", "own"}, Line{allocate_all, "allocate", "with-mapping"},
        Line{free_own, "free", "own"}, Line{free_all, "free", "with-mapping"}}) {
    for (std::size_t at = 0; at < kClassCount; ++at) {
      write_latency(bench.numbers[number_of(line.row, at)],
                    {"replay", line.part, line.operation, kClasses[at].name});
    }
  }
  write_latency(bench.numbers[kMap], {"replay", "map"});
  write_latency(bench.numbers[kUnmap], {"replay", "unmap"});
}

}  // namespace

void measure_replay(Bench& bench, const PlatformConfig& config, Port& port,
                    std::span<std::byte> place) {
  MeteredPort metered(port);
  auto& memory = *new (place.data()) Memory;
  bench.report.begin("replay", "a recorded stream plays again and again");
  if (MODMEM_CHECK(bench.report, memory.boot(config, kElasticPolicy, metered, nullptr,
                                             place.subspan(kRoomOf<Memory>)))) {
    bench.clear();
    for (int round = 0; round < kRounds; ++round) {
      Owner* owner =
          memory.create_owner(memory.system(), {.kind = OwnerKind::pipeline, .name = "stream"});
      if (!MODMEM_CHECK(bench.report, owner != nullptr)) {
        break;
      }
      play(bench, memory, *owner);
      MODMEM_CHECK(bench.report, memory.destroy_owner(*owner) == 0);
    }
    MODMEM_CHECK(bench.report, memory.pool().taken() == 0);
    memory.shutdown();
  }
  bench.report.end();
  write_figures(bench);
  bench.clear();
}

}  // namespace modmem::firmware
