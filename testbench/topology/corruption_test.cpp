// Damaged topologies: cut short at every length, and with bytes changed. Each must give InputError
// or a model that keeps every promise; a crash or a sanitizer's report is a failure. The bytes lie
// in an allocation of exactly their size, so that reading past the end shows.
#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <random>
#include <span>

#include "testbench/input_error.hpp"
#include "testbench/topology/test_files.hpp"
#include "testbench/topology/topology.hpp"
#include "testbench/topology/topology_checks.hpp"

namespace modmem::testbench {
namespace {

struct Tally {
  std::size_t refused = 0;
  std::size_t loaded = 0;
};

// Loads `bytes`; anything but a good refusal or a good model is a failure of the test, with `where`
// in its message.
void try_loading(std::span<const std::byte> bytes, Tally& tally, const std::string& where) {
  const auto copy = std::make_unique<std::byte[]>(bytes.size());
  if (!bytes.empty()) {
    std::memcpy(copy.get(), bytes.data(), bytes.size());
  }
  try {
    const Topology topology = parse_topology({copy.get(), bytes.size()}, "damaged.tplg");
    ++tally.loaded;
    EXPECT_EQ(check_topology(topology), "") << where;
  } catch (const InputError& error) {
    ++tally.refused;
    const std::string_view what = error.what();
    EXPECT_EQ(what.substr(0, 14), "damaged.tplg: ") << where;
    EXPECT_GT(what.size(), 20u) << where;
    EXPECT_EQ(what.find('\n'), std::string_view::npos) << where;
    EXPECT_TRUE(is_printable(what)) << where << ": " << what;
  } catch (const std::exception& error) {
    ADD_FAILURE() << where << ": " << error.what();
  }
}

void truncate_everywhere(const std::filesystem::path& path) {
  const std::vector<std::byte> bytes = read_file(path);
  ASSERT_FALSE(bytes.empty()) << path;
  Tally tally;
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    try_loading(std::span(bytes).first(length), tally,
                path.string() + " cut to " + std::to_string(length));
  }
  EXPECT_EQ(tally.refused, bytes.size()) << path << ": a shortened file passed for whole";
}

TEST(Truncation, OfAnExampleIsRefusedAtEveryLength) {
  truncate_everywhere(example_topology("playback-and-capture"));
  truncate_everywhere(example_topology("passthrough"));
}

TEST(Truncation, OfProductionFilesIsRefusedAtEveryLength) {
  const std::vector<std::filesystem::path> files = production_topologies();
  if (files.empty()) {
    GTEST_SKIP() << "PRODUCTION TOPOLOGIES NOT FOUND: set MODMEM_SHARED";
  }
  std::size_t found = 0;
  for (const std::filesystem::path& path : files) {
    if (path.filename() == "sof-hdmi-pcm5-id5.tplg" ||
        path.filename() == "sof-arl-dmic-2ch-id5.tplg") {
      truncate_everywhere(path);
      ++found;
    }
  }
  EXPECT_EQ(found, 2u);
}

// The capture has a record of every kind.
TEST(Flips, OfEachByteOfAnExample) {
  std::vector<std::byte> bytes = read_file(example_topology("capture"));
  ASSERT_FALSE(bytes.empty());
  Tally tally;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const std::byte original = bytes[i];
    for (const std::byte value : {original ^ std::byte{0x01}, original ^ std::byte{0x80},
                                  original ^ std::byte{0xff}, std::byte{0}, std::byte{0x7f}}) {
      bytes[i] = value;
      try_loading(bytes, tally,
                  "byte " + std::to_string(i) + " set to " +
                      std::to_string(std::to_integer<unsigned>(value)));
    }
    bytes[i] = original;
  }
  // Changed sizes and counts must be refused, changed register numbers and masks cannot be noticed.
  EXPECT_GT(tally.refused, bytes.size() / 10);
  EXPECT_GT(tally.loaded, bytes.size() / 10);
}

// Whole words: the values at which arithmetic on sizes and counts goes wrong.
TEST(Flips, OfEachWordOfAnExample) {
  std::vector<std::byte> bytes = read_file(example_topology("capture"));
  ASSERT_FALSE(bytes.empty());
  Tally tally;
  for (std::size_t i = 0; i + 4 <= bytes.size(); i += 4) {
    std::uint32_t original = 0;
    std::memcpy(&original, &bytes[i], 4);
    for (const std::uint32_t value : {0xffffffffu, 0x80000000u, 0x7fffffffu, 0x20000001u,
                                      original + 4, original - 4, original * 2}) {
      std::memcpy(&bytes[i], &value, 4);
      try_loading(bytes, tally,
                  "word at " + std::to_string(i) + " set to " + std::to_string(value));
    }
    std::memcpy(&bytes[i], &original, 4);
  }
  EXPECT_GT(tally.refused, 0u);
}

TEST(Flips, OfRandomBytesOfProductionFiles) {
  const std::vector<std::filesystem::path> files = production_topologies();
  if (files.empty()) {
    GTEST_SKIP() << "PRODUCTION TOPOLOGIES NOT FOUND: set MODMEM_SHARED";
  }
  constexpr std::uint64_t kSeed = 20231;
  constexpr int kRounds = 400;
  std::mt19937_64 random(kSeed);
  Tally tally;
  for (const std::filesystem::path& path : files) {
    const std::vector<std::byte> original = read_file(path);
    ASSERT_FALSE(original.empty()) << path;
    for (int round = 0; round < kRounds; ++round) {
      std::vector<std::byte> bytes = original;
      const std::size_t changes = 1 + random() % 4;
      for (std::size_t i = 0; i < changes; ++i) {
        bytes[random() % bytes.size()] = static_cast<std::byte>(random() & 0xff);
      }
      try_loading(bytes, tally, path.string() + " round " + std::to_string(round));
    }
  }
  EXPECT_GT(tally.refused, 0u);
  EXPECT_GT(tally.loaded, 0u);
}

}  // namespace
}  // namespace modmem::testbench
