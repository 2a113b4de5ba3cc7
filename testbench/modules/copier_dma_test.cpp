// Host and DAI copiers: the memory that they share with hardware.
#include "testbench/modules/copier.hpp"
#include "testbench/modules/modules_testing.hpp"

namespace modmem::testbench {
namespace {

constexpr std::array kEnds = {WidgetType::aif_in, WidgetType::aif_out, WidgetType::dai_in,
                              WidgetType::dai_out};

PinFormat pin_format(const StreamFormat& format, std::uint32_t bytes) {
  PinFormat pin;
  pin.rate = format.rate;
  pin.channels = format.channels;
  pin.bits = pin.valid_bits = static_cast<std::uint32_t>(8 * sample_bytes(format.sample));
  pin.buffer_bytes = bytes;
  return pin;
}

Widget end(WidgetType type) {
  Widget widget;
  widget.type = type;
  return widget;
}

bool contains(std::span<const std::byte> buffer, const std::vector<std::byte>& run) {
  return std::search(buffer.begin(), buffer.end(), run.begin(), run.end()) != buffer.end();
}

class CopierDmaTest : public ModuleTest {
 protected:
  // The buffer's size for `widget` between these formats.
  std::size_t buffer_bytes(const Widget& widget, const StreamFormat& in, const StreamFormat& out) {
    Copier copier;
    EXPECT_TRUE(copier.init(widget, memory));
    const std::size_t for_life = memory.held_bytes();
    EXPECT_TRUE(copier.prepare({&in, 1}, {&out, 1}, memory));
    const std::size_t bytes = copier.dma_buffer().size();
    EXPECT_EQ(memory.held_bytes(), for_life + bytes);
    copier.reset(memory);
    EXPECT_EQ(memory.held_bytes(), for_life);
    EXPECT_TRUE(copier.dma_buffer().empty());
    return bytes;
  }
};

const StreamFormat kNarrow{48000, 2, SampleFormat::s16};
const StreamFormat kWide{48000, 2, SampleFormat::s32};

TEST_F(CopierDmaTest, TakesTwoPeriodsOfWhatHardwareSeesWhereNothingIsDeclared) {
  for (const WidgetType type : {WidgetType::aif_in, WidgetType::dai_out}) {
    EXPECT_EQ(buffer_bytes(end(type), kNarrow, kWide), 2 * 48 * 4U);
  }
  for (const WidgetType type : {WidgetType::aif_out, WidgetType::dai_in}) {
    EXPECT_EQ(buffer_bytes(end(type), kNarrow, kWide), 2 * 48 * 8U);
  }
  const StreamFormat uneven{44100, 2, SampleFormat::s16};
  EXPECT_EQ(buffer_bytes(end(WidgetType::aif_in), uneven, uneven), 2 * 45 * 4U);
}

TEST_F(CopierDmaTest, TakesTwoPeriodsAsTheWidgetDeclaresThem) {
  for (const WidgetType type : kEnds) {
    Widget widget = end(type);
    widget.inputs = {pin_format(kNarrow, 1000), pin_format(kWide, 1001)};
    widget.outputs = {pin_format(kWide, 2000), pin_format(kNarrow, 2001)};
    const bool playback = type == WidgetType::aif_in || type == WidgetType::dai_in;
    EXPECT_EQ(buffer_bytes(widget, kNarrow, kWide), playback ? 2000U : 4000U);
    EXPECT_EQ(buffer_bytes(widget, kWide, kNarrow), playback ? 2002U : 4002U);
  }
}

TEST_F(CopierDmaTest, NeverTakesLessThanTwoPeriodsOfWhatPassesThrough) {
  for (const WidgetType type : kEnds) {
    Widget widget = end(type);
    widget.inputs = {pin_format(kWide, 12)};
    widget.outputs = {pin_format(kWide, 12)};
    EXPECT_EQ(buffer_bytes(widget, kWide, kWide), 2 * 48 * 8U);
  }
}

TEST_F(CopierDmaTest, OtherCopiersTakeNothing) {
  for (const WidgetType type : {WidgetType::buffer, WidgetType::mixer, WidgetType::effect}) {
    Widget widget = end(type);
    widget.inputs = {pin_format(kWide, 384)};
    widget.outputs = {pin_format(kWide, 384)};
    widget.deep_buffer_ms = 100;
    EXPECT_EQ(buffer_bytes(widget, kWide, kWide), 0U);
    EXPECT_EQ(memory.high_water_mark(), 0U);
  }
}

TEST_F(CopierDmaTest, TheBufferIsCoherentAndAlignedForDma) {
  const PlatformConfig& platform = system.memory().config();
  for (const WidgetType type : kEnds) {
    Copier copier;
    ASSERT_TRUE(copier.init(end(type), memory));
    ASSERT_TRUE(copier.prepare({&kWide, 1}, {&kWide, 1}, memory));
    const std::byte* data = copier.dma_buffer().data();
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(data) % platform.dma_alignment, 0U);
    const std::byte* uncached = system.port().window() + system.port().alias_offset();
    EXPECT_GE(data, uncached);
    EXPECT_LT(data, uncached + platform.window_bytes);
    copier.reset(memory);
  }
}

// The buffer has one frame more than a period does twice, so that the frames turn in it.
TEST_F(CopierDmaTest, AudioPassesThroughTheBufferBitForBitAndWithoutDelay) {
  for (const WidgetType type : kEnds) {
    for (const SampleFormat sample : kSampleFormats) {
      const StreamFormat format{48000, 2, sample};
      const auto bytes = static_cast<std::uint32_t>(48 * format.frame_bytes());
      Widget widget = end(type);
      widget.inputs = widget.outputs = {pin_format(format, bytes + 4)};
      Copier copier;
      ASSERT_TRUE(copier.init(widget, memory));
      ASSERT_TRUE(copier.prepare({&format, 1}, {&format, 1}, memory));
      const Signal in = random_signal(format, std::size_t{48} * 20);
      Signal out(format, in.frames(), std::byte{0xa5});
      for (std::size_t at = 0; at < in.frames(); at += 48) {
        process(copier, in.input(at, 48), out.output(at, 48));
        const std::byte* period = in.data.data() + at * format.frame_bytes();
        EXPECT_TRUE(contains(copier.dma_buffer(), {period, period + format.frame_bytes()}));
      }
      EXPECT_EQ(out.data, in.data);
      copier.reset(memory);
    }
  }
}

TEST_F(CopierDmaTest, HardwareSeesItsOwnFormat) {
  const Signal in = random_signal(kNarrow, 48);
  for (const WidgetType type : kEnds) {
    Copier copier;
    ASSERT_TRUE(copier.init(end(type), memory));
    ASSERT_TRUE(copier.prepare({&kNarrow, 1}, {&kWide, 1}, memory));
    Signal out(kWide, 48);
    process(copier, in.input(), out.output());
    for (std::size_t i = 0; i < out.samples(); ++i) {
      ASSERT_EQ(out.at(i), in.at(i) * 65536);
    }
    const bool at_input = type == WidgetType::aif_in || type == WidgetType::dai_out;
    EXPECT_TRUE(contains(copier.dma_buffer(), at_input ? in.data : out.data));
    copier.reset(memory);
  }
}

TEST_F(CopierDmaTest, TheLastOutputIsHardwares) {
  const Signal in = random_signal(kNarrow, 48);
  const std::array formats = {kNarrow, kWide};
  Copier copier;
  ASSERT_TRUE(copier.init(end(WidgetType::dai_in), memory));
  ASSERT_TRUE(copier.prepare({&in.format, 1}, formats, memory));
  EXPECT_EQ(copier.dma_buffer().size(), 2 * 48 * 8U);
  Signal tap(kNarrow, 48);
  Signal out(kWide, 48);
  const InputView input = in.input();
  const std::array outputs = {tap.output(), out.output()};
  copier.process({&input, 1}, outputs);
  EXPECT_EQ(tap.data, in.data);
  EXPECT_TRUE(contains(copier.dma_buffer(), out.data));
  copier.reset(memory);
}

// As without a buffer, whatever the rates: it is no place where audio could change.
TEST_F(CopierDmaTest, TurnsOfMoreThanItHoldsComeOutAsOneRun) {
  for (const WidgetType type : kEnds) {
    for (const std::uint32_t rate : {48000U, 44100U, 16000U}) {
      const Signal in = random_signal({rate, 2, SampleFormat::s32}, rate / 125);
      Copier plain;
      Copier copier;
      Signal expected({48000, 2, SampleFormat::s16}, 384);
      Signal out(expected.format, 384, std::byte{0xa5});
      ASSERT_TRUE(copier.init(end(type), memory));
      ASSERT_TRUE(copier.prepare({&in.format, 1}, {&out.format, 1}, memory));
      process(plain, in.input(), expected.output());
      process(copier, in.input(), out.output());
      EXPECT_EQ(out.data, expected.data) << rate;
      // And what is short or absent is silent.
      process(plain, in.input(0, 10), expected.output());
      process(copier, in.input(0, 10), out.output());
      EXPECT_EQ(out.data, expected.data) << rate;
      process(copier, {in.format, nullptr, 0}, out.output());
      EXPECT_EQ(out.data, Signal(out.format, 384).data);
      copier.reset(memory);
    }
  }
}

TEST_F(CopierDmaTest, TheHostsPaceIsThePeriods) {
  Copier copier;
  ASSERT_TRUE(copier.init(end(WidgetType::aif_in), memory));
  ASSERT_TRUE(copier.prepare({&kWide, 1}, {&kWide, 1}, memory));
  EXPECT_EQ(copier.host_frames(48), 48U);
  EXPECT_EQ(copier.most_host_frames(48), 48U);
  copier.reset(memory);
}

TEST_F(CopierDmaTest, ReportsThatMemoryRanOut) {
  limit_memory(700);
  Copier copier;
  ASSERT_TRUE(copier.init(end(WidgetType::aif_in), memory));
  EXPECT_FALSE(copier.prepare({&kWide, 1}, {&kWide, 1}, memory));
  copier.reset(memory);
  Widget widget = end(WidgetType::aif_in);
  widget.inputs.resize(50);
  EXPECT_FALSE(Copier().init(widget, memory));
}

}  // namespace
}  // namespace modmem::testbench
