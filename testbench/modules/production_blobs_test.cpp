// Equalisers with the blobs of production topologies, against references that read the same bytes.
#include <functional>

#include "testbench/modules/crossover.hpp"
#include "testbench/modules/dc_block.hpp"
#include "testbench/modules/eq_fir.hpp"
#include "testbench/modules/eq_iir.hpp"
#include "testbench/modules/factory.hpp"
#include "testbench/modules/filter_testing.hpp"
#include "testbench/topology/test_files.hpp"

namespace modmem::testbench {
namespace {

constexpr std::size_t kHeaderBytes = 32;

using Reference =
    std::function<Values(std::span<const std::byte> payload, std::size_t channel, const Values&)>;

class ProductionBlobsTest : public ModuleTest {
 protected:
  void SetUp() override {
    if (production_topologies().empty()) {
      GTEST_SKIP() << "PRODUCTION TOPOLOGIES NOT FOUND: set MODMEM_SHARED to the folder that "
                      "holds them under topologies/";
    }
  }

  // Plays noise through every module of `uuid`; returns how many there are.
  std::size_t expect_reference(const Uuid& uuid, const Reference& reference) {
    std::size_t modules = 0;
    for (const std::filesystem::path& path : production_topologies()) {
      for (const Widget& widget : load_topology(path).widgets) {
        if (widget.uuid == uuid) {
          SCOPED_TRACE(path.filename().string() + ' ' + widget.name);
          expect_reference(widget, reference);
          ++modules;
        }
      }
    }
    return modules;
  }

 private:
  void expect_reference(const Widget& widget, const Reference& reference) {
    ASSERT_EQ(widget.controls.size(), 1U);
    const std::vector<std::byte>& blob = widget.controls.front().private_data;
    ASSERT_GT(blob.size(), kHeaderBytes);
    const PinFormat& pin = widget.inputs.front();
    ASSERT_EQ(pin.valid_bits, 32U);
    const Signal in = quiet_noise({pin.rate, pin.channels, SampleFormat::s32}, 480);
    const ModuleHandle<Module> module = make_module(*widget.uuid, memory);
    ASSERT_TRUE(module && module->init(widget, memory));
    ASSERT_TRUE(module->prepare({&in.format, 1}, {&in.format, 1}, memory));
    // And one that is told later, by its driver.
    const std::span<const std::byte> payload = std::span(blob).subspan(kHeaderBytes);
    const ModuleHandle<Module> told = make_module(*widget.uuid, memory);
    ASSERT_TRUE(told && told->init(Widget{}, memory));
    ASSERT_TRUE(told->prepare({&in.format, 1}, {&in.format, 1}, memory));
    ASSERT_TRUE(told->set_blob(payload, memory));
    const AudioPathCheck check(system.memory());
    const Signal out = play(*module, in);
    EXPECT_EQ(play(*told, in).data, out.data);
    for (std::uint32_t channel = 0; channel < pin.channels; ++channel) {
      const Values expected = reference(payload, channel, channel_values(in, channel));
      EXPECT_LT(error_db(out, channel, expected), -180);
    }
  }
};

TEST_F(ProductionBlobsTest, IirEqualisersFollowTheReference) {
  EXPECT_GT(expect_reference(kEqIirUuid, reference_iir), 0U);
}

TEST_F(ProductionBlobsTest, FirEqualisersFollowTheReference) {
  EXPECT_GT(expect_reference(kEqFirUuid, reference_fir), 0U);
}

// Those at hand have neither; a folder that has them gets them initialised at least.
TEST_F(ProductionBlobsTest, OtherFiltersTakeTheirBlobs) {
  for (const std::filesystem::path& path : production_topologies()) {
    for (const Widget& widget : load_topology(path).widgets) {
      if (widget.uuid == kDcBlockUuid || widget.uuid == kCrossoverUuid) {
        SCOPED_TRACE(path.filename().string() + ' ' + widget.name);
        const ModuleHandle<Module> module = make_module(*widget.uuid, memory);
        ASSERT_TRUE(module);
        EXPECT_TRUE(module->init(widget, memory));
      }
    }
  }
}

}  // namespace
}  // namespace modmem::testbench
