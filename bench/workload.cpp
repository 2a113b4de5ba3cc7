#include "bench/workload.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "testbench/input_error.hpp"

namespace modmem::bench {

namespace {

namespace fs = std::filesystem;

std::vector<std::string> traces_in(const fs::path& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, error)) {
    if (entry.path().extension() == ".csv") {
      names.push_back(entry.path().string());
    }
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::vector<fs::path> default_folders() {
  const fs::path repository = MODMEM_REPOSITORY;
  const char* shared = std::getenv("MODMEM_SHARED");
  return {(shared != nullptr ? fs::path(shared) : repository / "../shared") / "traces",
          repository / "examples/traces"};
}

// Follows what lives, so that all of it can be ended.
class Composition {
 public:
  explicit Composition(Workload& workload, std::uint32_t streams)
      : workload_(workload), streams_(streams) {}

  void add(const trace::Event& event) {
    const std::uint32_t stream = event.owner == trace::Event::kSystem ? streams_ : event.owner;
    workload_.operations.push_back({event.kind, event.block, stream, event.bytes, event.alignment});
    workload_.streams = std::max<std::size_t>(workload_.streams, stream + 1);
    switch (event.kind) {
      case trace::OpKind::allocate:
        if (event.block >= blocks_.size()) {
          blocks_.resize(std::size_t{event.block} + 1);
        }
        blocks_[event.block] = {stream, event.bytes};
        live_bytes_ += event.bytes;
        ++workload_.pairs;
        break;
      case trace::OpKind::resize:
        live_bytes_ += event.bytes;
        live_bytes_ -= blocks_[event.block].bytes;
        blocks_[event.block].bytes = event.bytes;
        break;
      case trace::OpKind::free:
        live_bytes_ -= blocks_[event.block].bytes;
        blocks_[event.block].bytes = 0;
        break;
      case trace::OpKind::release:
        break;  // composed streams have freed everything by then
    }
    workload_.peak_live_bytes = std::max(workload_.peak_live_bytes, live_bytes_);
  }

  void end() {
    std::vector<bool> lives(workload_.streams);
    for (std::uint32_t place = 0; place < blocks_.size(); ++place) {
      const Block& block = blocks_[place];
      if (block.bytes != 0) {
        workload_.operations.push_back({trace::OpKind::free, place, block.stream, 0, 0});
        lives[block.stream] = true;
      }
    }
    for (std::uint32_t stream = 0; stream < lives.size(); ++stream) {
      if (lives[stream]) {
        workload_.operations.push_back({trace::OpKind::release, 0, stream, 0, 0});
      }
    }
    workload_.blocks = blocks_.size();
  }

 private:
  struct Block {
    std::uint32_t stream = 0;
    std::uint32_t bytes = 0;  // 0: none is there
  };

  Workload& workload_;
  std::uint32_t streams_;
  std::vector<Block> blocks_;
  std::size_t live_bytes_ = 0;
};

}  // namespace

std::vector<trace::Recording> read_recordings(const std::string& folder) {
  std::vector<std::string> names;
  if (!folder.empty()) {
    names = traces_in(folder);
  } else {
    for (const fs::path& candidate : default_folders()) {
      names = names.empty() ? traces_in(candidate) : names;
    }
  }
  if (names.empty()) {
    throw testbench::InputError("--traces " + folder + ": there are no traces (*.csv) in it");
  }
  std::vector<trace::Recording> recordings;
  recordings.reserve(names.size());
  for (const std::string& name : names) {
    recordings.emplace_back(name);
  }
  return recordings;
}

Workload compose(const std::vector<trace::Recording>& recordings,
                 const trace::ComposerOptions& options) {
  Workload workload;
  Composition composition(workload, options.streams);
  trace::Composer composer(recordings, options);
  std::array<trace::Event, 256> events;
  while (const std::size_t count = composer.read(events)) {
    std::for_each_n(events.begin(), count,
                    [&](const trace::Event& event) { composition.add(event); });
  }
  composition.end();
  return workload;
}

}  // namespace modmem::bench
