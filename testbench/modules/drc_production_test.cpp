// Compressors with the blobs of production topologies, against a reference that reads the same
// bytes.
#include "testbench/modules/drc.hpp"
#include "testbench/modules/drc_testing.hpp"
#include "testbench/modules/factory.hpp"
#include "testbench/topology/test_files.hpp"

namespace modmem::testbench {
namespace {

constexpr std::size_t kHeaderBytes = 32;

class ProductionDrcTest : public ModuleTest {};

std::span<const std::byte> payload_of(const Widget& widget) {
  for (const Control& control : widget.controls) {
    if (std::holds_alternative<BytesControl>(control.detail)) {
      return std::span(control.private_data).subspan(kHeaderBytes);
    }
  }
  return {};
}

TEST_F(ProductionDrcTest, FollowTheReference) {
  if (production_topologies().empty()) {
    GTEST_SKIP() << "PRODUCTION TOPOLOGIES NOT FOUND: set MODMEM_SHARED to the folder that holds "
                    "them under topologies/";
  }
  std::size_t enabled = 0;
  std::size_t disabled = 0;
  for (const std::filesystem::path& path : production_topologies()) {
    for (const Widget& widget : load_topology(path).widgets) {
      if (widget.uuid != kDrcUuid) {
        continue;
      }
      SCOPED_TRACE(path.filename().string() + ' ' + widget.name);
      const std::span<const std::byte> payload = payload_of(widget);
      ASSERT_FALSE(payload.empty());
      const PinFormat& pin = widget.inputs.front();
      const Signal in = bursts({pin.rate, pin.channels, SampleFormat::s32}, 12000);
      const ModuleHandle<Module> module = make_module(*widget.uuid, memory);
      ASSERT_TRUE(module && module->init(widget, memory));
      ASSERT_TRUE(module->prepare({&in.format, 1}, {&in.format, 1}, memory));
      const AudioPathCheck check(system.memory());
      const Signal out = play(*module, in);
      if (drc_number(payload, 5) == 0) {
        ++disabled;
        EXPECT_EQ(out.data, in.data);
        continue;
      }
      ++enabled;
      const std::vector<Values> expected = reference_drc(payload, in);
      for (std::uint32_t channel = 0; channel < pin.channels; ++channel) {
        EXPECT_LT(error_db(out, channel, expected[channel]), -180);
      }
    }
  }
  EXPECT_GT(enabled, 0U);
  RecordProperty("disabled", static_cast<int>(disabled));
}

}  // namespace
}  // namespace modmem::testbench
