// Boot and power cycle on a host that gives no memory: whichever of their system calls fails, there
// is no system, a line says why, and nothing of it is left. The program is linked with
// --wrap for these calls: see CMakeLists.txt.

#include <gtest/gtest.h>
#include <modmem/modmem.h>
#include <rtos/alloc.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <iterator>
#include <string>
#include <vector>

#include "capi/hooks.hpp"

namespace {

std::size_t calls_left = SIZE_MAX;  // before the one that fails
bool failed = false;
std::size_t mapped_bytes = 0;

// Whether this call is the one that fails, with errno.
bool fails() {
  if (calls_left == SIZE_MAX || calls_left-- != 0) {
    return false;
  }
  calls_left = SIZE_MAX;
  failed = true;
  errno = ENOMEM;
  return true;
}

void fail_after(std::size_t calls) {
  calls_left = calls;
  failed = false;
}

}  // namespace

// As the linker calls them.
// NOLINTBEGIN(bugprone-reserved-identifier,readability-identifier-naming)
extern "C" {
void* __real_mmap(void* at, std::size_t bytes, int protection, int flags, int file, off_t offset);
int __real_munmap(void* at, std::size_t bytes);
int __real_memfd_create(const char* name, unsigned int flags);
ssize_t __real_pwrite(int file, const void* from, std::size_t bytes, off_t offset);

void* __wrap_mmap(void* at, std::size_t bytes, int protection, int flags, int file, off_t offset) {
  // What takes an access away in place needs nothing from the kernel.
  const bool in_place = (flags & MAP_FIXED) != 0;
  if (!(in_place && protection == PROT_NONE) && fails()) {
    return MAP_FAILED;
  }
  void* memory = __real_mmap(at, bytes, protection, flags, file, offset);
  mapped_bytes += memory != MAP_FAILED && !in_place ? bytes : 0;
  return memory;
}

int __wrap_munmap(void* at, std::size_t bytes) {
  mapped_bytes -= bytes;
  return __real_munmap(at, bytes);
}

int __wrap_memfd_create(const char* name, unsigned int flags) {
  return fails() ? -1 : __real_memfd_create(name, flags);
}

ssize_t __wrap_pwrite(int file, const void* from, std::size_t bytes, off_t offset) {
  return fails() ? -1 : __real_pwrite(file, from, bytes, offset);
}
}
// NOLINTEND(bugprone-reserved-identifier,readability-identifier-naming)

namespace modmem {
namespace {

class BootFailuresTest : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    config_.host = GetParam();
    config_.log_sink = [](modmem_log_level, const char* line, void* self) {
      static_cast<BootFailuresTest*>(self)->lines_.emplace_back(line);
    };
    config_.log_context = this;
  }
  void TearDown() override {
    fail_after(SIZE_MAX);
    EXPECT_EQ(modmem_shutdown(), 0);
  }

  static std::size_t open_files() {
    namespace fs = std::filesystem;
    return static_cast<std::size_t>(
        std::distance(fs::directory_iterator("/proc/self/fd"), fs::directory_iterator()));
  }
  // Whether there is a system that works.
  void expect_boots() {
    ASSERT_EQ(modmem_boot(&config_), 0);
    void* block = rmalloc(0, 100);
    EXPECT_NE(block, nullptr);
    rfree(block);
    EXPECT_TRUE(modmem_check(true));
  }

  modmem_config config_{};
  std::vector<std::string> lines_;
};

INSTANTIATE_TEST_SUITE_P(Hosts, BootFailuresTest, testing::Values("sim", "plain", "libc"),
                         [](const auto& host) { return std::string(host.param); });

TEST_P(BootFailuresTest, EachSystemCallOfABootMayFail) {
  expect_boots();  // what comes with the first boot, and stays
  ASSERT_EQ(modmem_shutdown(), 0);
  const std::size_t files = open_files();
  const std::size_t mapped = mapped_bytes;
  // What the simulator maps for the first heaps is a page as any other, which may not be had.
  const std::string no_first_page =
      "platform mtl: the heaps of policy elastic do not fit its memory";
  std::size_t without_tables = 0;
  std::size_t calls = 0;
  for (;; ++calls) {
    fail_after(calls);
    const int result = modmem_boot(&config_);
    if (!failed) {
      EXPECT_EQ(result, 0);
      break;
    }
    EXPECT_EQ(result, -ENOMEM) << calls;
    EXPECT_EQ(mapped_bytes, mapped) << calls;
    EXPECT_EQ(open_files(), files) << calls;
    ASSERT_EQ(lines_.size(), 1U) << calls;
    if (lines_[0] != no_first_page) {
      EXPECT_EQ(lines_[0].find("host " + std::string(GetParam()) + ": "), 0U) << lines_[0];
      EXPECT_NE(lines_[0].find(": Cannot allocate memory"), std::string::npos) << lines_[0];
    }
    without_tables += lines_[0].find(" bytes for tables: ") != std::string::npos ? 1 : 0;
    lines_.clear();
    EXPECT_EQ(modmem_shutdown(), 0) << calls;  // there is none
  }
  fail_after(SIZE_MAX);
  EXPECT_GE(calls, 4U);
  EXPECT_EQ(without_tables, 1U);
  ASSERT_EQ(modmem_shutdown(), 0);
  expect_boots();
}

TEST_P(BootFailuresTest, AfterAPowerCycleThatFailsThereIsNoSystem) {
  if (GetParam() == std::string("sim")) {
    GTEST_SKIP() << "a simulated power cycle needs no memory";
  }
  expect_boots();
  ASSERT_EQ(modmem_shutdown(), 0);
  const std::size_t mapped = mapped_bytes;
  std::size_t calls = 0;
  for (;; calls += 100) {
    expect_boots();
    fail_after(calls);
    const int result = modmem_host_power_cycle();
    if (!failed) {
      EXPECT_EQ(result, 0);
      break;
    }
    EXPECT_EQ(result, -ENOMEM) << calls;
    EXPECT_EQ(mapped_bytes, mapped) << calls;
    EXPECT_EQ(modmem_host_power_cycle(), -ENODEV) << calls;
    EXPECT_EQ(modmem_shutdown(), 0) << calls;
  }
  EXPECT_GE(calls, 100U);
}

// --- what else a host says (code_name.cpp) ---

TEST(HostHooksTest, CodeIsNamedByItsFile) {
  char text[96] = "as before";
  EXPECT_FALSE(name_code(nullptr, text, sizeof text));
  EXPECT_FALSE(name_code(text, text, sizeof text));  // no code
  EXPECT_STREQ(text, "as before");
  const auto* mine = reinterpret_cast<const void*>(&fail_after);
  ASSERT_TRUE(name_code(mine, text, sizeof text));
  EXPECT_EQ(std::string(text).find("capi_host_test+0x"), 0U) << text;
  const auto* librarys = reinterpret_cast<const void*>(&std::getenv);
  ASSERT_TRUE(name_code(librarys, text, sizeof text));
  EXPECT_EQ(std::string(text).find('/'), std::string::npos) << text;
  EXPECT_EQ(std::string(text).find("capi_host_test"), std::string::npos) << text;
  // A program that was started by its bare name.
  char* before = program_invocation_name;
  char bare[] = "bare";
  program_invocation_name = bare;
  ASSERT_TRUE(name_code(mine, text, sizeof text));
  program_invocation_name = before;
  EXPECT_EQ(std::string(text).find("bare+0x"), 0U) << text;
}

}  // namespace
}  // namespace modmem
