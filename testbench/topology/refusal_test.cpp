// What the loader refuses, and what it says.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "testbench/input_error.hpp"
#include "testbench/topology/topology.hpp"
#include "testbench/topology/topology_builder.hpp"

namespace modmem::testbench {
namespace {

constexpr std::size_t kBlockHeader = 36;

// What the loader says to `bytes`, or "" where it takes them.
std::string refusal(const Bytes& bytes) {
  try {
    parse_topology(bytes.data(), "test.tplg");
    return "";
  } catch (const InputError& error) {
    return error.what();
  }
}

// Requires that `bytes` are refused in one line that names the file and says `reason`.
void expect_refusal(const Bytes& bytes, std::string_view reason) {
  const std::string what = refusal(bytes);
  EXPECT_EQ(what.rfind("test.tplg: ", 0), 0u) << what;
  EXPECT_NE(what.find(reason), std::string::npos) << what << "\nexpected: " << reason;
  EXPECT_EQ(what.find('\n'), std::string::npos) << what;
}

Bytes module_uuid() {
  return uuid_tuple(405, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16});
}

Bytes one_widget(const Bytes& bytes) { return block(kWidgetBlock, 1, {bytes}); }

Bytes one_module(const Bytes& tuples) {
  return one_widget(widget(18, "module", "", Bytes().append(module_uuid()).append(tuples)));
}

Bytes a_widget() { return one_widget(widget(18, "module", "", Bytes())); }

TEST(Refusal, BlockHeaders) {
  expect_refusal(Bytes(), "the file is empty");
  expect_refusal(Bytes().zeros(35), "offset 0x0: block 0: a block header needs 36 bytes, 35 are");
  expect_refusal(Bytes().zeros(36), "no block of a compiled topology: it begins with 0x0");
  expect_refusal(a_widget().set_u32(0, 0x436f5341), "big-endian");
  expect_refusal(a_widget().set_u32(4, 4), "topology ABI 4, only ABI 5 is supported");
  expect_refusal(a_widget().set_u32(12, 13), "unknown type 13");
  expect_refusal(a_widget().set_u32(16, 40), "declares a size of 40 bytes, expected 36");
  expect_refusal(a_widget().set_u32(24, 133), "a block's payload needs 133 bytes, 132 are left");
  expect_refusal(a_widget().set_u32(24, 0xffffffff), "payload needs 4294967295 bytes");
  expect_refusal(a_widget().set_u32(32, 2), "132 bytes cannot hold 2 widgets");
  expect_refusal(a_widget().set_u32(32, 0xffffffff), "cannot hold 4294967295 widgets");
  expect_refusal(a_widget().set_u32(32, 0), "132 bytes are left over");
  expect_refusal(a_widget().append(Bytes().u32(0)), "offset 0xa8: block 1: a block header");
}

TEST(Refusal, Manifests) {
  const auto with = [](const Bytes& promise) {
    return block(kManifestBlock, 0, {promise}).append(a_widget());
  };
  EXPECT_EQ(refusal(with(manifest(0, 1, 0, 0, 0))), "");
  expect_refusal(with(manifest(1, 1, 0, 0, 0)), "promises 1 controls, the file holds 0");
  expect_refusal(with(manifest(0, 2, 0, 0, 0)), "promises 2 widgets, the file holds 1");
  expect_refusal(with(manifest(0, 1, 3, 0, 0)), "promises 3 routes");
  expect_refusal(with(manifest(0, 1, 0, 4, 0)), "promises 4 PCMs");
  expect_refusal(with(manifest(0, 1, 0, 0, 5)), "promises 5 links");
  expect_refusal(with(manifest(0, 1, 0, 0, 0, 6)), "promises 6 DAIs");
  expect_refusal(with(manifest(0, 1, 0, 0, 0)).append(with(manifest(0, 1, 0, 0, 0))),
                 "a second manifest");
  expect_refusal(with(manifest(0, 1, 0, 0, 0).set_u32(0, 111)), "declares a size of 111 bytes");
  expect_refusal(with(manifest(0, 1, 0, 0, 0).set_u32(108, 1)), "private data needs 1 bytes");
}

TEST(Refusal, Widgets) {
  const auto with = [](std::size_t offset, std::uint32_t value) {
    return a_widget().set_u32(kBlockHeader + offset, value);
  };
  expect_refusal(with(0, 131), "widget 'module' declares a size of 131 bytes, expected 132");
  expect_refusal(with(4, 24), "widget 'module' is of unknown type 24");
  expect_refusal(with(124, 1), "widget 'module' declares 1 controls, which cannot fit");
  expect_refusal(with(124, 0xffffffff), "declares 4294967295 controls");
  expect_refusal(with(128, 1), "widget 'module', its private data needs 1 bytes, 0 are left");
  expect_refusal(with(128, 0xffffffff), "private data needs 4294967295 bytes");
  expect_refusal(one_widget(widget(18, "", "", Bytes())), "a widget without a name");
  expect_refusal(one_widget(widget(18, std::string(44, 'x'), "", Bytes())),
                 "a widget's name does not end within its 44 bytes");
  expect_refusal(one_widget(widget(18, "module", std::string(44, 'x'), Bytes())),
                 "its stream name does not end");
  expect_refusal(one_widget(widget(18, "mod\nule", "", Bytes())),
                 "holds the unprintable character 0xa");
  expect_refusal(one_widget(widget(18, "mod\xffule", "", Bytes())), "character 0xff");
  expect_refusal(a_widget().append(a_widget()), "two widgets are named 'module'");
}

TEST(Refusal, Tuples) {
  const auto with = [](const Bytes& tuples) {
    return one_widget(widget(18, "module", "", tuples));
  };
  const Bytes good = number_tuples({{1, 2}, {3, 4}});
  EXPECT_EQ(refusal(with(good)), "");
  expect_refusal(with(Bytes().zeros(11)), "widget 'module': a vendor tuple array needs 12 bytes");
  for (const std::uint32_t size : {0u, 11u, 20u, 27u, 29u, 36u, 0xffffffffu}) {
    expect_refusal(with(Bytes().append(good).set_u32(0, size)),
                   "2 elements declares a size of " + std::to_string(size) + " bytes, expected 28");
  }
  expect_refusal(with(Bytes().append(good).set_u32(4, 6)), "vendor tuples of unknown type 6");
  expect_refusal(with(Bytes().append(good).set_u32(8, 0xffffffff)), "4294967295 elements");
  // A count whose size in 32 bits is the declared one.
  expect_refusal(with(Bytes().append(good).set_u32(8, 0x20000002)), "536870914 elements");
  expect_refusal(with(Bytes().append(good).set_u32(0, 36).set_u32(8, 3)),
                 "a vendor tuple array needs 24 bytes, 16 are left");
  expect_refusal(with(string_tuple(154, std::string(44, 'S'))),
                 "the value of token 154 does not end within its 44 bytes");
}

TEST(Refusal, ModuleTokens) {
  expect_refusal(one_module(number_tuples({{404, 16}})), "has an impossible core: 16");
  expect_refusal(one_module(number_tuples({{411, 9}})), "declares 9 pins on one side, at most 8");
  expect_refusal(one_module(number_tuples({{412, 0xffffffff}})), "declares 4294967295 pins");
  expect_refusal(one_module(number_tuples({{156, 2}})), "has an impossible direction: 2");
  expect_refusal(one_module(number_tuples({{418, 3}})), "has an unknown scheduler domain: 3");
  expect_refusal(one_module(string_tuple(418, "EDF")), "has an unknown scheduler domain: 'EDF'");
  Bytes bindings;
  for (int i = 0; i < 9; ++i) {
    bindings.append(string_tuple(413, "source"));
  }
  expect_refusal(one_module(bindings), "binds 9 pins on one side");
}

TEST(Refusal, Formats) {
  const auto with = [](std::initializer_list<std::pair<std::uint32_t, std::uint32_t>> tuples) {
    return one_module(Bytes().append(number_tuples({{415, 1}})).append(number_tuples(tuples)));
  };
  EXPECT_EQ(refusal(with({{1900, 48000}, {1901, 32}, {1907, 0x12002}, {1970, 384}})), "");
  expect_refusal(one_module(number_tuples({{415, 2}})), "declares 2 input formats but carries 0");
  expect_refusal(one_module(number_tuples({{416, 0xffffffff}})),
                 "declares 4294967295 output formats but carries 0");
  expect_refusal(with({{1901, 32}, {1907, 0x12002}, {1970, 384}}), "input format 0 lacks its rate");
  expect_refusal(with({{1900, 48000}, {1907, 0x12002}, {1970, 384}}), "lacks its bit depth");
  expect_refusal(with({{1900, 48000}, {1901, 32}, {1907, 0x12002}}), "lacks its buffer size");
  expect_refusal(with({{1900, 48000}, {1901, 32}, {1902, 32}, {1970, 384}}), "its channel count");
  expect_refusal(with({{1900, 48000}, {1901, 32}, {1903, 2}, {1970, 384}}), "its valid bit depth");
  expect_refusal(with({{1900, 0}, {1901, 32}, {1907, 0x12002}, {1970, 384}}), "impossible rate: 0");
  expect_refusal(with({{1900, 1536001}, {1901, 32}, {1907, 0x12002}, {1970, 384}}),
                 "impossible rate: 1536001");
  expect_refusal(with({{1900, 48000}, {1901, 20}, {1907, 0x11002}, {1970, 384}}),
                 "impossible bit depth: 20");
  expect_refusal(with({{1900, 48000}, {1901, 16}, {1907, 0x11802}, {1970, 384}}),
                 "impossible valid bit depth: 24");
  expect_refusal(with({{1900, 48000}, {1901, 16}, {1907, 0x10002}, {1970, 384}}),
                 "impossible valid bit depth: 0");
  expect_refusal(with({{1900, 48000}, {1901, 32}, {1907, 0x12000}, {1970, 384}}),
                 "impossible channel count: 0");
  expect_refusal(with({{1900, 48000}, {1901, 32}, {1907, 0x12021}, {1970, 384}}),
                 "impossible channel count: 33");
  expect_refusal(with({{1900, 48000}, {1901, 32}, {1907, 0x52002}, {1970, 384}}),
                 "impossible sample type: 5");
  expect_refusal(with({{1900, 48000}, {1901, 32}, {1907, 0x12002}, {1970, 384}, {1909, 8}}),
                 "impossible pin: 8");
}

TEST(Refusal, Controls) {
  const auto in_widget = [](const Bytes& control) {
    return one_widget(widget(4, "gain", "", Bytes(), {control}));
  };
  const auto mixer = [&](std::size_t offset, std::uint32_t value) {
    return in_widget(mixer_control("Volume", 45).set_u32(offset, value));
  };
  EXPECT_EQ(refusal(in_widget(mixer_control("Volume", 45))), "");
  expect_refusal(mixer(64, 99), "a control of unknown kind 99");
  expect_refusal(mixer(0, 203), "'Volume', its header declares a size of 203 bytes, expected 204");
  expect_refusal(mixer(204, 361), "control 'Volume' declares a size of 361 bytes, expected 360");
  expect_refusal(mixer(208, 46), "control 'Volume' has a minimum above its maximum");
  expect_refusal(mixer(224, 9), "a control of 9 channels, at most 8 fit");
  expect_refusal(mixer(356, 1), "control 'Volume', its private data needs 1 bytes, 0 are left");
  expect_refusal(mixer(68, 7), "TLV data of an impossible size: 7");
  expect_refusal(mixer(68, 10), "TLV data of an impossible size: 10");
  expect_refusal(mixer(68, 140), "TLV data of an impossible size: 140");
  expect_refusal(in_widget(mixer_control("Volume", 45).set_u32(68, 16).set_u32(72, 1)),
                 "a dB scale that lacks min, step or mute");
  expect_refusal(in_widget(mixer_control(std::string(44, 'V'), 45)), "a control's name does not");
  expect_refusal(in_widget(enum_control("Mode", {"on"}).set_u32(340, 17)),
                 "control 'Mode' has 17 items, at most 16 fit");
  expect_refusal(in_widget(enum_control("Mode", {std::string(44, 't')})),
                 "an item's text does not");
  expect_refusal(in_widget(bytes_control("Config", 64, Bytes().u32(1)).set_u32(236, 5)),
                 "control 'Config', its private data needs 5 bytes, 4 are left");
  expect_refusal(block(kMixerBlock, 0, {mixer_control("Volume", 45).append(Bytes().u32(0))}),
                 "4 bytes are left over after the last of 1 controls");
}

TEST(Refusal, RoutesAndStreams) {
  expect_refusal(block(kGraphBlock, 0, {route(std::string(44, 'a'), "", "b")}),
                 "a route's source does not end");
  expect_refusal(block(kGraphBlock, 0, {route("a", "\x01", "b")}),
                 "a route's control holds the unprintable character 0x1");
  expect_refusal(block(kGraphBlock, 0, {route("a", "", "b").append(Bytes().u32(0))}),
                 "4 bytes are left over after the last of 1 routes");

  const Bytes good = pcm(1, "PCM", stream_caps("stream", 1, 2), Bytes());
  const auto with = [&](std::size_t offset, std::uint32_t value) {
    return block(kPcmBlock, 0, {Bytes().append(good).set_u32(offset, value)});
  };
  EXPECT_EQ(refusal(block(kPcmBlock, 0, {good})), "");
  constexpr std::size_t kCaps = 112 + 8 * 72 + 4;
  expect_refusal(with(0, 776), "PCM 'PCM' declares a size of 776 bytes, expected 912");
  expect_refusal(with(kCaps - 4, 9), "its stream configurations: there are 9, at most 8 fit");
  expect_refusal(with(kCaps, 100), "its stream capabilities declares a size of 100 bytes");
  expect_refusal(with(kCaps + 60, 48001), "has a minimum rate above its maximum");
  expect_refusal(with(kCaps + 68, 3), "has a minimum channel count above its maximum");
  expect_refusal(with(104, 1), "its stream capabilities declares a size of 0 bytes");
  expect_refusal(with(908, 1), "PCM 'PCM', its private data needs 1 bytes");

  const auto with_link = [](std::size_t offset, std::uint32_t value) {
    return block(kBackendLinkBlock, 0, {link(1, "DAI").set_u32(offset, value)});
  };
  EXPECT_EQ(refusal(block(kBackendLinkBlock, 0, {link(1, "DAI")})), "");
  expect_refusal(with_link(0, 1655), "link 'DAI' declares a size of 1655 bytes, expected 1656");
  expect_refusal(with_link(672, 9), "its stream configurations: there are 9");
  expect_refusal(with_link(676, 119), "its hardware configuration declares a size of 119 bytes");
  expect_refusal(with_link(1636, 9), "its hardware configurations: there are 9");
  expect_refusal(with_link(1652, 1), "link 'DAI', its private data needs 1 bytes");
}

TEST(Refusal, Pipelines) {
  const auto with = [](const Bytes& tuples) {
    return one_widget(widget(17, "pipeline", "", tuples));
  };
  EXPECT_EQ(refusal(with(number_tuples({{200, 0}}))), "") << "the default period";
  expect_refusal(with(number_tuples({{200, 1000001}})),
                 "widget 'pipeline' has an impossible period: 1000001 us");
  expect_refusal(with(number_tuples({{203, 16}})), "has an impossible core: 16");
  expect_refusal(with(number_tuples({{211, 2}})), "has an impossible direction: 2");
  EXPECT_EQ(refusal(with(number_tuples({{211, 2}, {212, 0}}))), "") << "the direction is not valid";
  expect_refusal(
      block(kWidgetBlock, 3, {widget(17, "a", "", Bytes()), widget(17, "b", "", Bytes())}),
      "widgets 'a' and 'b' both schedule pipeline 3");
}

// What load_topology says to `path`, or "".
std::string load_refusal(const std::filesystem::path& path) {
  try {
    load_topology(path);
    return "";
  } catch (const InputError& error) {
    return error.what();
  }
}

TEST(Refusal, Files) {
  const std::filesystem::path folder = testing::TempDir();
  EXPECT_EQ(load_refusal(folder / "no-such.tplg"),
            (folder / "no-such.tplg").string() + ": there is no such file");
  EXPECT_EQ(load_refusal(folder), folder.string() + ": is a directory, not a topology file");

  const std::filesystem::path path =
      folder / ("modmem-refusal-test-" + std::to_string(::getpid()) + ".tplg");
  const auto write = [&](const std::vector<std::byte>& bytes) {
    std::ofstream file(path, std::ios::binary | std::ios::trunc);
    file.write(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
  };
  write({});
  EXPECT_EQ(load_refusal(path), path.string() + ": the file is empty");
  write(std::vector<std::byte>(kMaxTopologyBytes + 1));
  EXPECT_NE(load_refusal(path).find("longer than 16777216 bytes"), std::string::npos);
  write(a_widget().data());
  EXPECT_EQ(load_refusal(path), "");
  EXPECT_EQ(load_topology(path).name, path.string());
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace modmem::testbench
