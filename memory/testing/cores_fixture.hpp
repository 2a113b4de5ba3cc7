// CoresFixture: a booted Memory of several cores, and what each of them asks for.
#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>

#include "memory/testing/test_system.hpp"

namespace modmem::testing {

class CoresFixture : public ::testing::Test {
 protected:
  static constexpr std::uint32_t kCores = 3;  // of the platform

  ~CoresFixture() { set_host_core(0); }

  // What `core` asks for.
  std::byte* take(std::uint32_t core, Owner& owner, std::size_t bytes, Flags flags = 0) {
    set_host_core(core);
    return static_cast<std::byte*>(memory_.allocate({&owner, bytes, 0, flags, MODMEM_HERE}));
  }
  PointerStatus end(std::uint32_t core, void* block, const Owner* owner = nullptr) {
    set_host_core(core);
    return memory_.free(block, owner);
  }
  Owner& pipeline_of(std::uint8_t core) {
    return system_.owner(memory_.system(),
                         {.kind = OwnerKind::pipeline, .name = "pipeline", .core = core});
  }

  TestSystem system_{preset("mtl")};
  Memory& memory_ = system_.memory();
};

}  // namespace modmem::testing
