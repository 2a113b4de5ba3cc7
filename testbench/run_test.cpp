// Whole runs: what comes out of a topology is what went in, to the bit or as its modules say.
#include "testbench/run.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <random>
#include <set>

#include "testbench/audio/audio_reader.hpp"
#include "testbench/audio/audio_testing.hpp"
#include "testbench/input_error.hpp"

namespace modmem::testbench {
namespace {

using Samples = std::vector<std::int32_t>;

constexpr std::uint16_t kWidths[] = {16, 24, 32};

std::filesystem::path example(const std::string& name) {
  return std::filesystem::path(MODMEM_EXAMPLES_DIR) / (name + ".tplg");
}
std::filesystem::path test_topology(const std::string& name) {
  return std::filesystem::path(MODMEM_TEST_TOPOLOGIES_DIR) / (name + ".tplg");
}

// Samples of `bits` bits, on their own scale: the extremes, their neighbours, and any others.
Samples all_levels(std::uint16_t bits, std::size_t count) {
  const auto largest = static_cast<std::int32_t>((std::int64_t{1} << (bits - 1)) - 1);
  Samples samples = {largest, -largest - 1, largest - 1, -largest, 0, 1, -1, 2, -2, 3, -3};
  std::mt19937 random(bits);
  while (samples.size() < count) {
    samples.push_back(static_cast<std::int32_t>(random()) >> (32 - bits));
  }
  samples.resize(count);
  return samples;
}

Samples stereo(std::uint16_t bits, std::size_t frames) { return all_levels(bits, 2 * frames); }

class RunTest : public ::testing::Test {
 protected:
  // Writes a WAV file of these samples.
  std::filesystem::path write(const Samples& samples, std::uint16_t bits,
                              std::uint16_t channels = 2, std::uint32_t rate = 48000) {
    Wav wav{.channels = channels, .rate = rate, .bits = bits, .data = {}};
    for (const std::int32_t sample : samples) {
      std::string bytes;
      Wav::put(bytes, sample);
      wav.data += bytes.substr(0, bits / 8U);
    }
    std::filesystem::path path = folder / "in.wav";
    write_file(path, wav.bytes());
    return path;
  }

  RunReport play(const RunOptions& options) {
    RunReport report = run(options, [](std::uint64_t, std::uint64_t) {});
    EXPECT_FALSE(report.failed());
    return report;
  }

  // Plays `samples` through pipeline `pipeline` of the exact topology and what is connected to it,
  // and returns what comes out, which must have as many frames and the same form.
  Samples through(std::uint32_t pipeline, const Samples& samples, std::uint16_t bits) {
    RunOptions options;
    options.topology = test_topology("exact");
    options.input = write(samples, bits);
    options.output = folder / "out.wav";
    options.pipelines = {pipeline};
    const RunReport report = play(options);
    EXPECT_EQ(report.xruns, 0U);
    const AudioReader in(options.input);
    const AudioReader out(*options.output);
    EXPECT_EQ(out.format(), in.format());
    return read(*options.output, bits);
  }

  // All samples of a file, on the scale of `bits` bits.
  Samples read(const std::filesystem::path& path, std::uint16_t bits) {
    AudioReader reader(path);
    const StreamFormat format{reader.rate(), reader.channels(), SampleFormat::s32};
    Samples samples(reader.frames() * reader.channels());
    EXPECT_EQ(reader.read(bytes_of(samples), format, reader.frames()), reader.frames());
    std::transform(samples.begin(), samples.end(), samples.begin(),
                   [bits](std::int32_t sample) { return sample >> (32 - bits); });
    return samples;
  }

  std::uint64_t frames_of(const std::filesystem::path& path) { return AudioReader(path).frames(); }

  TemporaryFolder folder;
};

// --- to the bit ---

TEST_F(RunTest, PassThroughChangesNothing) {
  for (const std::uint16_t bits : kWidths) {
    for (const std::size_t frames : {1U, 2U, 47U, 48U, 49U, 95U, 1000U, 4801U}) {
      const Samples samples = stereo(bits, frames);
      EXPECT_EQ(through(1, samples, bits), samples) << bits << " bits, " << frames << " frames";
    }
  }
}

TEST_F(RunTest, HalfTheGainIsHalfTheSample) {
  for (const std::uint16_t bits : kWidths) {
    const Samples samples = all_levels(bits, 20'000);
    const Samples halves = through(2, samples, bits);
    ASSERT_EQ(halves.size(), samples.size());
    for (std::size_t i = 0; i < samples.size(); ++i) {
      // Twice the half lies within one step of the sample: within half a step of the exact half.
      ASSERT_LE(std::abs(2 * std::int64_t{halves[i]} - samples[i]), 1) << samples[i];
    }
  }
}

TEST_F(RunTest, MixingAddsAndSaturates) {
  for (const std::uint16_t bits : kWidths) {
    const Samples samples = all_levels(bits, 20'000);
    const Samples sums = through(3, samples, bits);
    ASSERT_EQ(sums.size(), samples.size());
    const std::int64_t largest = (std::int64_t{1} << (bits - 1)) - 1;
    for (std::size_t i = 0; i < samples.size(); ++i) {
      ASSERT_EQ(sums[i], std::clamp(2 * std::int64_t{samples[i]}, -largest - 1, largest))
          << samples[i];
    }
  }
}

TEST_F(RunTest, TheExamplePassesSixteenBitsAsTheyAre) {
  RunOptions options;
  options.topology = example("passthrough");
  const Samples samples = stereo(16, 777);
  options.input = write(samples, 16);
  options.output = folder / "out.wav";
  play(options);
  EXPECT_EQ(read(*options.output, 16), samples);
}

TEST_F(RunTest, AMonoFileFeedsBothChannels) {
  RunOptions options;
  options.topology = example("passthrough");
  const Samples samples = all_levels(16, 777);
  options.input = write(samples, 16, 1);
  options.output = folder / "out.wav";
  play(options);
  const Samples out = read(*options.output, 16);
  ASSERT_EQ(out.size(), 2 * samples.size());
  for (std::size_t i = 0; i < samples.size(); ++i) {
    ASSERT_EQ(out[2 * i], samples[i]);
    ASSERT_EQ(out[2 * i + 1], samples[i]);
  }
}

TEST_F(RunTest, CaptureIsExactOnceItsGainIsUp) {
  RunOptions options;
  options.topology = example("capture");
  const Samples samples = stereo(16, 3000);
  options.input = write(samples, 16);
  options.output = folder / "out.wav";
  const RunReport report = play(options);
  const Samples out = read(*options.output, 16);
  ASSERT_EQ(out.size(), samples.size());
  EXPECT_EQ(report.frames_out, 3000U);
  EXPECT_EQ(out[0], 0);
  // 20 ms of ramp are 960 frames.
  EXPECT_NE(Samples(out.begin(), out.begin() + 960),
            Samples(samples.begin(), samples.begin() + 960));
  EXPECT_EQ(Samples(out.begin() + 1920, out.end()), Samples(samples.begin() + 1920, samples.end()));
}

// --- lengths and rates ---

TEST_F(RunTest, SecondsEndTheRunOrGoOnInSilence) {
  const Samples samples = stereo(16, 4800);
  RunOptions options;
  options.topology = example("passthrough");
  options.input = write(samples, 16);
  options.output = folder / "out.wav";
  const std::pair<double, std::uint64_t> lengths[] = {{0.05, 2400},  {0.0125, 600},  {0.1, 4800},
                                                      {0.000001, 1}, {0.0000209, 2}, {0.25, 12000}};
  for (const auto& [seconds, frames] : lengths) {
    options.seconds = seconds;
    const RunReport report = play(options);
    EXPECT_EQ(report.periods, static_cast<std::uint64_t>(std::ceil(seconds * 1000 - 1e-9)));
    EXPECT_EQ(report.frames_out, frames) << seconds;
    Samples expected = samples;
    expected.resize(2 * frames);
    EXPECT_EQ(read(*options.output, 16), expected) << seconds;
  }
}

TEST_F(RunTest, AFileOfAnyRateHasItsLengthPlayed) {
  RunOptions options;
  options.topology = example("passthrough");
  options.output = folder / "out.wav";
  for (const std::uint32_t rate : {8000U, 11025U, 22050U, 44100U, 48000U}) {
    for (const std::size_t frames : {1U, 441U, 12'345U}) {
      options.input = write(stereo(16, frames), 16, 2, rate);
      play(options);
      EXPECT_EQ(frames_of(*options.output), (frames * 48000 + rate - 1) / rate)
          << frames << " frames at " << rate << " Hz";
    }
  }
}

TEST_F(RunTest, RatesAndChannelsMayChangeOnTheWay) {
  RunOptions options;
  options.topology = test_topology("rate-change");
  options.input = write(Samples(9600, 1000), 16);
  options.output = folder / "out.wav";
  const RunReport report = play(options);
  EXPECT_EQ(report.xruns, 0U);
  EXPECT_EQ(report.frames_in, 4800U);
  EXPECT_EQ(report.frames_out, 4410U);
  EXPECT_EQ(AudioReader(*options.output).format(), (StreamFormat{44100, 1, SampleFormat::s32}));
  EXPECT_EQ(read(*options.output, 16), Samples(4410, 1000));
}

// --- which streams ---

std::set<std::string> entries(const std::filesystem::path& path) {
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(path)) {
    names.insert(entry.path().filename().string());
  }
  return names;
}

TEST_F(RunTest, AFolderTakesEverySink) {
  RunOptions options;
  options.topology = example("playback-and-capture");
  options.input = write(stereo(16, 100), 16);
  options.output = folder / "new/folder/";
  const RunReport report = play(options);
  const std::set<std::string> expected = {"dai-copier.SSP.Speaker.playback.wav",
                                          "host-copier.2.capture.wav"};
  EXPECT_EQ(entries(*options.output), expected);
  EXPECT_EQ(report.files.size(), 2U);
  for (const auto& file : report.files) {
    EXPECT_EQ(frames_of(file), 100U) << file;
  }
  // The same folder once more, now that it is there, without a slash.
  options.output = folder / "new/folder";
  options.pipelines = {4};
  EXPECT_EQ(play(options).files.size(), 1U);
  EXPECT_EQ(entries(*options.output), expected);
}

TEST_F(RunTest, AFileTakesTheFirstPlaybackPcm) {
  RunOptions options;
  options.topology = test_topology("exact");
  const Samples samples = stereo(16, 100);
  options.input = write(samples, 16);
  options.output = folder / "out.wav";
  play(options);
  EXPECT_EQ(read(*options.output, 16), samples);
  EXPECT_EQ(entries(folder.path()), (std::set<std::string>{"in.wav", "out.wav"}));
  // Of those that are played.
  options.pipelines = {4, 2};
  play(options);
  const Samples halves = read(*options.output, 16);
  EXPECT_EQ(halves[0], 16384);
  // Capture where nothing else is.
  options.topology = example("playback-and-capture");
  options.pipelines = {5};
  play(options);
  EXPECT_EQ(AudioReader(*options.output).sample(), SampleFormat::s16);
}

TEST_F(RunTest, PipelinesBringThoseTheyAreConnectedTo) {
  RunOptions options;
  options.topology = example("playback-and-capture");
  options.input = write(stereo(16, 100), 16);
  const auto ids = [&](const std::vector<std::uint32_t>& pipelines) {
    options.pipelines = pipelines;
    const RunReport report = play(options);
    std::vector<std::uint32_t> result;
    for (const PipelineReport& pipeline : report.pipelines) {
      result.push_back(pipeline.id);
    }
    for (const ModuleReport& module : report.modules) {
      EXPECT_EQ(std::count(result.begin(), result.end(), module.pipeline), 1);
    }
    return result;
  };
  using Ids = std::vector<std::uint32_t>;
  EXPECT_EQ(ids({}), (Ids{1, 2, 3, 4, 5}));
  EXPECT_EQ(ids({1}), (Ids{1, 2, 3}));
  EXPECT_EQ(ids({4}), (Ids{4, 5}));
  EXPECT_EQ(ids({5, 2}), (Ids{1, 2, 3, 4, 5}));
}

// --- the report ---

TEST_F(RunTest, FiguresAddUp) {
  RunOptions options;
  options.topology = example("playback-and-capture");
  options.input = write(stereo(16, 500), 16);
  for (const char* platform : {"mtl", "mcu"}) {
    for (const char* policy : {"elastic", "single"}) {
      options.platform = platform;
      options.policy = policy;
      const RunReport report = play(options);
      EXPECT_EQ(report.platform, platform);
      EXPECT_EQ(report.policy, policy);
      EXPECT_EQ(report.mapped_bytes, report.boot_mapped_bytes);
      std::size_t mapped = 0;
      for (const HeapNote& heap : report.heaps) {
        mapped += heap.figures.mapped_bytes;
        EXPECT_LE(heap.figures.live_bytes, heap.figures.peak_live_bytes) << heap.name;
        EXPECT_LE(heap.figures.mapped_bytes, heap.figures.peak_mapped_bytes) << heap.name;
        EXPECT_GE(heap.figures.allocations, heap.figures.frees) << heap.name;
        EXPECT_EQ(heap.figures.failures, 0U) << heap.name;
      }
      EXPECT_EQ(mapped, report.live_mapped_bytes);
      EXPECT_LE(report.live_mapped_bytes, report.peak_mapped_bytes);
      EXPECT_LE(report.banks_on, report.banks_on_peak);
      EXPECT_LE(report.banks_on_peak, report.banks);
      // Nothing changes while it plays.
      EXPECT_DOUBLE_EQ(report.banks_on_mean, report.banks_on);
      EXPECT_DOUBLE_EQ(report.mapped_mean_bytes, static_cast<double>(report.live_mapped_bytes));
      EXPECT_EQ(report.modules.size(), 12U);
      EXPECT_EQ(report.periods, 11U);
      EXPECT_EQ(report.frames_in, 3U * 500);
      EXPECT_EQ(report.frames_out, 2U * 500);
      EXPECT_EQ(report.audio_path_allocations, 0U);
      EXPECT_EQ(report.xruns, 0U);
      EXPECT_TRUE(report.leaks.empty());
      EXPECT_TRUE(report.faults.empty());
      EXPECT_FALSE(report.failure);
    }
  }
}

TEST_F(RunTest, CyclesEndWhereTheyBegan) {
  RunOptions options;
  options.topology = example("playback-and-capture");
  options.input = write(stereo(16, 500), 16);
  options.output = folder / "out.wav";
  const RunReport once = play(options);
  options.cycles = 20;
  std::vector<std::uint64_t> steps;
  const RunReport often = run(options, [&](std::uint64_t done, std::uint64_t total) {
    EXPECT_EQ(total, 19U + 11U);
    steps.push_back(done);
  });
  EXPECT_FALSE(often.failed());
  EXPECT_EQ(often.cycles, 20U);
  EXPECT_EQ(often.mapped_bytes, once.mapped_bytes);
  EXPECT_EQ(often.peak_mapped_bytes, once.peak_mapped_bytes);
  EXPECT_EQ(often.live_mapped_bytes, once.live_mapped_bytes);
  EXPECT_EQ(often.metadata_bytes, once.metadata_bytes);
  EXPECT_EQ(often.frames_out, once.frames_out);
  EXPECT_EQ(frames_of(*options.output), 500U);
  EXPECT_TRUE(std::is_sorted(steps.begin(), steps.end()));
  EXPECT_EQ(steps.back(), 30U);
}

TEST_F(RunTest, RunningOutOfMemoryIsReportedAndLeavesFilesAlone) {
  RunOptions options;
  options.topology = test_topology("too-large");
  options.input = write(stereo(16, 500), 16);
  options.output = folder / "out.wav";
  options.platform = "mcu";
  write_file(*options.output, "what was here before");
  for (const char* policy : {"elastic", "single"}) {
    options.policy = policy;
    const RunReport report = run(options, [](std::uint64_t, std::uint64_t) {});
    EXPECT_TRUE(report.failed());
    ASSERT_TRUE(report.failure);
    EXPECT_EQ(report.failed_step, "creating stand-in.1.2");
    EXPECT_EQ(report.failure->figures.bytes, 614400U);
    EXPECT_LT(report.failure->figures.largest_request, 614400U);
    EXPECT_EQ(report.mapped_bytes, report.boot_mapped_bytes);
    EXPECT_GE(report.live_mapped_bytes, report.boot_mapped_bytes);
    EXPECT_TRUE(report.leaks.empty());
    EXPECT_TRUE(report.files.empty());
    EXPECT_EQ(report.frames_out, 0U);
    EXPECT_EQ(read_file(*options.output), "what was here before");
    EXPECT_EQ(entries(folder.path()), (std::set<std::string>{"in.wav", "out.wav"}));
  }
}

// --- bad input ---

TEST_F(RunTest, BadInputIsNamed) {
  const std::filesystem::path input = write(stereo(16, 10), 16);
  const auto refused = [&](const auto& change, const std::string& name) {
    RunOptions options;
    options.topology = example("passthrough");
    options.input = input;
    options.output = folder / "out.wav";
    change(options);
    try {
      run(options, [](std::uint64_t, std::uint64_t) {});
      ADD_FAILURE() << name << ": no error";
    } catch (const InputError& error) {
      const std::string message = error.what();
      EXPECT_NE(message.find(name), std::string::npos) << message;
      EXPECT_EQ(message.find('\n'), std::string::npos) << message;
    }
    EXPECT_EQ(entries(folder.path()), (std::set<std::string>{"in.wav"})) << name;
  };
  refused([](RunOptions& o) { o.platform = "z80"; }, "z80");
  refused([](RunOptions& o) { o.policy = "generous"; }, "generous");
  refused([](RunOptions& o) { o.pipelines = {1, 99}; }, "99");
  refused([&](RunOptions& o) { o.topology = folder / "no.tplg"; }, "no.tplg");
  refused([&](RunOptions& o) { o.topology = input; }, "in.wav");
  refused([&](RunOptions& o) { o.topology = folder.path(); }, folder.path().string());
  refused([&](RunOptions& o) { o.input = folder / "no.wav"; }, "no.wav");
  refused([&](RunOptions& o) { o.input = example("passthrough"); }, "passthrough.tplg");
  refused([&](RunOptions& o) { o.output = folder / "no/such/out.wav"; }, "no/such/out.wav");
  refused([&](RunOptions& o) { o.output = input / "out/"; }, "in.wav/out");
}

}  // namespace
}  // namespace modmem::testbench
