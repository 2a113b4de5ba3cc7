#include "port/host/host_port.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <vector>

#include "base/check.hpp"
#include "modmem/config.hpp"
#include "port/host/fault_report.hpp"

namespace modmem {
namespace {

constexpr std::size_t kPage = config::kPageBytes;

// 22 frames behind a reserve of 6, in banks of 8: the first and the last bank are partly ours.
PlatformConfig small(bool has_mmu) {
  PlatformConfig config{};
  config.name = "small";
  config.bank_bytes = 8 * kPage;
  config.reserve_bytes = 6 * kPage;
  config.sram_bytes = config.reserve_bytes + 22 * kPage;
  config.cores = 2;
  config.has_mmu = has_mmu;
  config.window_bytes = has_mmu ? 40 * kPage : 0;
  return config;
}

std::byte* address(const HostPort& port, std::size_t page) { return port.window() + page * kPage; }

// What a stray access would do; the volatile keeps the compiler from leaving it out.
void touch(const std::byte* at) { static_cast<void>(*static_cast<const volatile std::byte*>(at)); }

void fill(HostPort& port, std::uint16_t page, unsigned char value) {
  std::memset(address(port, page), value, kPage);
}

bool holds(const std::byte* first, unsigned char value) {
  return std::all_of(first, first + kPage, [value](std::byte b) { return b == std::byte{value}; });
}

class HostPortTest : public ::testing::TestWithParam<bool> {
 protected:
  HostPortTest() : port(small(GetParam())) {
    ::testing::FLAGS_gtest_death_test_style = "threadsafe";
    for (std::uint16_t bank = 0; bank < 4; ++bank) {
      EXPECT_TRUE(port.set_bank_power(Bank{bank}, true));
    }
  }
  HostPort port;
};

std::string mmu_name(const ::testing::TestParamInfo<bool>& info) {
  return info.param ? "Mmu" : "NoMmu";
}
INSTANTIATE_TEST_SUITE_P(Platforms, HostPortTest, ::testing::Values(true, false), mmu_name);

TEST_P(HostPortTest, WindowLiesOnPagesAndIsAsLargeAsTold) {
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(port.window()) % kPage, 0U);
  EXPECT_EQ(port.window_bytes(), (GetParam() ? 40 : 22) * kPage);
  EXPECT_EQ(port.alias_offset() != 0, GetParam());
  EXPECT_EQ(static_cast<std::size_t>(port.alias_offset()) % kPage, 0U);
}

TEST_P(HostPortTest, MapsEveryPageThatThereIs) {
  for (std::uint16_t frame = 0; frame < 22; ++frame) {
    const auto page = static_cast<std::uint16_t>(GetParam() ? 39 - frame : frame);
    ASSERT_TRUE(port.map(Page{page}, Frame{frame}));
    fill(port, page, static_cast<unsigned char>(frame + 1));
  }
  for (std::uint16_t frame = 0; frame < 22; ++frame) {
    const std::size_t page = GetParam() ? 39U - frame : frame;
    EXPECT_TRUE(holds(address(port, page), static_cast<unsigned char>(frame + 1)));
  }
}

TEST_P(HostPortTest, BothAliasesShowTheSameBytes) {
  ASSERT_TRUE(port.map(Page{3}, Frame{3}));
  std::byte* cached = address(port, 3);
  std::byte* uncached = cached + port.alias_offset();
  std::memset(cached, 1, kPage);
  EXPECT_TRUE(holds(uncached, 1));
  std::memset(uncached, 2, kPage);
  EXPECT_TRUE(holds(cached, 2));
}

TEST_P(HostPortTest, ContentStaysInTheFrameWhileTheBankIsOn) {
  ASSERT_TRUE(port.map(Page{3}, Frame{3}));
  fill(port, 3, 5);
  port.unmap(Page{3});
  const std::uint16_t page = GetParam() ? 17 : 3;
  ASSERT_TRUE(port.map(Page{page}, Frame{3}));
  EXPECT_TRUE(holds(address(port, page), 5));
}

TEST_P(HostPortTest, UnmappedPagesCannotBeTouched) {
  const std::byte* page = address(port, 3);
  EXPECT_DEATH(touch(page), "");
  EXPECT_DEATH(touch(page + port.alias_offset()), "");
  ASSERT_TRUE(port.map(Page{3}, Frame{3}));
  touch(page);
  touch(page + kPage - 1 + port.alias_offset());
  port.unmap(Page{3});
  EXPECT_DEATH(touch(page), "");
  EXPECT_DEATH(touch(page + port.alias_offset() + kPage - 1), "");
}

TEST_P(HostPortTest, PagesAroundTheAliasesAreGuarded) {
  const auto last = static_cast<std::uint16_t>(port.window_bytes() / kPage - 1);
  ASSERT_TRUE(port.map(Page{0}, Frame{0}));
  ASSERT_TRUE(port.map(Page{last}, GetParam() ? Frame{1} : Frame{last}));
  for (std::byte* alias : {port.window(), port.window() + port.alias_offset()}) {
    touch(alias);
    touch(alias + port.window_bytes() - 1);
    EXPECT_DEATH(touch(alias - 1), "");
    EXPECT_DEATH(touch(alias + port.window_bytes()), "");
  }
}

TEST_P(HostPortTest, ABankThatWasOffHasLostItsContentAndNoOtherHas) {
  for (std::uint16_t frame = 0; frame < 22; ++frame) {
    ASSERT_TRUE(port.map(Page{frame}, Frame{frame}));
    fill(port, frame, 9);
  }
  // Banks begin at frames 0 (two frames of ours), 2, 10 and 18 (four frames).
  constexpr std::uint16_t kFirst[] = {0, 2, 10, 18, 22};
  for (std::uint16_t bank = 0; bank < 4; ++bank) {
    for (std::uint16_t frame = kFirst[bank]; frame < kFirst[bank + 1]; ++frame) {
      port.unmap(Page{frame});
    }
    EXPECT_TRUE(port.set_bank_power(Bank{bank}, false));
    EXPECT_TRUE(port.set_bank_power(Bank{bank}, true));
    for (std::uint16_t frame = kFirst[bank]; frame < kFirst[bank + 1]; ++frame) {
      ASSERT_TRUE(port.map(Page{frame}, Frame{frame}));
    }
    for (std::uint16_t frame = 0; frame < 22; ++frame) {
      const bool lost = frame < kFirst[bank + 1];
      EXPECT_TRUE(holds(address(port, frame),
                        lost ? std::to_integer<unsigned char>(HostPort::kLostContent) : 9))
          << "frame " << frame << " after bank " << bank;
    }
  }
}

TEST_P(HostPortTest, ABrokenBankRefusesToComeUp) {
  EXPECT_TRUE(port.set_bank_power(Bank{2}, false));
  port.break_bank(Bank{2}, true);
  EXPECT_FALSE(port.set_bank_power(Bank{2}, true));
  EXPECT_TRUE(port.set_bank_power(Bank{2}, false));
  port.break_bank(Bank{2}, false);
  EXPECT_TRUE(port.set_bank_power(Bank{2}, true));
}

TEST_P(HostPortTest, MapsFailWhenTold) {
  port.fail_maps_after(2);
  EXPECT_TRUE(port.map(Page{0}, Frame{0}));
  EXPECT_TRUE(port.map(Page{1}, Frame{1}));
  EXPECT_FALSE(port.map(Page{2}, Frame{2}));
  EXPECT_FALSE(port.map(Page{2}, Frame{2}));
  EXPECT_DEATH(touch(address(port, 2)), "");
  port.fail_maps_after(HostPort::kNever);
  EXPECT_TRUE(port.map(Page{2}, Frame{2}));
  touch(address(port, 2));
}

// --- reports of stray accesses ---

void describe_page(const void* context, const void* at, char* text, std::size_t size) {
  const auto* port = static_cast<const HostPort*>(context);
  std::ptrdiff_t offset = static_cast<const std::byte*>(at) - port->window();
  const bool uncached = offset >= static_cast<std::ptrdiff_t>(port->window_bytes());
  offset -= uncached ? port->alias_offset() : 0;
  std::snprintf(text, size, "page %d, %s", static_cast<int>(offset / std::ptrdiff_t{kPage}),
                uncached ? "uncached" : "cached");
}

std::string hexadecimal(const std::byte* at) {
  char text[32];
  std::snprintf(text, sizeof text, "%p", static_cast<const void*>(at));
  return text;
}

TEST_P(HostPortTest, AStrayAccessDiesWithAReportThatNamesIt) {
  // The window is mapped anew in a child that starts over: no address is known before it runs.
  const auto stray = [this](std::size_t offset, bool uncached) {
    const FaultReporter reporter(port, describe_page, &port);
    const std::byte* at = port.window() + offset + (uncached ? port.alias_offset() : 0);
    std::fprintf(stderr, "about to touch %s;", hexadecimal(at).c_str());
    touch(at);
  };
  EXPECT_DEATH(
      stray(7 * kPage + 5, false),
      "about to touch (0x[0-9a-f]+);modmem: stray access to 0x[0-9a-f]+005: page 7, cached");
  if (GetParam()) {
    EXPECT_DEATH(stray(38 * kPage + 0xabc, true),
                 "modmem: stray access to 0x[0-9a-f]+abc: page 38, uncached");
  }
  ASSERT_TRUE(port.map(Page{7}, Frame{7}));
  stray(7 * kPage + 5, false);
}

TEST_P(HostPortTest, AReportNamesTheVeryAddress) {
  ::testing::FLAGS_gtest_death_test_style = "fast";  // a fork: the addresses stay
  const std::byte* at = address(port, 11) + 123;
  const auto stray = [this, at] {
    const FaultReporter reporter(port, describe_page, &port);
    touch(at);
  };
  EXPECT_DEATH(stray(), "stray access to " + hexadecimal(at) + ": page 11");
}

TEST_P(HostPortTest, OtherFaultsGoToWhoHandledThemBefore) {
  const auto handler = [](int) {
    constexpr char kText[] = "the handler before\n";
    static_cast<void>(!write(STDERR_FILENO, kText, sizeof kText - 1));
    _exit(42);
  };
  // A page of another port's window is none of this one's.
  const HostPort other(small(true));
  const auto elsewhere = [&] {
    std::signal(SIGSEGV, handler);
    const FaultReporter reporter(port, describe_page, &port);
    touch(other.window());
  };
  EXPECT_EXIT(elsewhere(), ::testing::ExitedWithCode(42), "^the handler before");
  const auto afterwards = [&] {
    std::signal(SIGSEGV, handler);
    { const FaultReporter reporter(port, describe_page, &port); }
    touch(port.window());
  };
  EXPECT_EXIT(afterwards(), ::testing::ExitedWithCode(42), "^the handler before");
}

// --- the rest of the interface ---

TEST(HostPort, RefusesAWindowThatTheHostCannotReserve) {
  PlatformConfig config = small(true);
  config.window_bytes = std::size_t{1} << 60;
  EXPECT_THROW(HostPort{config}, std::system_error);
}

TEST(HostPort, OpensWithoutExceptionsAndSaysWhatTheHostRefused) {
  HostPort port;
  PlatformConfig config = small(true);
  config.window_bytes = std::size_t{1} << 60;
  errno = 0;
  EXPECT_FALSE(port.open(config));
  EXPECT_NE(errno, 0);
  EXPECT_EQ(std::string_view(port.failure()), "reserving address space for the window");
  config = small(true);
  config.lp_sram_bytes = 4 * kPage;
  config.l3_bytes = std::size_t{1} << 60;
  errno = 0;
  EXPECT_FALSE(port.open(config));
  EXPECT_NE(errno, 0);
  EXPECT_EQ(port.low_power(), nullptr);
  config.l3_bytes = 8 * kPage;
  ASSERT_TRUE(port.open(config));
  EXPECT_EQ(std::string_view(port.failure()), "");
  ASSERT_TRUE(port.set_bank_power(Bank{0}, true));
  ASSERT_TRUE(port.map(Page{0}, Frame{0}));
  fill(port, 0, 1);
  port.close();
  EXPECT_EQ(port.l3(), nullptr);
  EXPECT_TRUE(port.open(small(false)));
  EXPECT_EQ(port.alias_offset(), 0);
}

TEST(HostPort, PortsDoNotShareMemory) {
  HostPort first(small(true));
  HostPort second(small(true));
  for (HostPort* port : {&first, &second}) {
    ASSERT_TRUE(port->set_bank_power(Bank{0}, true));
    ASSERT_TRUE(port->map(Page{0}, Frame{0}));
  }
  fill(first, 0, 1);
  fill(second, 0, 2);
  EXPECT_TRUE(holds(first.window(), 1));
}

TEST(HostPort, CountsInvalidatedBytes) {
  HostPort port(small(true));
  port.cache_invalidate(port.window(), 128);
  port.cache_invalidate(port.window(), 64);
  port.cache_writeback(port.window(), 4096);
  EXPECT_EQ(port.invalidated_bytes(), 192U);
}

TEST(HostPort, KnowsThreadsAndCores) {
  const HostPort port(small(true));
  set_host_core(1);
  std::uintptr_t other_thread = 0;
  std::uint32_t other_core = 99;
  std::thread([&] {
    other_thread = port.thread_id();
    other_core = port.core_id();
  }).join();
  EXPECT_EQ(port.core_id(), 1U);
  EXPECT_EQ(other_core, 0U);
  EXPECT_NE(port.thread_id(), 0U);
  EXPECT_NE(other_thread, 0U);
  EXPECT_EQ(port.thread_id(), port.thread_id());
  set_host_core(0);
}

TEST(HostPort, KnowsTheAudioPathOfEachThread) {
  const HostPort port(small(true));
  EXPECT_FALSE(port.on_audio_path());
  {
    const AudioPathScope scope;
    {
      const AudioPathScope nested;
      EXPECT_TRUE(port.on_audio_path());
    }
    EXPECT_TRUE(port.on_audio_path());
    bool elsewhere = true;
    std::thread([&] { elsewhere = port.on_audio_path(); }).join();
    EXPECT_FALSE(elsewhere);
  }
  EXPECT_FALSE(port.on_audio_path());
}

TEST(HostPort, LockExcludesOtherThreads) {
  HostPort port(small(true));
  int counter = 0;
  const auto count = [&] {
    for (int i = 0; i < 20000; ++i) {
      const LockGuard guard(port);
      counter = counter + 1;
    }
  };
  std::thread first(count);
  std::thread second(count);
  first.join();
  second.join();
  EXPECT_EQ(counter, 40000);
}

TEST(HostPort, TimeDoesNotGoBack) {
  const HostPort port(small(true));
  const std::uint64_t before = port.time_us();
  EXPECT_LE(before, port.time_us());
}

TEST(HostPort, LogsALine) {
  HostPort port(small(true));
  ::testing::internal::CaptureStderr();
  port.log(LogLevel::warning, "something");
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "modmem: warning: something\n");
}

TEST(HostPort, LogsToASinkWhereThereIsOne) {
  HostPort port(small(true));
  std::string got;
  const auto sink = [](void* context, LogLevel level, const char* line) {
    *static_cast<std::string*>(context) += std::to_string(static_cast<int>(level)) + line + ";";
  };
  ::testing::internal::CaptureStderr();
  port.set_log_sink(sink, &got);
  port.log(LogLevel::error, "one");
  port.log(LogLevel::debug, "two");
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
  EXPECT_EQ(got, "0one;3two;");
  port.set_log_sink(nullptr, nullptr);
  ::testing::internal::CaptureStderr();
  port.log(LogLevel::error, "three");
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "modmem: error: three\n");
}

TEST(HostPort, ABrokenInvariantEndsTheProgram) {
  EXPECT_DEATH(check_failed("a == b", "file.cpp", 12), "file.cpp:12: broken invariant: a == b");
}

TEST(HostPortMemories, AreThereWhereTheConfigurationSaysSo) {
  PlatformConfig config = small(true);
  HostPort without(config);
  EXPECT_EQ(without.low_power(), nullptr);
  EXPECT_EQ(without.l3(), nullptr);
  config.lp_sram_bytes = 4 * kPage;
  config.l3_bytes = 30 * kPage;
  HostPort with(config);
  ASSERT_NE(with.low_power(), nullptr);
  ASSERT_NE(with.l3(), nullptr);
  for (Port* side : {with.low_power(), with.l3()}) {
    EXPECT_EQ(side->alias_offset(), 0);
    EXPECT_EQ(side->low_power(), nullptr);
    ASSERT_TRUE(side->set_bank_power(Bank{0}, true));
    ASSERT_TRUE(side->map(Page{3}, Frame{3}));
    std::memset(side->window() + 3 * kPage, 5, kPage);
  }
}

TEST(HostPortMemories, OnlyL3OutlivesAPowerCycle) {
  PlatformConfig config = small(true);
  config.lp_sram_bytes = 4 * kPage;
  config.l3_bytes = 30 * kPage;
  HostPort port(config);
  std::vector<Port*> ports{&port, port.low_power(), port.l3()};
  for (Port* each : ports) {
    ASSERT_TRUE(each->set_bank_power(Bank{0}, true));
    ASSERT_TRUE(each->map(Page{1}, Frame{1}));
    std::memset(each->window() + kPage, 5, kPage);
  }
  port.power_cycle();
  for (Port* each : ports) {
    EXPECT_DEATH(touch(each->window() + kPage), "");  // by signal, or by a sanitizer
    ASSERT_TRUE(each->set_bank_power(Bank{0}, true));
    ASSERT_TRUE(each->map(Page{1}, Frame{1}));
    EXPECT_EQ(holds(each->window() + kPage, 5), each == port.l3());
  }
}

}  // namespace
}  // namespace modmem
