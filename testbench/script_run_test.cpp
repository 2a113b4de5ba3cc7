// Scripts, from their commands to their report.
#include "testbench/script_run.hpp"

#include <gtest/gtest.h>

#include <fstream>

#include "testbench/audio/audio_reader.hpp"
#include "testbench/audio/audio_testing.hpp"
#include "testbench/input_error.hpp"

namespace modmem::testbench {
namespace {

class ScriptRunTest : public ::testing::Test {
 protected:
  ScriptRunTest() {
    options.topology = std::filesystem::path(MODMEM_EXAMPLES_DIR) / "playback-and-capture.tplg";
    options.input = write_wav("in.wav", 5, 4800);
  }

  // A stereo file of 16 bits whose samples all are `value`.
  std::filesystem::path write_wav(const std::string& name, std::int16_t value, int frames) {
    Wav wav{.channels = 2, .rate = 48000, .bits = 16, .data = {}};
    for (int i = 0; i < 2 * frames; ++i) {
      wav.data += static_cast<char>(value & 0xff);
      wav.data += static_cast<char>(value >> 8);
    }
    std::filesystem::path path = folder / name;
    write_file(path, wav.bytes());
    return path;
  }

  std::filesystem::path write(const std::string& commands) {
    std::filesystem::path path = folder / "a.script";
    std::ofstream(path) << commands;
    return path;
  }
  RunReport run(const std::string& commands) {
    return run_script(write(commands), options, [](std::uint64_t, std::uint64_t) {});
  }

  // Expects that the script is refused for its line `line`, with these words.
  void expect_refused(const std::string& commands, int line, const std::string& words) {
    try {
      run(commands);
      ADD_FAILURE() << commands << ": no error";
    } catch (const InputError& error) {
      const std::string message = error.what();
      EXPECT_EQ(
          message.rfind((folder / "a.script").string() + ":" + std::to_string(line) + ": ", 0), 0U)
          << message;
      EXPECT_NE(message.find(words), std::string::npos) << message;
      EXPECT_EQ(message.find('\n'), std::string::npos) << message;
    }
  }

  // All left samples of what a sink got, on the scale of 16 bits.
  std::vector<std::int32_t> samples(const std::string& sink) {
    AudioReader reader(folder / "out" / (sink + ".wav"));
    const StreamFormat format{reader.rate(), 1, SampleFormat::s32};
    std::vector<std::int32_t> samples(reader.frames());
    reader.read(reinterpret_cast<std::byte*>(samples.data()), format, reader.frames());
    for (std::int32_t& sample : samples) {
      sample >>= 16;
    }
    return samples;
  }

  TemporaryFolder folder;
  RunOptions options;
};

TEST_F(ScriptRunTest, CountsWhatItDid) {
  const RunReport report =
      run("start Music playback\n"
          "wait 20\n"
          "start Notification playback  # beside it\n"
          "wait 30\n"
          "stop Notification playback\n"
          "start Microphone capture\n"
          "wait 50\n"
          "stop Music playback\n");
  EXPECT_FALSE(report.failed());
  ASSERT_TRUE(report.script.has_value());
  EXPECT_EQ(report.script->commands, 8U);
  EXPECT_EQ(report.script->streams_started, 3U);
  EXPECT_EQ(report.script->streams_failed, 0U);
  EXPECT_EQ(report.script->failures, 0U);
  EXPECT_GT(report.script->speed, 0);
  EXPECT_EQ(report.periods, 100U);
  EXPECT_EQ(report.xruns, 0U);
  EXPECT_EQ(report.frames_in, (100U + 30 + 50) * 48);
  EXPECT_EQ(report.frames_out, (100U + 50) * 48);
  // Of all that ever was; what is gone holds nothing.
  EXPECT_EQ(report.modules.size(), 12U);
  EXPECT_EQ(report.pipelines.size(), 5U);
  for (const PipelineReport& pipeline : report.pipelines) {
    EXPECT_EQ(pipeline.live_bytes != 0, pipeline.id >= 4) << pipeline.name;
    EXPECT_GT(pipeline.peak_live_bytes, 0U);
    EXPECT_GT(pipeline.peak_mapped_bytes, 0U);
    EXPECT_GT(pipeline.allocations, 0U);
  }
  EXPECT_EQ(report.mapped_bytes, report.boot_mapped_bytes);
  EXPECT_LT(report.live_mapped_bytes, report.peak_mapped_bytes);
  EXPECT_LT(report.mapped_mean_bytes, static_cast<double>(report.peak_mapped_bytes));
  EXPECT_GT(report.mapped_mean_bytes, static_cast<double>(report.live_mapped_bytes));
}

TEST_F(ScriptRunTest, TimeInWhichNothingPlaysPassesAsWell) {
  const RunReport report =
      run("wait 86400000\n"
          "start Music playback\n"
          "wait 10\n"
          "pause Music playback\n"
          "wait 86400000\n");
  EXPECT_EQ(report.periods, 2 * 86400000U + 10);
  EXPECT_EQ(report.frames_in, 480U);
  EXPECT_GT(report.mapped_mean_bytes, static_cast<double>(report.boot_mapped_bytes));
  EXPECT_FALSE(report.failed());
}

TEST_F(ScriptRunTest, CompactionSavesBanksAndChangesNoAudio) {
  // What starts first and ends first leaves its frames free below the others'.
  const char* script =
      "start Music playback\n"
      "start Microphone capture\n"
      "wait 10\n"
      "stop Music playback\n"
      "wait 30\n";
  options.compact = 0;
  const RunReport scattered = run(script);
  options.compact = 1;
  const RunReport compact = run(script);
  EXPECT_EQ(scattered.frames_moved, 0U);
  EXPECT_LE(compact.banks_on, scattered.banks_on);
  EXPECT_LE(compact.banks_on_mean, scattered.banks_on_mean);
  EXPECT_EQ(compact.frames_out, scattered.frames_out);
  EXPECT_EQ(compact.live_mapped_bytes, scattered.live_mapped_bytes);
  EXPECT_FALSE(compact.failed());
  // The time of the audio, whatever passed on the host.
  EXPECT_DOUBLE_EQ(static_cast<double>(compact.energy.total_us), compact.banks_on_mean * 40'000);
  EXPECT_EQ(compact.energy.total_us,
            compact.energy.heaps_us + compact.energy.ended_us + compact.energy.idle_us);
  EXPECT_GT(compact.energy.ended_us, 0U);
}

TEST_F(ScriptRunTest, FilesStartWithTheirStreamsAndSinksWriteWhileTheyRun) {
  options.topology = std::filesystem::path(MODMEM_TEST_TOPOLOGIES_DIR) / "exact.tplg";
  options.output = folder / "out";
  write_wav("other file.wav", 70, 480);
  const RunReport report =
      run("start First playback \"other file.wav\"\n"
          "wait 5\n"  // 70
          "start Second playback\n"
          "wait 2\n"  // 75
          "pause First playback\n"
          "wait 3\n"  // 5
          "start First playback\n"
          "wait 4\n"  // 75 for 3 ms, then the file has ended
          "stop First playback\n"
          "start First playback \"other file.wav\"\n"
          "wait 1\n"  // 75: from its start
          "stop First playback\n"
          "stop Second playback\n"
          "wait 100\n"  // nothing
          "start Same playback\n"
          "wait 6\n"
          "reset Same playback\n"
          "wait 6\n"
          "start Same playback\n"
          "wait 95\n"    // from its start again
          "wait 10\n");  // and beyond its end
  EXPECT_FALSE(report.failed());
  std::vector<std::int32_t> expected;
  for (const auto& [ms, value] : {std::pair{5, 70}, {2, 75}, {3, 5}, {3, 75}, {1, 5}, {1, 75}}) {
    expected.insert(expected.end(), static_cast<std::size_t>(48 * ms), value);
  }
  EXPECT_EQ(samples("dai-copier.SSP.Double.playback"), expected);
  expected.assign(std::size_t{6 + 100} * 48, 5);
  expected.resize(std::size_t{6 + 105} * 48, 0);
  EXPECT_EQ(samples("dai-copier.SSP.Same.playback"), expected);
  EXPECT_EQ(report.files.size(), 2U);
  EXPECT_EQ(report.xruns, 0U);
}

TEST_F(ScriptRunTest, ControlsReachTheirModulesNowAndLater) {
  const auto speaker = [&](const std::string& commands) {
    options.output = folder / "out";
    const RunReport report = run(commands);
    EXPECT_FALSE(report.failed());
    return samples("dai-copier.SSP.Speaker.playback");
  };
  const std::vector<std::int32_t> usual = speaker("start Music playback\nwait 90\n");
  EXPECT_NE(usual.back(), 0);
  const std::vector<std::int32_t> heard = speaker(
      "set \"Speaker Playback Volume\" 0\n"  // before anybody is there to be told
      "start Music playback\n"
      "wait 90\n"
      "reset Music playback\n"
      "set \"gain.3.1 Speaker Playback Volume\" 45 45\n"
      "start Music playback\n"
      "wait 90\n");
  ASSERT_EQ(heard.size(), 2 * usual.size());
  EXPECT_EQ(heard.at(usual.size() - 1), 0);
  EXPECT_NE(heard.back(), 0);
}

TEST_F(ScriptRunTest, WhatMakesNoSenseIsNamedBeforeAnythingRuns) {
  options.output = folder / "out";
  expect_refused("wait 1\nstart Musik playback\n", 2, "Musik");
  expect_refused("start Music capture\n", 1, "capture");
  expect_refused("start Music playback\nstart Music playback\n", 2, "running already");
  expect_refused("stop Music playback\n", 1, "not been started");
  expect_refused("start Music playback\npause Music playback\n\npause Music playback\n", 4,
                 "not running");
  expect_refused("reset Music playback\n", 1, "neither running nor paused");
  expect_refused("set \"No Such Volume\" 1\n", 1, "No Such Volume");
  expect_refused("set \"Music Playback Volume\" 1000000\n", 1, "these values");
  expect_refused("set \"Music Playback Volume\" 1 2 3\n", 1, "these values");
  expect_refused("set \"Music Playback Volume\" blob in.wav\n", 1, "no blob");
  expect_refused("trigger nobody\n", 1, "nobody");
  expect_refused("trigger gain.1.1\n", 1, "not running");
  expect_refused("start Music playback\nwait 1\ntrigger gain.1.1\n", 3, "trigger");
  expect_refused("what\n", 1, "what");
  EXPECT_THROW(run("start Music playback missing.wav\n"), InputError);
  options.policy = "no such policy";
  EXPECT_THROW(run("wait 1\n"), InputError);
}

TEST_F(ScriptRunTest, WhatDoesNotFitIsCountedAndTheRestGoesOn) {
  options.topology = std::filesystem::path(MODMEM_TEST_TOPOLOGIES_DIR) / "two-sizes.tplg";
  options.platform = "mcu";
  const RunReport report =
      run("start Small playback\n"
          "wait 10\n"
          "start Large playback\n"
          "wait 10\n"
          "pause Large playback\n"  // it never came
          "start Large playback\n"
          "reset Large playback\n"
          "stop Large playback\n"
          "wait 10\n");
  EXPECT_TRUE(report.failed());
  EXPECT_EQ(report.script->commands, 9U);
  EXPECT_EQ(report.script->streams_started, 1U);
  EXPECT_EQ(report.script->streams_failed, 2U);
  EXPECT_EQ(report.script->failures, 2U);
  EXPECT_EQ(report.failed_step.rfind((folder / "a.script").string() + ":3: ", 0), 0U)
      << report.failed_step;
  EXPECT_TRUE(report.failure.has_value());
  EXPECT_EQ(report.periods, 30U);
  EXPECT_EQ(report.frames_in, 30U * 48);
  EXPECT_EQ(report.xruns, 0U);
  EXPECT_TRUE(report.leaks.empty());
  EXPECT_EQ(report.mapped_bytes, report.boot_mapped_bytes);
}

}  // namespace
}  // namespace modmem::testbench
