#include "testbench/modules/placeholder.hpp"

#include "modmem/config.hpp"
#include "testbench/modules/controls_testing.hpp"
#include "testbench/modules/modules_testing.hpp"

namespace modmem::testbench {
namespace {

using PlaceholderTest = ModuleTest;

Widget widget(std::optional<std::uint32_t> heap_bytes, std::optional<std::uint32_t> is_pages) {
  Widget result;
  result.heap_bytes = heap_bytes;
  result.is_pages = is_pages;
  return result;
}

TEST_F(PlaceholderTest, TakesTheMemoryThatTheTopologyDeclares) {
  struct Case {
    std::optional<std::uint32_t> heap_bytes;
    std::optional<std::uint32_t> is_pages;
    std::size_t expected;
  };
  for (const Case& c : {
           Case{std::nullopt, std::nullopt, config::kPageBytes},
           Case{std::nullopt, 1, config::kPageBytes},
           Case{std::nullopt, 3, 3 * config::kPageBytes},
           Case{std::nullopt, 0, config::kPageBytes},
           Case{24576, 3, 24576},
           Case{100, std::nullopt, 100},
           Case{0, 2, 2 * config::kPageBytes},
       }) {
    Placeholder module;
    ASSERT_TRUE(module.init(widget(c.heap_bytes, c.is_pages), memory));
    EXPECT_EQ(memory.held_bytes(), c.expected);
  }
  EXPECT_EQ(memory.held_bytes(), 0U);
}

TEST_F(PlaceholderTest, AnAbsurdDeclarationIsARequestThatFails) {
  Placeholder module;
  EXPECT_FALSE(module.init(widget(UINT32_MAX, std::nullopt), memory));
  EXPECT_FALSE(module.init(widget(std::nullopt, UINT32_MAX), memory));
  EXPECT_EQ(memory.failures(), 2U);
  EXPECT_EQ(memory.held_bytes(), 0U);
  ASSERT_EQ(system.seen().failures.size(), 2U);
  EXPECT_EQ(system.seen().failures[0].bytes, UINT32_MAX);
  EXPECT_EQ(system.seen().failures[1].bytes, std::size_t{UINT32_MAX} * config::kPageBytes);
}

TEST_F(PlaceholderTest, PassesItsFirstInputToEveryOutput) {
  Placeholder module;
  ASSERT_TRUE(module.init(Widget{}, memory));
  const Signal first = random_signal({48000, 2, SampleFormat::s16}, 48, 1);
  const Signal second = random_signal({48000, 2, SampleFormat::s16}, 48, 2);
  Signal same(first.format, 48);
  Signal wide({48000, 2, SampleFormat::s32}, 48);
  Signal slow({16000, 1, SampleFormat::s16}, 16);
  const std::array formats = {first.format, second.format};
  const std::array out_formats = {same.format, wide.format, slow.format};
  ASSERT_TRUE(module.prepare(formats, out_formats, memory));
  const std::array inputs = {first.input(), second.input()};
  const std::array outputs = {same.output(), wide.output(), slow.output()};
  module.process(inputs, outputs);
  EXPECT_EQ(same.data, first.data);
  for (std::size_t i = 0; i < 96; ++i) {
    EXPECT_EQ(wide.at(i), first.at(i) * 65536);
  }
  for (std::size_t i = 0; i < 16; ++i) {
    EXPECT_EQ(slow.at(i), first.at(6 * i));
  }
  module.reset(memory);
}

TEST_F(PlaceholderTest, WithoutAnInputItsOutputsAreSilent) {
  Placeholder module;
  ASSERT_TRUE(module.init(Widget{}, memory));
  Signal out({48000, 2, SampleFormat::s16}, 48, std::byte{0xa5});
  const OutputView view = out.output();
  module.process({}, {&view, 1});
  EXPECT_EQ(out.data, Signal(out.format, 48).data);
  const InputView empty{out.format, nullptr, 0};
  module.process({&empty, 1}, {&view, 1});
  EXPECT_EQ(out.data, Signal(out.format, 48).data);
  module.process({&empty, 1}, {});
}

TEST_F(PlaceholderTest, TakesWhatADriverTellsTheModuleThatItStandsInFor) {
  Placeholder module;
  ASSERT_TRUE(module.init(widget(100, std::nullopt), memory));
  EXPECT_TRUE(module.set_control(switch_control(1), std::vector<std::int64_t>{1}, memory));
  EXPECT_FALSE(module.set_control(switch_control(1), std::vector<std::int64_t>{2}, memory));
  EXPECT_TRUE(module.set_blob(std::vector<std::byte>(300), memory));
  EXPECT_TRUE(module.set_blob(std::vector<std::byte>(200), memory));
  EXPECT_EQ(memory.held_bytes(), 300U);
  EXPECT_EQ(memory.high_water_mark(), 600U) << "the new one is there before the old one goes";
  EXPECT_TRUE(module.set_blob({}, memory));
  EXPECT_EQ(memory.held_bytes(), 100U);
}

}  // namespace
}  // namespace modmem::testbench
