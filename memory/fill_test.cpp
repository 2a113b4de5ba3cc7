// Filling the memory: one owner can have all of it, by small blocks as by large ones.

#include <gtest/gtest.h>

#include "memory/testing/test_system.hpp"

namespace modmem {
namespace {

using testing::TestSystem;

class Fill : public ::testing::TestWithParam<PlatformConfig> {};

INSTANTIATE_TEST_SUITE_P(Presets, Fill, ::testing::ValuesIn(config::kPresets),
                         [](const auto& test) { return testing::test_name(test.param.name); });

TEST_P(Fill, ReachesEveryFrame) {
  for (const std::size_t bytes : {std::size_t{500}, std::size_t{3000}, std::size_t{20000}}) {
    TestSystem system(GetParam(), kElasticPolicy);
    Memory& memory = system.memory();
    Owner& pipeline = system.pipeline();
    const Request request{&pipeline, bytes, 0, flag::kSilent, MODMEM_HERE};
    std::size_t blocks = 0;
    while (memory.allocate(request) != nullptr) {
      ++blocks;
    }
    // The next one's own pages, and a page for its metadata.
    EXPECT_LE(memory.pool().free(), bytes / config::kPageBytes + 1) << blocks << " of " << bytes;
    EXPECT_LT(memory.largest_request(request), bytes);
    EXPECT_TRUE(system.check());
  }
}

}  // namespace
}  // namespace modmem
