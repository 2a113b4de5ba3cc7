// The codec of libopus as loadable modules: whose memory its state is.
#include <gtest/gtest.h>
#include <opus/opus.h>

#include <array>
#include <filesystem>

#include "testbench/c_functions.hpp"
#include "testbench/modules/loaded_modules.hpp"
#include "testbench/session.hpp"

namespace modmem::testbench {
namespace {

constexpr std::uint32_t kEncoder = 0x00010001;
constexpr std::uint32_t kDecoder = 0x00010002;

// The account of what the module itself took: the one below the component's.
const Owner* module_account(const Owner& owner, std::uint32_t id) {
  for (const Owner* child = owner.first_child; child != nullptr; child = child->next_sibling) {
    if (child->spec.kind == OwnerKind::module && child->spec.id == id) {
      return child->first_child;
    }
    if (const Owner* found = module_account(*child, id)) {
      return found;
    }
  }
  return nullptr;
}

class OpusMemoryTest : public ::testing::Test {
 protected:
  // Bytes that the module of that component holds.
  std::size_t held(std::uint32_t id) {
    const Owner* account = module_account(system.memory().system(), id);
    return account == nullptr ? 0 : account->own;
  }

  Topology topology = load_topology(MODMEM_EXAMPLES_DIR "/opus.tplg");
  StreamGraph graph = build_graph(topology, {}, {48000, 2, SampleFormat::s16});
  LoadedModules loaded;
  System system{find_platform("mtl"), kElasticPolicy};
  CFunctions c_functions{system};
};

TEST_F(OpusMemoryTest, AllStateOfTheCodecIsTheModules) {
  const std::array<std::filesystem::path, 1> files{MODMEM_OPUS_MODULE};
  loaded.load(files, topology);
  {
    Session session(system, topology, graph, loaded);
    session.start(0);
    const std::size_t encoder = held(kEncoder);
    const std::size_t decoder = held(kDecoder);
    const FailureNote* failure =
        system.first_failure().has_value() ? &*system.first_failure() : nullptr;
    EXPECT_EQ(failure, nullptr);
    for (std::uint64_t period = 0; period < 100; ++period) {
      session.run_period(period);
    }
    EXPECT_EQ(session.xruns(), 0U);
    EXPECT_EQ(held(kEncoder), encoder);
    EXPECT_EQ(held(kDecoder), decoder);
    EXPECT_EQ(system.memory().audio_path_calls(), 0U);

    // What goes with the formats is the codec's state, to the byte; a small struct stays.
    session.reset(0);
    EXPECT_EQ(encoder - held(kEncoder), static_cast<std::size_t>(opus_encoder_get_size(2)));
    EXPECT_EQ(decoder - held(kDecoder), static_cast<std::size_t>(opus_decoder_get_size(2)));
    EXPECT_GT(held(kEncoder), 0U);
    EXPECT_LT(held(kEncoder), 100U);

    session.start(0);
    EXPECT_EQ(held(kEncoder), encoder);
    session.stop(0);
    EXPECT_EQ(held(kEncoder), 0U);
  }
  EXPECT_EQ(system.mapped_bytes(), system.boot_mapped_bytes());
  c_functions.close();
  EXPECT_TRUE(system.leaks().empty());
  EXPECT_TRUE(system.faults().empty());
}

}  // namespace
}  // namespace modmem::testbench
