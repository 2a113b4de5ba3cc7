#include "testbench/modules/copier.hpp"

#include "testbench/modules/modules_testing.hpp"

namespace modmem::testbench {
namespace {

class CopierTest : public ModuleTest {
 protected:
  CopierTest() { EXPECT_TRUE(copier.init(Widget{}, memory)); }

  Copier copier;
};

TEST_F(CopierTest, PassesEveryFormatBitForBit) {
  for (const SampleFormat sample : kSampleFormats) {
    const Signal in = random_signal({48000, 2, sample}, 48);
    Signal out(in.format, 48, std::byte{0xa5});
    ASSERT_TRUE(copier.prepare({&in.format, 1}, {&out.format, 1}, memory));
    process(copier, in.input(), out.output());
    EXPECT_EQ(out.data, in.data);
    copier.reset(memory);
  }
}

TEST_F(CopierTest, EveryOutputGetsACopyInItsOwnFormat) {
  const Signal in = random_signal({48000, 1, SampleFormat::s16}, 48);
  const InputView view = in.input();
  Signal same(in.format, 48);
  Signal wide({48000, 2, SampleFormat::s32}, 48);
  Signal middle({48000, 1, SampleFormat::s24_4le}, 48);
  Signal quad({48000, 4, SampleFormat::s16}, 48);
  const std::array outputs = {same.output(), wide.output(), middle.output(), quad.output()};
  copier.process({&view, 1}, outputs);
  EXPECT_EQ(same.data, in.data);
  for (std::size_t i = 0; i < 48; ++i) {
    EXPECT_EQ(wide.at(2 * i), in.at(i) * 65536);
    EXPECT_EQ(wide.at(2 * i + 1), in.at(i) * 65536);
    EXPECT_EQ(middle.at(i), in.at(i) * 256);
    for (std::size_t channel = 0; channel < 4; ++channel) {
      EXPECT_EQ(quad.at(4 * i + channel), in.at(i));
    }
  }
}

TEST_F(CopierTest, WithoutAnInputTheOutputsAreSilent) {
  Signal out({48000, 2, SampleFormat::s16}, 48, std::byte{0xa5});
  const OutputView view = out.output();
  copier.process({}, {&view, 1});
  EXPECT_EQ(out.data, Signal(out.format, 48).data);
}

TEST_F(CopierTest, TakesNoMemory) {
  const StreamFormat format;
  ASSERT_TRUE(copier.prepare({&format, 1}, {&format, 1}, memory));
  EXPECT_EQ(memory.high_water_mark(), 0U);
}

}  // namespace
}  // namespace modmem::testbench
