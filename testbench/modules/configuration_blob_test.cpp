#include "testbench/modules/configuration_blob.hpp"

#include <gtest/gtest.h>

#include "testbench/input_error.hpp"
#include "testbench/modules/blob_testing.hpp"

namespace modmem::testbench {
namespace {

const std::vector<std::byte> kPayload =
    BlobBytes().put(std::uint32_t{10}).put(std::int16_t{-2}).put(std::uint32_t{0x04030201}).bytes();

Widget widget_with(std::vector<std::byte> data) {
  Widget widget;
  widget.name = "module.1.1";
  widget.controls.push_back(bytes_control(std::move(data)));
  return widget;
}

template <typename Action>
std::string error_of(Action action) {
  try {
    action();
  } catch (const InputError& error) {
    return error.what();
  }
  return "no error";
}

TEST(ConfigurationBlobTest, ReadsWhatFollowsTheHeader) {
  const Widget widget = blob_widget(kPayload);
  ConfigurationBlob blob(widget);
  EXPECT_FALSE(blob.empty());
  EXPECT_EQ(blob.size(), 10U);
  blob.take_size();
  EXPECT_EQ(blob.take<std::int16_t>("a number"), -2);
  EXPECT_EQ(blob.remaining(), 4U);
  blob.skip(1, "a byte");
  EXPECT_EQ(blob.take<std::uint8_t>("a number"), 2);
  EXPECT_EQ(blob.take<std::uint16_t>("a number"), 0x0403);
  EXPECT_EQ(blob.remaining(), 0U);
  EXPECT_EQ(blob.size(), 10U);
  EXPECT_FALSE(blob.empty());
}

TEST(ConfigurationBlobTest, IsEmptyWhereNothingConfigures) {
  EXPECT_TRUE(ConfigurationBlob(Widget{}).empty());
  EXPECT_TRUE(ConfigurationBlob(widget_with({})).empty());
  EXPECT_TRUE(ConfigurationBlob(blob_widget({})).empty());
  Widget widget;
  widget.controls.emplace_back().private_data = with_header(kPayload);
  EXPECT_TRUE(ConfigurationBlob(widget).empty()) << "a mixer's private data";
}

TEST(ConfigurationBlobTest, TakesTheFirstBytesControlThatHasABlob) {
  Widget widget = widget_with({});
  widget.controls.insert(widget.controls.begin(), Control{});
  widget.controls.push_back(bytes_control(with_header(kPayload)));
  widget.controls.push_back(bytes_control(with_header(BlobBytes().zeros(3).bytes())));
  EXPECT_EQ(ConfigurationBlob(widget).size(), 10U);
}

TEST(ConfigurationBlobTest, RefusesAHeaderThatIsNotSofs) {
  const std::vector<std::byte> good = with_header(kPayload);
  for (std::size_t size = 1; size < 32; ++size) {
    const Widget widget = widget_with({good.begin(), good.begin() + static_cast<int>(size)});
    EXPECT_THROW(ConfigurationBlob{widget}, InputError) << size << " bytes";
  }
  std::vector<std::byte> data = good;
  data[3] = std::byte{0};
  EXPECT_EQ(error_of([&] { ConfigurationBlob{widget_with(data)}; }),
            "widget 'module.1.1': control 'blob': its blob begins with 0x464f53, not with "
            "0x34464f53 (SOF4)");
  data = good;
  data.pop_back();
  EXPECT_EQ(error_of([&] { ConfigurationBlob{widget_with(data)}; }),
            "widget 'module.1.1': control 'blob': its blob's header says that 10 bytes follow, 9 "
            "do");
  data = good;
  data.push_back({});
  EXPECT_THROW(ConfigurationBlob{widget_with(data)}, InputError);
}

TEST(ConfigurationBlobTest, CannotBeLeft) {
  const Widget widget = blob_widget(kPayload);
  ConfigurationBlob blob(widget);
  blob.skip(7, "the start");
  EXPECT_EQ(error_of([&] { blob.take<std::uint32_t>("a number"); }),
            "widget 'module.1.1': control 'blob': offset 0x27: a number needs 4 bytes, 3 are left");
  blob.set_context("response 1");
  EXPECT_EQ(error_of([&] { blob.skip(4, "a gap"); }),
            "widget 'module.1.1': control 'blob': offset 0x27: response 1: a gap needs 4 bytes, 3 "
            "are left");
}

TEST(ConfigurationBlobTest, NamesWhatIsWrong) {
  const Widget widget = blob_widget(BlobBytes().put(std::uint32_t{9}).bytes());
  ConfigurationBlob blob(widget);
  EXPECT_EQ(error_of([&] { blob.take_size(); }),
            "widget 'module.1.1': control 'blob': its configuration says that it has 9 bytes, it "
            "has 4");
  blob.set_context("response 1");
  EXPECT_EQ(error_of([&] { blob.fail("too loud"); }),
            "widget 'module.1.1': control 'blob': response 1: too loud");
  EXPECT_NO_THROW(blob.require_range(1, 1, 3, "a number"));
  EXPECT_NO_THROW(blob.require_range(3, 1, 3, "a number"));
  EXPECT_THROW(blob.require_range(0, 1, 3, "a number"), InputError);
  EXPECT_EQ(error_of([&] { blob.require_range(4, 1, 3, "a number"); }),
            "widget 'module.1.1': control 'blob': response 1: a number of 4, 1 to 3 are possible");
}

}  // namespace
}  // namespace modmem::testbench
