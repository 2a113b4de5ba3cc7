// Every module copes with audio that comes in bursts, as it does around modules of the
// data-processing domain: nothing for some periods, then many periods' worth at once.
#include <utility>

#include "testbench/modules/blob_testing.hpp"
#include "testbench/modules/crossover.hpp"
#include "testbench/modules/dc_block.hpp"
#include "testbench/modules/drc.hpp"
#include "testbench/modules/eq_fir.hpp"
#include "testbench/modules/eq_iir.hpp"
#include "testbench/modules/factory.hpp"
#include "testbench/modules/modules_testing.hpp"
#include "testbench/modules/selector.hpp"
#include "testbench/modules/standard_blobs_testing.hpp"

namespace modmem::testbench {
namespace {

constexpr std::size_t kPeriod = 48;
constexpr std::size_t kBurst = 8 * kPeriod;

// Every module that there is, at work: with a blob where it takes one.
std::vector<std::pair<Uuid, Widget>> modules_at_work() {
  std::vector<std::pair<Uuid, Widget>> all;
  for (const ModuleInfo& module : known_modules()) {
    all.emplace_back(module.uuid, blob_widget(standard_blob(module.uuid)));
    all.back().second.gain =
        GainSettings{.curve_type = 1, .curve_duration = 200'000, .initial_value = 0x40000000};
  }
  all.emplace_back(Uuid{}, Widget{});
  for (const WidgetType type :
       {WidgetType::aif_in, WidgetType::aif_out, WidgetType::dai_in, WidgetType::dai_out}) {
    all.emplace_back(kCopierUuid, Widget{});
    all.back().second.type = type;
  }
  return all;
}

class BurstTest : public ModuleTest {
 protected:
  // What the module makes of `in`, in bursts of `burst` frames with `pauses` empty calls in between
  // and as many without an output.
  Signal play(const Uuid& uuid, const Widget& widget, const Signal& in, std::size_t burst,
              std::size_t pauses) {
    Signal out(in.format, in.frames(), std::byte{0xa5});
    const ModuleHandle<Module> module = make_module(uuid, memory);
    EXPECT_TRUE(module && module->init(widget, memory));
    EXPECT_TRUE(module->prepare({&in.format, 1}, {&in.format, 1}, memory));
    for (std::size_t at = 0; at < in.frames(); at += burst) {
      const std::size_t frames = std::min(burst, in.frames() - at);
      process(*module, in.input(at, frames), out.output(at, frames));
      for (std::size_t i = 0; i < pauses; ++i) {
        process(*module, {in.format, nullptr, 0}, {in.format, nullptr, 0});
        module->process({}, {});
      }
    }
    module->reset(memory);
    return out;
  }
};

TEST_F(BurstTest, BurstsComeOutAsPeriodsDo) {
  for (const SampleFormat sample : kSampleFormats) {
    const Signal in = random_signal({48000, 2, sample}, 5 * kBurst + 100);
    for (const auto& [uuid, widget] : modules_at_work()) {
      SCOPED_TRACE(to_string(uuid));
      const Signal expected = play(uuid, widget, in, kPeriod, 0);
      EXPECT_EQ(play(uuid, widget, in, kBurst, 7).data, expected.data);
      EXPECT_EQ(play(uuid, widget, in, 1, 1).data, expected.data);
    }
  }
}

// More in than out, and more out than in: what is written is what is due, and nothing else.
TEST_F(BurstTest, NoModuleWritesMoreThanIsDue) {
  const Signal in = random_signal({48000, 2, SampleFormat::s16}, kBurst);
  for (const auto& [uuid, widget] : modules_at_work()) {
    SCOPED_TRACE(to_string(uuid));
    const ModuleHandle<Module> module = make_module(uuid, memory);
    ASSERT_TRUE(module && module->init(widget, memory));
    ASSERT_TRUE(module->prepare({&in.format, 1}, {&in.format, 1}, memory));
    for (const auto& [given, due] : {std::pair{kBurst, kPeriod}, std::pair{kPeriod, kBurst},
                                     std::pair{std::size_t{0}, kPeriod}}) {
      Signal out(in.format, kBurst + 2, std::byte{0xa5});
      process(*module, in.input(0, given), out.output(1, due));
      for (const std::size_t sample : {std::size_t{0}, std::size_t{1}, 2 * (due + 1)}) {
        EXPECT_EQ(static_cast<std::uint16_t>(out.at(sample)), 0xa5a5) << given << ", " << due;
      }
    }
    module->reset(memory);
  }
}

}  // namespace
}  // namespace modmem::testbench
