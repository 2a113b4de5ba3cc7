// Recorded pipelines in regions: what a guessed size costs, and what one that grows has mapped.
//
// The recordings ($MODMEM_SHARED/traces, else `shared/traces` beside the repository) are played
// from their first request to their last: lifetime until the pipeline is prepared, then a heap.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "base/bits.hpp"
#include "memory/testing/test_system.hpp"

namespace modmem {
namespace {

using testing::preset;
using testing::TestSystem;

constexpr std::size_t kPage = config::kPageBytes;

struct Event {
  bool is_free;
  bool seals;  // the first one after the pipeline was set up
  std::uint64_t id;
  std::size_t bytes;
  std::size_t alignment;
};
using Recording = std::vector<Event>;

Recording read(const std::filesystem::path& path) {
  Recording events;
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);  // the names of the columns
  bool prepared = false;
  while (std::getline(file, line)) {
    std::istringstream columns(line);
    std::string time, op, id, bytes, alignment;
    for (std::string* column : {&time, &op, &id, &bytes, &alignment}) {
      std::getline(columns, *column, ',');
    }
    const bool prepares = line.find("pipeline_prepare") != std::string::npos;
    events.push_back({op == "free", prepares && !prepared, std::stoull(id),
                      bytes.empty() ? 0 : std::stoull(bytes),
                      alignment.empty() ? 0 : std::stoull(alignment)});
    prepared = prepared || prepares;
  }
  return events;
}

std::vector<Recording> recordings() {
  const char* shared = std::getenv("MODMEM_SHARED");
  const std::filesystem::path folder =
      (shared != nullptr ? std::filesystem::path(shared)
                         : std::filesystem::path(MODMEM_SOURCE_DIR).parent_path() / "shared") /
      "traces";
  std::vector<Recording> all;
  if (std::filesystem::is_directory(folder)) {
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      if (entry.path().extension() == ".csv") {
        all.push_back(read(entry.path()));
      }
    }
  }
  return all;
}

struct Played {
  bool served = false;
  std::size_t peak = 0;     // bytes mapped
  std::size_t average = 0;  // over the events
};

Played play(Memory& memory, const Recording& recording, std::size_t bytes, bool grows) {
  Owner* region = memory.create_owner(memory.system(), {OwnerKind::region, 1, "region"},
                                      {.kind = HeapKind::region, .bytes = bytes, .grows = grows});
  Played result{.served = region != nullptr};
  std::map<std::uint64_t, void*> live;
  std::size_t sum = 0;
  for (const Event& event : recording) {
    if (!result.served) {
      break;
    }
    if (event.seals) {
      memory.set_interim(*region);
    }
    if (event.is_free) {
      memory.free(live[event.id], nullptr);
      live.erase(event.id);
    } else {
      live[event.id] =
          memory.allocate({region, event.bytes, event.alignment, flag::kSilent, MODMEM_HERE});
      result.served = live[event.id] != nullptr;
    }
    const std::size_t mapped = memory.heap_report(*region).mapped_bytes;
    result.peak = std::max(result.peak, mapped);
    sum += mapped;
  }
  result.average = recording.empty() ? 0 : sum / recording.size();
  if (region != nullptr) {
    memory.put_region(*region);
  }
  return result;
}

// Bytes of the smallest fixed region that serves the recording: what an exact guess would be.
std::size_t smallest_fixed(Memory& memory, const Recording& recording) {
  std::size_t pages = 1;
  while (!play(memory, recording, pages * kPage, false).served) {
    ++pages;
  }
  return pages * kPage;
}

TEST(RecordedRegion, TakesNoMoreThanTheBestGuess) {
  const std::vector<Recording> all = recordings();
  if (all.empty()) {
    GTEST_SKIP() << "NO RECORDED PIPELINES: set MODMEM_SHARED to the folder that holds `traces`";
  }
  TestSystem system{preset("mtl"), kElasticPolicy, true};
  Memory& memory = system.memory();
  std::size_t guessed_for_all = 0;
  std::size_t best_guesses = 0;
  std::size_t peaks = 0;
  std::size_t averages = 0;
  for (const Recording& recording : all) {
    const Played grown = play(memory, recording, std::size_t{1} << 20U, true);
    ASSERT_TRUE(grown.served);
    const std::size_t guess = smallest_fixed(memory, recording);
    EXPECT_LE(grown.peak, guess);
    EXPECT_LE(grown.average, grown.peak);
    guessed_for_all = std::max(guessed_for_all, guess);
    best_guesses += guess;
    peaks += grown.peak;
    averages += grown.average;
  }
  std::cout << "KiB mapped for each of " << all.size() << " pipelines: fixed, one size for all "
            << guessed_for_all / 1024 << "; fixed, each its smallest size "
            << best_guesses / all.size() / 1024 << "; growing: peak " << peaks / all.size() / 1024
            << ", mean " << averages / all.size() / 1024 << '\n';
}

}  // namespace
}  // namespace modmem
