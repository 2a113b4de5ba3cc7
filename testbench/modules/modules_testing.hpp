// For tests of modules: module memory on the simulator, and signals to feed and to catch.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <random>
#include <span>
#include <vector>

#include "memory/testing/test_system.hpp"
#include "module/module_memory.hpp"
#include "testbench/audio/sample.hpp"
#include "testbench/modules/module.hpp"

namespace modmem::testbench {

inline constexpr std::array kSampleFormats = {SampleFormat::s16, SampleFormat::s24_4le,
                                              SampleFormat::s32};

constexpr int bits_of(SampleFormat format) {
  return format == SampleFormat::s16 ? 16 : format == SampleFormat::s24_4le ? 24 : 32;
}

// A run of frames.
struct Signal {
  StreamFormat format;
  std::vector<std::byte> data;

  Signal(const StreamFormat& signal_format, std::size_t frames, std::byte fill = {})
      : format(signal_format), data(frames * format.frame_bytes(), fill) {}

  std::size_t frames() const { return data.size() / format.frame_bytes(); }
  std::size_t samples() const { return frames() * format.channels; }

  InputView input(std::size_t first, std::size_t count) const {
    return {format, data.data() + first * format.frame_bytes(), count};
  }
  InputView input() const { return input(0, frames()); }
  OutputView output(std::size_t first, std::size_t count) {
    return {format, data.data() + first * format.frame_bytes(), count};
  }
  OutputView output() { return output(0, frames()); }

  // Sample `index` on the format's own scale, and the same set.
  std::int32_t at(std::size_t index) const {
    std::int32_t value = 0;
    with_sample(format.sample, [&](auto sample) {
      value = sample.load(data.data() + index * sample.kBytes) >> (32 - sample.kBits);
    });
    return value;
  }
  void set(std::size_t index, std::int32_t value) {
    with_sample(format.sample, [&](auto sample) {
      sample.store(data.data() + index * sample.kBytes, std::int64_t{value} << (32 - sample.kBits));
    });
  }
};

// A signal of all levels, extremes included.
inline Signal random_signal(const StreamFormat& format, std::size_t frames, unsigned seed = 1) {
  std::mt19937 random(seed);
  Signal signal(format, frames);
  const int shift = 32 - bits_of(format.sample);
  for (std::size_t i = 0; i < signal.samples(); ++i) {
    auto value = static_cast<std::int32_t>(random());
    if (random() % 16 == 0) {
      value = random() % 2 == 0 ? INT32_MIN : INT32_MAX;
    }
    signal.set(i, value >> shift);
  }
  return signal;
}

// A signal whose every sample has one value.
inline Signal constant_signal(const StreamFormat& format, std::size_t frames, std::int32_t value) {
  Signal signal(format, frames);
  for (std::size_t i = 0; i < signal.samples(); ++i) {
    signal.set(i, value);
  }
  return signal;
}

// One module's memory on a booted system.
class ModuleTest : public ::testing::Test {
 protected:
  ModuleTest() {
    EXPECT_TRUE(memory.open(system.memory(), system.memory().system(), {.name = "module"}));
  }
  // Limits the module to `bytes`.
  void limit_memory(std::size_t bytes) {
    memory.close();
    ASSERT_TRUE(
        memory.open(system.memory(), system.memory().system(), {.name = "module", .limit = bytes}));
  }

  modmem::testing::TestSystem system{modmem::testing::preset("mtl")};
  ModuleMemory memory;
};

inline void process(Module& module, const InputView& in, const OutputView& out) {
  module.process({&in, 1}, {&out, 1});
}

}  // namespace modmem::testbench
