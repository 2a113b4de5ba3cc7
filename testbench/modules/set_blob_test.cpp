// A driver sends new configurations while audio plays: every module that takes any, alike.
#include <algorithm>

#include "testbench/input_error.hpp"
#include "testbench/modules/blob_testing.hpp"
#include "testbench/modules/factory.hpp"
#include "testbench/modules/modules_testing.hpp"
#include "testbench/modules/standard_blobs_testing.hpp"

namespace modmem::testbench {
namespace {

constexpr std::size_t kPeriod = 48;
constexpr StreamFormat kFormat{48000, 2, SampleFormat::s16};

using Blob = std::vector<std::byte>;

class SetBlobTest : public ModuleTest {
 protected:
  ModuleHandle<Module> start(const Uuid& uuid, const Blob& blob) {
    ModuleHandle<Module> module = make_module(uuid, memory);
    EXPECT_TRUE(module && module->init(blob_widget(blob), memory));
    EXPECT_TRUE(module->prepare({&kFormat, 1}, {&kFormat, 1}, memory));
    return module;
  }

  static Signal play(Module& module, const Signal& in, std::size_t first, std::size_t last) {
    Signal out(kFormat, last - first, std::byte{0xa5});
    for (std::size_t at = first; at < last; at += kPeriod) {
      const std::size_t frames = std::min(kPeriod, last - at);
      process(module, in.input(at, frames), out.output(at - first, frames));
    }
    return out;
  }
  static Signal play(Module& module, const Signal& in) { return play(module, in, 0, in.frames()); }

  // Calls visit(uuid) for the modules that take a configuration.
  template <typename Visit>
  void for_each_configurable(Visit&& visit) {
    std::size_t count = 0;
    for (const ModuleInfo& module : known_modules()) {
      if (!standard_blob(module.uuid).empty()) {
        SCOPED_TRACE(module.name);
        visit(module.uuid);
        ++count;
      }
    }
    EXPECT_EQ(count, 6U);
  }

  const Signal in_ = quiet_noise(kFormat, std::size_t{48} * 400);
};

TEST_F(SetBlobTest, TheSameConfigurationChangesNothing) {
  for_each_configurable([&](const Uuid& uuid) {
    const Blob blob = standard_blob(uuid);
    const ModuleHandle<Module> undisturbed = start(uuid, blob);
    const Signal expected = play(*undisturbed, in_);
    const ModuleHandle<Module> module = start(uuid, blob);
    Signal out(kFormat, in_.frames());
    for (std::size_t at = 0; at < in_.frames(); at += kPeriod) {
      ASSERT_TRUE(module->set_blob(blob, memory));
      process(*module, in_.input(at, kPeriod), out.output(at, kPeriod));
    }
    EXPECT_EQ(out.data, expected.data);
  });
}

// Once the state that it began with has died away.
TEST_F(SetBlobTest, ANewConfigurationTakesOver) {
  for_each_configurable([&](const Uuid& uuid) {
    const ModuleHandle<Module> fresh = start(uuid, standard_blob(uuid, 1));
    const Signal expected = play(*fresh, in_);
    const std::size_t held = memory.held_bytes();
    const ModuleHandle<Module> module = start(uuid, standard_blob(uuid, 0));
    const std::size_t middle = in_.frames() / 2;
    const Signal before = play(*module, in_, 0, middle);
    EXPECT_NE(before.data,
              std::vector(expected.data.begin(),
                          expected.data.begin() + static_cast<std::ptrdiff_t>(before.data.size())));
    ASSERT_TRUE(module->set_blob(standard_blob(uuid, 1), memory));
    play(*module, in_, middle, in_.frames() - 4800);
    const Signal tail = play(*module, in_, in_.frames() - 4800, in_.frames());
    for (std::size_t i = 0; i < tail.samples(); ++i) {
      ASSERT_EQ(tail.at(i), expected.at(expected.samples() - tail.samples() + i)) << i;
    }
    EXPECT_EQ(memory.held_bytes(), 2 * held);
  });
}

TEST_F(SetBlobTest, AConfigurationMayComeBeforeThereIsAudio) {
  for_each_configurable([&](const Uuid& uuid) {
    const ModuleHandle<Module> fresh = start(uuid, standard_blob(uuid, 1));
    const ModuleHandle<Module> module = make_module(uuid, memory);
    ASSERT_TRUE(module->init(blob_widget(standard_blob(uuid, 0)), memory));
    ASSERT_TRUE(module->set_blob(standard_blob(uuid, 1), memory));
    ASSERT_TRUE(module->prepare({&kFormat, 1}, {&kFormat, 1}, memory));
    EXPECT_EQ(play(*module, in_).data, play(*fresh, in_).data);
    module->reset(memory);
    // It outlives reset().
    ASSERT_TRUE(module->prepare({&kFormat, 1}, {&kFormat, 1}, memory));
    fresh->reset(memory);
    ASSERT_TRUE(fresh->prepare({&kFormat, 1}, {&kFormat, 1}, memory));
    EXPECT_EQ(play(*module, in_).data, play(*fresh, in_).data);
  });
}

TEST_F(SetBlobTest, AnEmptyConfigurationPassesAudioAndTheNextStartsFromRest) {
  for_each_configurable([&](const Uuid& uuid) {
    const ModuleHandle<Module> fresh = start(uuid, standard_blob(uuid));
    const Signal expected = play(*fresh, in_);
    const ModuleHandle<Module> module = start(uuid, {});
    const std::size_t held = memory.held_bytes();
    EXPECT_EQ(play(*module, in_).data, in_.data);
    ASSERT_TRUE(module->set_blob(standard_blob(uuid), memory));
    EXPECT_EQ(play(*module, in_).data, expected.data);
    ASSERT_TRUE(module->set_blob({}, memory));
    EXPECT_EQ(play(*module, in_).data, in_.data);
    EXPECT_EQ(memory.held_bytes(), held) << "what was configured is given back";
  });
}

TEST_F(SetBlobTest, ABadConfigurationLeavesTheOldOneInForce) {
  for_each_configurable([&](const Uuid& uuid) {
    const ModuleHandle<Module> undisturbed = start(uuid, standard_blob(uuid));
    const Signal expected = play(*undisturbed, in_);
    const ModuleHandle<Module> module = start(uuid, standard_blob(uuid));
    const std::size_t held = memory.held_bytes();
    const std::size_t middle = in_.frames() / 2;
    Signal out = play(*module, in_, 0, middle);
    for (const std::size_t missing : {std::size_t{1}, std::size_t{5}, std::size_t{7}}) {
      Blob blob = standard_blob(uuid, 1);
      blob.resize(blob.size() - std::min(missing, blob.size() - 1));
      EXPECT_THROW(module->set_blob(blob, memory), InputError);
    }
    EXPECT_EQ(memory.held_bytes(), held);
    const Signal rest = play(*module, in_, middle, in_.frames());
    out.data.insert(out.data.end(), rest.data.begin(), rest.data.end());
    EXPECT_EQ(out.data, expected.data);
  });
}

// With every amount of memory that is too little, in steps of a granule.
TEST_F(SetBlobTest, WithoutMemoryTheOldOneStaysInForce) {
  constexpr std::size_t kLimit = 100'000;
  for_each_configurable([&](const Uuid& uuid) {
    limit_memory(kLimit);
    {
      const ModuleHandle<Module> undisturbed = start(uuid, standard_blob(uuid, 1));
      const Signal expected = play(*undisturbed, in_, 0, 4800);
      const ModuleHandle<Module> module = start(uuid, standard_blob(uuid, 1));
      // Like the other one, but for a length that differs where one can.
      const Blob other = uuid == kDrcUuid ? standard_drc(true, 0.01, 4) : standard_blob(uuid);
      const std::size_t held = memory.held_bytes();
      std::size_t refused = 0;
      Signal out(kFormat, 4800);
      for (std::size_t at = 0; at < 4800; at += kPeriod) {
        const std::size_t left = 16 * refused;
        void* filler = memory.allocate(kLimit - held - left);
        ASSERT_NE(filler, nullptr);
        const bool taken = module->set_blob(other, memory);
        memory.free(filler);
        if (taken) {
          break;
        }
        EXPECT_EQ(memory.held_bytes(), held);
        ++refused;
        process(*module, in_.input(at, kPeriod), out.output(at, kPeriod));
        ASSERT_TRUE(std::equal(out.data.begin(),
                               out.data.begin() + static_cast<std::ptrdiff_t>((at + kPeriod) * 4),
                               expected.data.begin()));
      }
      EXPECT_GT(refused, 0U);
      EXPECT_GE(memory.failures(), refused);
    }
    EXPECT_EQ(memory.held_bytes(), 0U);
  });
}

TEST_F(SetBlobTest, ModulesThatHaveNothingToConfigureSaySo) {
  for (const ModuleInfo& known : known_modules()) {
    if (standard_blob(known.uuid).empty()) {
      SCOPED_TRACE(known.name);
      const ModuleHandle<Module> module = start(known.uuid, {});
      EXPECT_THROW(module->set_blob(Blob(16), memory), InputError);
    }
  }
}

TEST_F(SetBlobTest, ADisabledCompressorPassesAudioAndAnotherLookAheadKeepsWhatIsDelayed) {
  const Signal in = quiet_noise(kFormat, 4800);
  const ModuleHandle<Module> module = start(kDrcUuid, standard_drc(true, 480 / 48000.0, 1));
  // 10 ms become 5: of what is delayed, the latest 5 ms still come.
  const std::size_t change = 48 * 20 + 16;
  play(*module, in, 0, change);
  ASSERT_TRUE(module->set_blob(standard_drc(true, 224 / 48000.0, 1), memory));
  const Signal out = play(*module, in, change, 4800);
  std::size_t alike = 0;
  for (std::size_t i = 0; i < 224; ++i) {
    // As loud or quieter, of the same sign: a compressor's gain is positive.
    const std::int32_t source = in.at(2 * (change - 224 + i));
    alike +=
        std::abs(out.at(2 * i)) <= std::abs(source) + 1 && std::int64_t{out.at(2 * i)} * source >= 0
            ? 1
            : 0;
  }
  EXPECT_EQ(alike, 224U);
  ASSERT_TRUE(module->set_blob(standard_drc(false, 0.005, 1), memory));
  EXPECT_EQ(play(*module, in).data, in.data);
}

TEST_F(SetBlobTest, ASelectorRefusesAConfigurationThatDoesNotSuitItsFormats) {
  const ModuleHandle<Module> module = start(kSelectorUuid, standard_blob(kSelectorUuid));
  const Signal expected = play(*module, in_);
  const Blob for_four_in = BlobBytes().words({4, 1, 0}).bytes();
  try {
    module->set_blob(for_four_in, memory);
    FAIL();
  } catch (const InputError& error) {
    EXPECT_EQ(std::string(error.what()),
              "widget 'module.1.1': its configuration is not for 2 channels in and 2 out");
  }
  EXPECT_EQ(play(*module, in_).data, expected.data);
}

}  // namespace
}  // namespace modmem::testbench
