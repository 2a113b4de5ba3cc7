// Blob handlers and shared copies in C.

#include <rtos/alloc.h>
#include <sof/audio/data_blob.h>
#include <sof/lib/fast-get.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <numeric>
#include <string>
#include <vector>

#include "capi/capi_testing.hpp"

namespace modmem {
namespace {

class CBlobTest : public QuietTest, public testing::WithParamInterface<const char*> {
 protected:
  void SetUp() override {
    boot(GetParam());
    std::iota(data_.begin(), data_.end(), '\0');
  }

  std::string get(comp_data_blob_handler* handler) {
    std::size_t size = 77;
    const void* data = comp_get_data_blob(handler, &size, nullptr);
    return data != nullptr ? std::string(static_cast<const char*>(data), size) : std::string();
  }
  std::string part(std::size_t size) const { return {data_.data(), size}; }

  std::array<char, 20000> data_{};
};

MODMEM_ON_ALL_HOSTS(CBlobTest);

TEST_P(CBlobTest, FragmentsBecomeCurrentAtTheNextGet) {
  comp_data_blob_handler* handler = comp_data_blob_handler_new(nullptr);
  ASSERT_NE(handler, nullptr);
  EXPECT_EQ(get(handler), "");
  EXPECT_EQ(ipc4_comp_data_blob_set(handler, true, true, 0, data_.data()), 0);
  EXPECT_FALSE(comp_is_new_data_blob_available(handler));
  EXPECT_EQ(ipc4_comp_data_blob_set(handler, false, true, 0, data_.data()), -ENOMEM);
  EXPECT_EQ(comp_init_data_blob(handler, 3, "old"), 0);
  EXPECT_TRUE(comp_is_current_data_blob_valid(handler));

  EXPECT_EQ(ipc4_comp_data_blob_set(handler, true, false, 10000, data_.data()), 0);
  EXPECT_EQ(ipc4_comp_data_blob_set(handler, false, false, 4095, data_.data()), -EINVAL);
  EXPECT_EQ(ipc4_comp_data_blob_set(handler, false, false, 4096, data_.data() + 4096), 0);
  EXPECT_EQ(ipc4_comp_data_blob_set(handler, false, true, 10000, data_.data()), -EINVAL);
  EXPECT_FALSE(comp_is_new_data_blob_available(handler));
  EXPECT_EQ(ipc4_comp_data_blob_set(handler, false, true, 8192, data_.data() + 8192), 0);
  EXPECT_TRUE(comp_is_new_data_blob_available(handler));
  EXPECT_EQ(ipc4_comp_data_blob_set(handler, false, true, 10000, data_.data()), -EINVAL);
  EXPECT_EQ(get(handler), part(10000));
  EXPECT_FALSE(comp_is_new_data_blob_available(handler));

  EXPECT_EQ(ipc4_comp_data_blob_set(handler, true, true, 20, data_.data()), 0);
  std::uint32_t crc = 0;
  EXPECT_NE(comp_get_data_blob(handler, nullptr, &crc), nullptr);
  EXPECT_EQ(get(handler), part(20));
  EXPECT_NE(crc, 0U);
  comp_data_blob_handler_free(handler);
}

TEST_P(CBlobTest, FragmentsMayHaveAnotherSize) {
  comp_data_blob_handler* handler = comp_data_blob_handler_new(nullptr);
  EXPECT_EQ(modmem_data_blob_set(handler, true, false, 100, data_.data(), 40), 0);
  EXPECT_EQ(modmem_data_blob_set(handler, false, false, 40, data_.data() + 40, 40), 0);
  EXPECT_EQ(modmem_data_blob_set(handler, false, false, 80, data_.data() + 80, 40), -EINVAL);
  EXPECT_EQ(modmem_data_blob_set(handler, false, true, 80, nullptr, 40), -EINVAL);
  EXPECT_EQ(modmem_data_blob_set(handler, false, true, 80, data_.data() + 80, 40), 0);
  EXPECT_EQ(get(handler), part(100));
  comp_data_blob_handler_free(handler);
}

TEST_P(CBlobTest, AValidatorRefusesWithANegativeResult) {
  static int result;
  static comp_dev* asked;
  auto* device = reinterpret_cast<comp_dev*>(&result);
  comp_data_blob_handler* handler = comp_data_blob_handler_new(device);
  comp_data_blob_set_validator(handler, [](comp_dev* dev, void* data, std::uint32_t size) {
    asked = dev;
    EXPECT_EQ(size, 5U);
    EXPECT_EQ(std::memcmp(data, "hello", 5), 0);
    return result;
  });
  result = -ERANGE;
  EXPECT_EQ(ipc4_comp_data_blob_set(handler, true, true, 5, "hello"), -ERANGE);
  EXPECT_EQ(asked, device);
  EXPECT_FALSE(comp_is_new_data_blob_available(handler));
  result = 1;
  EXPECT_EQ(ipc4_comp_data_blob_set(handler, true, true, 5, "hello"), 0);
  EXPECT_EQ(get(handler), "hello");
  comp_data_blob_set_validator(handler, nullptr);
  EXPECT_EQ(ipc4_comp_data_blob_set(handler, true, true, 3, "any"), 0);
  comp_data_blob_handler_free(handler);
}

TEST_P(CBlobTest, UsesTheFunctionsGiven) {
  static int live;
  live = 0;
  const auto take = [](std::size_t size) {
    ++live;
    return std::malloc(size);
  };
  const auto give = [](void* block) {
    --live;
    std::free(block);
  };
  comp_data_blob_handler* handler = comp_data_blob_handler_new_ext(nullptr, true, take, give);
  const auto before = info();
  EXPECT_EQ(ipc4_comp_data_blob_set(handler, true, true, 3, "one"), 0);
  EXPECT_EQ(get(handler), "one");
  EXPECT_EQ(live, 1);
  EXPECT_EQ(ipc4_comp_data_blob_set(handler, true, false, 5000, data_.data()), 0);
  EXPECT_FALSE(comp_is_current_data_blob_valid(handler));
  EXPECT_EQ(live, 1);
  EXPECT_EQ(info().mapped_bytes, before.mapped_bytes);
  comp_data_blob_handler_free(handler);
  EXPECT_EQ(live, 0);
}

TEST_P(CBlobTest, RunsOutOfMemoryWithTheOldBlobInForce) {
  comp_data_blob_handler* handler = comp_data_blob_handler_new(nullptr);
  EXPECT_EQ(comp_init_data_blob(handler, 3, "old"), 0);
  EXPECT_EQ(ipc4_comp_data_blob_set(handler, true, false, 1U << 30, data_.data()), -ENOMEM);
  EXPECT_EQ(comp_init_data_blob(handler, 1U << 30, nullptr), -ENOMEM);
  EXPECT_EQ(said("no memory: 1073741824 bytes"), 2U);
  EXPECT_EQ(get(handler), "old");
  comp_data_blob_handler_free(handler);
}

TEST_P(CBlobTest, NoHandlerDoesNothing) {
  std::size_t size = 1;
  std::uint32_t crc = 1;
  EXPECT_EQ(comp_get_data_blob(nullptr, &size, &crc), nullptr);
  EXPECT_EQ(size, 0U);
  EXPECT_EQ(crc, 0U);
  EXPECT_FALSE(comp_is_new_data_blob_available(nullptr));
  EXPECT_FALSE(comp_is_current_data_blob_valid(nullptr));
  EXPECT_EQ(comp_init_data_blob(nullptr, 1, nullptr), -EINVAL);
  EXPECT_EQ(ipc4_comp_data_blob_set(nullptr, true, true, 1, "a"), -EINVAL);
  comp_data_blob_set_validator(nullptr, nullptr);
  comp_data_blob_handler_free(nullptr);
  comp_data_blob_handler_free(reinterpret_cast<comp_data_blob_handler*>(&size));
  const SeenFault seen = fault();
  EXPECT_TRUE(seen.fatal);
  EXPECT_EQ(seen.function, "comp_data_blob_handler_free");
  EXPECT_EQ(said("comp_data_blob_handler_free: "), 1U);
}

TEST_P(CBlobTest, AThousandHandlersLeaveAFlatLine) {
  for (int cycle = 0; cycle < 1000; ++cycle) {
    comp_data_blob_handler* handler = comp_data_blob_handler_new(nullptr);
    ASSERT_NE(handler, nullptr);
    ASSERT_EQ(comp_init_data_blob(handler, 5000, nullptr), 0);
    ASSERT_EQ(ipc4_comp_data_blob_set(handler, true, false, 10000, data_.data()), 0);
    comp_data_blob_handler_free(handler);
    ASSERT_EQ(info().mapped_bytes, start_.mapped_bytes);
  }
}

// --- shared copies ---

TEST_P(CBlobTest, CopiesAreSharedUntilTheLastPut) {
  mod_alloc_ctx ctx{};
  const void* copy = fast_get(nullptr, data_.data(), 1000);
  ASSERT_NE(copy, nullptr);
  EXPECT_NE(copy, static_cast<const void*>(data_.data()));
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(copy) % info().cache_line_bytes, 0U);
  EXPECT_EQ(std::memcmp(copy, data_.data(), 1000), 0);
  EXPECT_EQ(fast_get(&ctx, data_.data(), 1000), copy);
  EXPECT_EQ(modmem_fast_get(data_.data(), 1000), copy);
  EXPECT_EQ(fast_get(nullptr, data_.data(), 999), nullptr);
  EXPECT_EQ(said("fast_get: no copy of 999 bytes"), 1U);
  EXPECT_EQ(fast_get(nullptr, nullptr, 10), nullptr);
  EXPECT_EQ(fast_get(nullptr, data_.data(), 0), nullptr);
  EXPECT_EQ(said("fast_get: no copy of "), 2U);
  fast_put(nullptr, nullptr, nullptr);
  fast_put(nullptr, nullptr, copy);
  fast_put(&ctx, nullptr, copy);
  EXPECT_EQ(std::memcmp(copy, data_.data(), 1000), 0);
  modmem_fast_put(copy);
  EXPECT_EQ(system_heap().live_bytes, 0U);
  fast_put(nullptr, nullptr, copy);
  const SeenFault seen = fault();
  EXPECT_EQ(seen.function, "fast_put");
  EXPECT_TRUE(seen.fatal);
  EXPECT_EQ(said("fast_put: "), 1U);
}

TEST_P(CBlobTest, AFailedCopyLeavesNothingBehind) {
  const std::vector<char> large(std::size_t{1} << 23);
  EXPECT_EQ(fast_get(nullptr, large.data(), large.size()), nullptr);
  EXPECT_EQ(said("no memory: "), 1U);
  EXPECT_EQ(system_heap().live_bytes, 0U);
  const void* copy = fast_get(nullptr, large.data(), 100);
  EXPECT_NE(copy, nullptr);
  fast_put(nullptr, nullptr, copy);
}

TEST_P(CBlobTest, CopiesThatNobodyPutAreLeaks) {
  ASSERT_NE(fast_get(nullptr, data_.data(), 1000), nullptr);
  EXPECT_EQ(modmem_shutdown(), 1);
  EXPECT_EQ(said("leak: 1000 bytes"), 1U);
  boot(GetParam());
}

}  // namespace
}  // namespace modmem
