#include "testbench/modules/c_streams.hpp"

#include <modmem/module.h>

#include <cerrno>
#include <cstring>
#include <functional>

#include "testbench/modules/modules_testing.hpp"

namespace modmem::testbench {
namespace {

// What stands for a module's process().
using Work = std::function<int(std::span<modmem_source>, std::span<modmem_sink>)>;

int work(processing_module* mod, modmem_source* sources, std::size_t source_count,
         modmem_sink* sinks, std::size_t sink_count) {
  return (*static_cast<Work*>(mod->priv))({sources, source_count}, {sinks, sink_count});
}

// Copies `frames` frames, every `step`-th of the source.
void copy_frames(modmem_source& source, modmem_sink& sink, std::size_t frames,
                 std::size_t step = 1) {
  const std::size_t bytes = modmem_frame_bytes(&source.format);
  for (std::size_t i = 0; i < frames; ++i) {
    std::memcpy(static_cast<std::byte*>(sink.data) + i * bytes,
                static_cast<const std::byte*>(source.data) + i * step * bytes, bytes);
  }
  source.consumed = frames * step;
  sink.produced = frames;
}

// The frames of a rate in period number `period`, which rates that are no whole kHz share out.
std::size_t due(std::uint32_t rate, std::size_t period) {
  return (period + 1) * rate / 1000 - period * rate / 1000;
}

class CStreamsTest : public ModuleTest {
 protected:
  // Prepares streams of these formats and blocks.
  void begin(const StreamFormat& in, std::size_t in_block, const StreamFormat& out,
             std::size_t out_block) {
    streams.end();
    ASSERT_TRUE(streams.begin({&in, 1}, {&out, 1}, memory));
    streams.sources()[0].block = in_block;
    streams.sinks()[0].block = out_block;
    ASSERT_TRUE(streams.take_queues(memory));
  }

  bool process(const InputView& in, const OutputView& out, Work what) {
    modmem_module_interface module{};
    module.process = work;
    processing_module instance{};
    instance.priv = &what;
    return streams.process(module, &instance, {&in, 1}, {&out, 1}, errors);
  }

  const StreamFormat stereo{48000, 2, SampleFormat::s16};
  CStreams streams;
  ProcessErrors errors;
};

TEST_F(CStreamsTest, WithoutBlocksAModuleWorksInThePipelinesBuffers) {
  begin(stereo, 0, stereo, 0);
  const std::size_t tables = memory.held_bytes();
  EXPECT_EQ(tables, sizeof(modmem_source) + sizeof(modmem_sink));
  const Signal in = random_signal(stereo, 48);
  Signal out(stereo, 48, std::byte{0x55});
  EXPECT_TRUE(process(in.input(), out.output(), [&](auto sources, auto sinks) {
    EXPECT_EQ(sources[0].data, in.data.data());
    EXPECT_EQ(sinks[0].data, out.data.data());
    copy_frames(sources[0], sinks[0], 48);
    return 0;
  }));
  EXPECT_EQ(out.data, in.data);
  EXPECT_EQ(memory.held_bytes(), tables);
}

TEST_F(CStreamsTest, WithABlockTheOutputIsTheInputABlockLater) {
  for (const std::uint32_t rate : {8000U, 11025U, 44100U, 48000U}) {
    const StreamFormat format{rate, 2, SampleFormat::s16};
    for (const std::size_t block : {1U, 7U, 48U, 100U, 441U, 960U}) {
      for (const std::size_t phase : {0U, 3U, 5U}) {
        begin(format, block, format, block);
        const std::size_t periods = 90 + block * 1000 / rate;
        const Signal in = random_signal(format, (periods + 1) * rate / 1000 + 1, rate);
        Signal out(format, in.frames(), std::byte{0x55});
        std::size_t at = 0;
        for (std::size_t period = phase; period < phase + periods; ++period) {
          const std::size_t frames = due(rate, period);
          ASSERT_TRUE(process(in.input(at, frames), out.output(at, frames),
                              [&](auto sources, auto sinks) {
                                EXPECT_GE(sources[0].frames, block);
                                EXPECT_GE(sinks[0].frames, block);
                                copy_frames(sources[0], sinks[0], block);
                                return 0;
                              }))
              << rate << " Hz, block " << block << ", period " << period;
          at += frames;
        }
        const auto delay = static_cast<std::ptrdiff_t>(block * format.frame_bytes());
        const auto bytes = static_cast<std::ptrdiff_t>(at * format.frame_bytes());
        EXPECT_TRUE(std::all_of(out.data.begin(), out.data.begin() + delay,
                                [](std::byte byte) { return byte == std::byte{0}; }));
        EXPECT_TRUE(
            std::equal(out.data.begin() + delay, out.data.begin() + bytes, in.data.begin()));
      }
    }
  }
}

TEST_F(CStreamsTest, RatesMayDiffer) {
  const StreamFormat fast{44100, 1, SampleFormat::s16};
  const StreamFormat slow{14700, 1, SampleFormat::s16};
  // Periods of the two rates that begin at any moments.
  for (std::size_t phase = 0; phase < 10; ++phase) {
    begin(fast, 441, slow, 147);
    const Signal in = random_signal(fast, 4500);
    Signal out(slow, 1500);
    std::size_t from = 0;
    std::size_t to = 0;
    for (std::size_t period = 0; period < 100; ++period) {
      const std::size_t came = due(fast.rate, period + phase);
      const std::size_t went = due(slow.rate, period);
      ASSERT_TRUE(process(in.input(from, came), out.output(to, went),
                          [](auto sources, auto sinks) {
                            copy_frames(sources[0], sinks[0], 147, 3);
                            return 0;
                          }))
          << phase << ", " << period;
      from += came;
      to += went;
    }
    const std::size_t delay = 147 + 15;
    for (std::size_t i = delay; i < to; ++i) {
      ASSERT_EQ(out.at(i), in.at(3 * (i - delay))) << phase << ", " << i;
    }
  }
}

TEST_F(CStreamsTest, ABurstMayBeMoreThanTheQueuesHold) {
  begin(stereo, 960, stereo, 960);
  const Signal in = random_signal(stereo, 9600);
  Signal out(stereo, 9600);
  EXPECT_TRUE(process(in.input(), out.output(), [](auto sources, auto sinks) {
    copy_frames(sources[0], sinks[0], 960);
    return 0;
  }));
  const auto delay = static_cast<std::ptrdiff_t>(960 * stereo.frame_bytes());
  EXPECT_TRUE(std::equal(out.data.begin() + delay, out.data.end(), in.data.begin()));
}

TEST_F(CStreamsTest, WhatIsNotConnectedBeginsAnew) {
  begin(stereo, 96, stereo, 96);
  const Work copy = [](auto sources, auto sinks) {
    copy_frames(sources[0], sinks[0], 96);
    return 0;
  };
  const Signal in = random_signal(stereo, 480);
  Signal out(stereo, 480);
  const InputView nothing{stereo, nullptr, 0};
  const OutputView nowhere{stereo, nullptr, 0};
  EXPECT_TRUE(process(in.input(0, 48), out.output(0, 48), copy));
  // Without an input nothing is to be missed; 48 frames that came are forgotten.
  for (std::size_t period = 1; period < 4; ++period) {
    EXPECT_TRUE(process(nothing, out.output(48 * period, 48), copy));
  }
  EXPECT_EQ(out.data, Signal(stereo, 480).data);
  // Without an output, what is made is not kept.
  for (std::size_t period = 0; period < 9; ++period) {
    EXPECT_TRUE(process(in.input(48 * period, 48), nowhere, copy));
  }
  EXPECT_TRUE(process(in.input(432, 48), out.output(0, 48), copy));
  EXPECT_EQ(out.data, Signal(stereo, 480).data);
}

TEST_F(CStreamsTest, ErrorsAreCountedAndSilent) {
  for (const std::size_t block : {std::size_t{0}, std::size_t{24}}) {
    begin(stereo, block, stereo, block);
    errors = {};
    const Signal in = random_signal(stereo, 48);
    const auto silent = [&](Work what) {
      Signal out(stereo, 48, std::byte{0x55});
      streams.end();
      begin(stereo, block, stereo, block);
      for (int period = 0; period < 3; ++period) {
        process(in.input(), out.output(), what);
      }
      return out.data == Signal(stereo, 48).data;
    };
    EXPECT_TRUE(silent([](auto sources, auto sinks) {
      copy_frames(sources[0], sinks[0], sinks[0].frames < 24 ? 0 : 24);
      return -EIO;
    }));
    EXPECT_EQ(errors.first, -EIO);
    const std::uint64_t before = errors.count;
    EXPECT_GT(before, 0U);
    EXPECT_TRUE(silent([](auto /*sources*/, auto sinks) {
      sinks[0].produced = sinks[0].frames + 1;
      return 0;
    }));
    EXPECT_TRUE(silent([](auto sources, auto sinks) {
      copy_frames(sources[0], sinks[0], 0);
      sources[0].consumed = sources[0].frames + 1;
      return 0;
    }));
    EXPECT_GT(errors.count, before + 1);
  }
}

TEST_F(CStreamsTest, TooLittleIsFilledUpWithSilence) {
  begin(stereo, 0, stereo, 0);
  const Signal in = constant_signal(stereo, 48, 1000);
  Signal out(stereo, 48, std::byte{0x55});
  EXPECT_FALSE(process(in.input(), out.output(), [](auto sources, auto sinks) {
    copy_frames(sources[0], sinks[0], 47);
    return 0;
  }));
  EXPECT_EQ(out.at(46 * 2), 1000);
  EXPECT_EQ(out.at(47 * 2), 0);
  EXPECT_EQ(out.at(47 * 2 + 1), 0);
}

TEST_F(CStreamsTest, TakesNothingWhereMemoryRunsOut) {
  for (std::size_t bytes = 1; bytes < 4000; bytes += 250) {
    limit_memory(bytes);
    if (streams.begin({&stereo, 1}, {&stereo, 1}, memory)) {
      streams.sources()[0].block = 960;
      EXPECT_FALSE(streams.take_queues(memory));
    }
    streams.end();
    EXPECT_EQ(memory.held_bytes(), 0U);
  }
}

}  // namespace
}  // namespace modmem::testbench
