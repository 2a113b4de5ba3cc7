#include "port/posix/aliased_memory.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "modmem/config.hpp"

namespace modmem {
namespace {

constexpr std::size_t kPage = config::kPageBytes;

bool holds(const std::byte* first, std::size_t bytes, unsigned char value) {
  return std::all_of(first, first + bytes, [value](std::byte b) { return b == std::byte{value}; });
}

void touch(const std::byte* at) { static_cast<void>(*static_cast<const volatile std::byte*>(at)); }

// Runs `child` in a forked process, and returns what it returned: 0 to 255.
template <typename Child>
int in_child(AliasedMemory& memory, Child child) {
  memory.before_fork();
  const pid_t pid = fork();
  memory.after_fork(pid == 0);
  if (pid == 0) {
    _exit(child());
  }
  int status = 0;
  EXPECT_EQ(waitpid(pid, &status, 0), pid);
  EXPECT_TRUE(WIFEXITED(status));
  return WEXITSTATUS(status);
}

class AliasedMemoryTest : public ::testing::Test {
 protected:
  AliasedMemoryTest() { ::testing::FLAGS_gtest_death_test_style = "threadsafe"; }

  // A file of 8 pages, 16 pages of window: page 2 to 4 of the file at page 9 to 11 of the window.
  void SetUp() override {
    ASSERT_EQ(memory.open(8 * kPage, 16 * kPage, true), nullptr);
    ASSERT_TRUE(memory.map(9 * kPage, 2 * kPage, 3 * kPage));
  }

  std::byte* page(std::size_t number) { return memory.window() + number * kPage; }

  AliasedMemory memory;
};

TEST_F(AliasedMemoryTest, RangesAreMappedThroughBothAliases) {
  std::memset(page(9), 1, 3 * kPage);
  EXPECT_TRUE(holds(page(9) + memory.alias_offset(), 3 * kPage, 1));
  EXPECT_DEATH(touch(page(8) + kPage - 1), "");
  EXPECT_DEATH(touch(page(12)), "");
  EXPECT_DEATH(touch(page(12) + memory.alias_offset()), "");
  memory.unmap(10 * kPage, kPage);
  EXPECT_DEATH(touch(page(10)), "");
  EXPECT_DEATH(touch(page(10) + memory.alias_offset()), "");
  EXPECT_TRUE(holds(page(9), kPage, 1));
  EXPECT_TRUE(holds(page(11), kPage, 1));
}

TEST_F(AliasedMemoryTest, FillsPartsOfPagesMappedOrNot) {
  ASSERT_TRUE(memory.fill(0, 8 * kPage, std::byte{3}));
  ASSERT_TRUE(memory.fill(2 * kPage + 5, 2 * kPage, std::byte{4}));
  ASSERT_TRUE(memory.fill(2 * kPage, 0, std::byte{5}));
  EXPECT_TRUE(holds(page(9), 5, 3));
  EXPECT_TRUE(holds(page(9) + 5, 2 * kPage, 4));
  EXPECT_TRUE(holds(page(11) + 5, kPage - 5, 3));
  ASSERT_TRUE(memory.map(0, 7 * kPage, kPage));
  EXPECT_TRUE(holds(page(0), kPage, 3));
}

TEST_F(AliasedMemoryTest, IsNothingOnceClosed) {
  memory.close();
  EXPECT_FALSE(memory.is_open());
  EXPECT_EQ(memory.window_bytes(), 0U);
  EXPECT_EQ(memory.alias_offset(), 0);
  memory.close();
  EXPECT_TRUE(memory.fill(0, 0, std::byte{1}));
  memory.before_fork();
  memory.after_fork(false);
  ASSERT_EQ(memory.open(kPage, kPage, false), nullptr);
  ASSERT_TRUE(memory.map(0, 0, kPage));
  EXPECT_TRUE(holds(memory.window(), kPage, 0));
}

TEST_F(AliasedMemoryTest, AChildHasTheContentAndWhatItWritesIsItsOwn) {
  std::memset(page(9), 1, kPage);
  std::memset(page(10), 2, kPage);
  const auto child = [this] {
    const bool same = holds(page(9), kPage, 1) && holds(page(10) + memory.alias_offset(), kPage, 2);
    std::memset(page(9), 7, 2 * kPage);
    // Both aliases are of the copy, and so is what is mapped from now on.
    const bool own = holds(page(9) + memory.alias_offset(), 2 * kPage, 7) &&
                     memory.map(0, 3 * kPage, kPage) && holds(page(0), kPage, 7);
    return same && own ? 0 : 1;
  };
  EXPECT_EQ(in_child(memory, child), 0);
  EXPECT_TRUE(holds(page(9), kPage, 1));
  EXPECT_TRUE(holds(page(10), kPage, 2));
  // Not one of the copy's for the parent.
  EXPECT_DEATH(touch(page(0)), "");
}

TEST_F(AliasedMemoryTest, AChildHasNoMoreAccessThanItsParent) {
  memory.unmap(10 * kPage, kPage);
  ASSERT_TRUE(memory.map(0, 7 * kPage, kPage));
  std::memset(page(0), 5, kPage);
  const auto child = [this] {
    if (!holds(page(0) + memory.alias_offset(), kPage, 5)) {
      return 1;
    }
    const pid_t stray = fork();
    if (stray == 0) {
      touch(page(10));
      _exit(0);
    }
    int status = 0;
    waitpid(stray, &status, 0);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 2 : 0;
  };
  EXPECT_EQ(in_child(memory, child), 0);
}

TEST_F(AliasedMemoryTest, ChildrenOfChildrenHaveMemoriesOfTheirOwn) {
  std::memset(page(9), 1, kPage);
  const auto child = [this] {
    std::memset(page(9), 2, kPage);
    const auto grandchild = [this] {
      const bool same = holds(page(9), kPage, 2);
      std::memset(page(9), 3, kPage);
      return same ? 0 : 1;
    };
    return in_child(memory, grandchild) == 0 && holds(page(9), kPage, 2) ? 0 : 1;
  };
  EXPECT_EQ(in_child(memory, child), 0);
  EXPECT_TRUE(holds(page(9), kPage, 1));
}

}  // namespace
}  // namespace modmem
