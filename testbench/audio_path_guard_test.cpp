// The guard sees every form of new and delete on the audio path, and nothing off it.
#include "testbench/audio_path_guard.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <new>
#include <string>
#include <vector>

#include "port/host/host_port.hpp"

namespace modmem::testbench {
namespace {

struct alignas(256) Wide {
  char bytes[256];
};

// Calls that `act` makes, on the audio path or off it.
template <typename Act>
std::uint64_t calls_on_path(Act act) {
  const std::uint64_t before = host_allocations_on_audio_path();
  {
    const AudioPathScope scope;
    act();
  }
  return host_allocations_on_audio_path() - before;
}

// What is seen here the compiler leaves in.
const void* volatile seen = nullptr;

template <typename T>
void end(T* object) {
  seen = object;
  delete object;
}
template <typename T>
void end_array(T* objects) {
  seen = objects;
  delete[] objects;
}

TEST(AudioPathGuardTest, EveryFormIsCounted) {
  EXPECT_EQ(calls_on_path([] { end(new int(1)); }), 2U);
  EXPECT_EQ(calls_on_path([] { end_array(new int[3]); }), 2U);
  EXPECT_EQ(calls_on_path([] { end(new (std::nothrow) int(1)); }), 2U);
  EXPECT_EQ(calls_on_path([] { end_array(new (std::nothrow) int[3]); }), 2U);
  EXPECT_EQ(calls_on_path([] { end(new Wide); }), 2U);
  EXPECT_EQ(calls_on_path([] { end_array(new Wide[3]); }), 2U);
  EXPECT_EQ(calls_on_path([] { end(new (std::nothrow) Wide); }), 2U);
  EXPECT_EQ(calls_on_path([] { end_array(new (std::nothrow) Wide[3]); }), 2U);
  EXPECT_EQ(calls_on_path([] { seen = std::string(1000, 'x').data(); }), 2U);
  EXPECT_EQ(calls_on_path([] { seen = std::vector<int>(1000).data(); }), 2U);
}

TEST(AudioPathGuardTest, WhatDoesNothingIsNotCounted) {
  EXPECT_EQ(calls_on_path([] { end(static_cast<int*>(nullptr)); }), 0U);
  EXPECT_EQ(calls_on_path([] { seen = std::string("short").data(); }), 0U);
}

TEST(AudioPathGuardTest, OffTheAudioPathNothingIsCounted) {
  const std::uint64_t before = host_allocations_on_audio_path();
  end(new int(1));
  end_array(new Wide[2]);
  EXPECT_EQ(host_allocations_on_audio_path(), before);
}

TEST(AudioPathGuardTest, BlocksAreAlignedAndDistinct) {
  const std::unique_ptr<Wide> wide(new Wide);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(wide.get()) % alignof(Wide), 0U);
  void* first = ::operator new(0);
  void* second = ::operator new(0);
  EXPECT_NE(first, nullptr);
  EXPECT_NE(first, second);
  ::operator delete(first);
  ::operator delete(second);
}

}  // namespace
}  // namespace modmem::testbench
