// TwoModules: two modules in a pipeline, under every policy, for tests of what modules hold.
#pragma once

#include <gtest/gtest.h>

#include <cstddef>

#include "memory/testing/test_system.hpp"
#include "module/module_memory.hpp"

namespace modmem::testing {

class TwoModules : public ::testing::TestWithParam<const Policy*> {
 protected:
  // The first may hold so many bytes.
  explicit TwoModules(std::size_t limit = OwnerSpec::kNoLimit) : limit_(limit) {}

  void SetUp() override {
    ASSERT_TRUE(module_.open(memory_, pipeline_, {OwnerKind::module, 0x10001, "gain", limit_, 0}));
    ASSERT_TRUE(other_.open(memory_, pipeline_, {OwnerKind::module, 0x10002, "mixer"}));
  }

  TestSystem system_{preset("mtl"), *GetParam()};
  Memory& memory_ = system_.memory();
  NotingObserver& seen_ = system_.seen();
  Owner& pipeline_ = system_.pipeline();
  ModuleMemory module_;
  ModuleMemory other_;

 private:
  std::size_t limit_;
};

}  // namespace modmem::testing
