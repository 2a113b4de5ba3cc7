#include "testbench/topology/uuid.hpp"

#include <gtest/gtest.h>

#include <array>

namespace modmem::testbench {
namespace {

TEST(Uuid, FileOrderTurnsTheFirstThreeFieldsAround) {
  constexpr std::array<unsigned char, 16> kFile = {0xa8, 0xa9, 0xbc, 0x61, 0xd0, 0x18, 0x18, 0x4a,
                                                   0x8e, 0x7b, 0x26, 0x39, 0x21, 0x98, 0x04, 0xb7};
  const Uuid uuid = uuid_from_file(std::as_bytes(std::span(kFile)));
  EXPECT_EQ(to_string(uuid), "61bca9a8-18d0-4a18-8e7b-2639219804b7");
  EXPECT_EQ(uuid, kGainUuid);
}

TEST(Uuid, TextIsReadBack) {
  const std::optional<Uuid> uuid = parse_uuid("9BA00C83-ca12-4a83-943C-1fa2e82f9dda");
  ASSERT_TRUE(uuid);
  EXPECT_EQ(to_string(*uuid), "9ba00c83-ca12-4a83-943c-1fa2e82f9dda");
  EXPECT_EQ(*uuid, kCopierUuid);
}

TEST(Uuid, OrderIsThatOfTheText) {
  EXPECT_LT(*parse_uuid("00000000-0000-0000-0000-0000000000ff"),
            *parse_uuid("00000000-0000-0000-0000-000000000100"));
  EXPECT_LT(kMixinUuid, kMixoutUuid);
  EXPECT_NE(kMixinUuid, kMixoutUuid);
}

TEST(Uuid, OtherTextIsNone) {
  for (const std::string_view text :
       {"", "61bca9a8-18d0-4a18-8e7b-2639219804b", "61bca9a8-18d0-4a18-8e7b-2639219804b77",
        "61bca9a8x18d0-4a18-8e7b-2639219804b7", "61bca9a8-18d0-4a18-8e7b-2639219804bg",
        "61bca9a818d0-4a18-8e7b-2639219804b7-"}) {
    EXPECT_FALSE(parse_uuid(text)) << text;
  }
}

}  // namespace
}  // namespace modmem::testbench
