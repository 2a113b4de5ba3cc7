// process() of every module allocates nothing, neither from modmem nor from the host.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "port/host/host_port.hpp"
#include "testbench/audio_path_guard.hpp"
#include "testbench/input_error.hpp"
#include "testbench/modules/factory.hpp"
#include "testbench/modules/gain.hpp"
#include "testbench/modules/modules_testing.hpp"

namespace modmem::testbench {
namespace {

using AudioPathTest = ModuleTest;

constexpr std::uint32_t kRates[] = {48000, 16000, 44100};

// One period of `module` for all combinations of formats, on the audio path.
void play(Module& module, ModuleMemory& memory) {
  for (const SampleFormat from : kSampleFormats) {
    for (const SampleFormat to : kSampleFormats) {
      for (const std::uint32_t rate : kRates) {
        const Signal first = random_signal({48000, 2, from}, 48);
        const Signal second = random_signal({48000, 1, from}, 48);
        Signal near({48000, 4, to}, 48);
        Signal far({rate, 2, to}, rate / 1000);
        const std::array in_formats = {first.format, second.format};
        const std::array out_formats = {near.format, far.format};
        try {
          ASSERT_TRUE(module.prepare(in_formats, out_formats, memory));
        } catch (const InputError&) {
          ASSERT_NE(rate, 48000U) << "one rate suits every module";
          continue;
        }
        module.trigger();
        {
          const AudioPathScope scope;
          const std::array inputs = {first.input(), second.input()};
          const std::array outputs = {near.output(), far.output()};
          module.process(inputs, outputs);
          module.process({}, outputs);
          module.process(inputs, {});
        }
        module.reset(memory);
      }
    }
  }
}

TEST_F(AudioPathTest, NoModuleAllocates) {
  std::vector<std::pair<Uuid, WidgetType>> kinds = {{Uuid{}, WidgetType::effect}};  // placeholder
  for (const ModuleInfo& module : known_modules()) {
    kinds.emplace_back(module.uuid, WidgetType::effect);
  }
  for (const WidgetType end :
       {WidgetType::aif_in, WidgetType::aif_out, WidgetType::dai_in, WidgetType::dai_out}) {
    kinds.emplace_back(kCopierUuid, end);
  }
  Widget widget;
  widget.gain =
      GainSettings{.curve_type = 1, .curve_duration = 200'000, .initial_value = 0x40000000};
  widget.deep_buffer_ms = 10;
  for (const auto& [uuid, type] : kinds) {
    widget.type = type;
    SCOPED_TRACE(to_string(uuid));
    const std::uint64_t before = host_allocations_on_audio_path();
    const ModuleHandle<Module> module = make_module(uuid, memory);
    ASSERT_TRUE(module);
    ASSERT_TRUE(module->init(widget, memory));
    play(*module, memory);
    EXPECT_EQ(host_allocations_on_audio_path(), before);
    EXPECT_EQ(system.memory().audio_path_calls(), 0U);
  }
}

TEST_F(AudioPathTest, NorDoesSettingAGain) {
  Gain gain;
  const StreamFormat format;
  ASSERT_TRUE(gain.init(Widget{}, memory));
  ASSERT_TRUE(gain.prepare({&format, 1}, {&format, 1}, memory));
  const std::uint64_t before = host_allocations_on_audio_path();
  {
    const AudioPathScope scope;
    EXPECT_TRUE(gain.set_gain(std::nullopt, 0x12345678));
  }
  EXPECT_EQ(host_allocations_on_audio_path(), before);
  EXPECT_EQ(system.memory().audio_path_calls(), 0U);
}

// The guard sees what it is there for, or the tests above would prove nothing.
TEST_F(AudioPathTest, TheGuardCountsWhatModulesMustNotDo) {
  const std::uint64_t before = host_allocations_on_audio_path();
  {
    const AudioPathScope scope;
    auto* const volatile block = new int(1);
    delete block;
  }
  EXPECT_EQ(host_allocations_on_audio_path(), before + 2);
  {
    const AudioPathScope scope;
    memory.free(memory.allocate(16));
  }
  EXPECT_EQ(system.memory().audio_path_calls(), 2U);
}

}  // namespace
}  // namespace modmem::testbench
