// A Memory that is recorded into a folder, for tests of what reads it.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "memory/memory.hpp"
#include "modmem/presets.hpp"
#include "port/host/host_port.hpp"
#include "record/recorded_port.hpp"
#include "trace/ctf_events.hpp"
#include "trace/ctf_writer.hpp"

namespace modmem::trace::testing {

// A folder that goes with it.
class Folder {
 public:
  Folder() {
    std::string name = ::testing::TempDir() + "trace-XXXXXX";
    path_ = ::mkdtemp(name.data());
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  std::filesystem::path operator/(const char* name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

class RecordedMemoryFixture : public ::testing::Test {
 protected:
  static const PlatformConfig& platform() { return config::kDefaultPlatform; }

  explicit RecordedMemoryFixture(const Policy& policy = kElasticPolicy)
      : host_(platform()), slots_(std::size_t{1024} * platform().cores) {
    host_.set_time_us(0);
    writer_.emplace(folder_ / "trace", recorder_, platform(), policy.name);
    EXPECT_TRUE(recorder_.open(slots_, platform().cores, host_, &*writer_));
    port_.emplace(host_, recorder_);
    memory_.set_recorder(recorder_);
    arena_.resize(Memory::arena_bytes(platform(), *port_) + MetadataArena::kAlignment);
    void* start = arena_.data();
    std::size_t space = arena_.size();
    std::align(MetadataArena::kAlignment, 1, start, space);
    EXPECT_TRUE(memory_.boot(platform(), policy, *port_, &observer_,
                             {static_cast<std::byte*>(start), space}));
  }
  ~RecordedMemoryFixture() override {
    set_host_core(0);
    memory_.shutdown();
  }

  // Where the trace lies, complete up to here. Once.
  std::filesystem::path finish() {
    writer_->finish();
    return folder_ / "trace";
  }

  struct Observer final : MemoryObserver {
    void on_failure(const Failure& failure) override { static_cast<void>(failure); }
    void on_fault(const Fault& fault) override { static_cast<void>(fault); }
    void on_leak(const Leak& leak) override { static_cast<void>(leak); }
  };

  Folder folder_;
  Observer observer_;
  HostPort host_;
  std::vector<EventSlot> slots_;
  Recorder recorder_;
  std::optional<CtfWriter> writer_;
  std::optional<RecordedPort> port_;
  std::vector<std::byte> arena_;
  Memory memory_;
};

}  // namespace modmem::trace::testing
