// The C interface: a stream of calls for capi/tests/random_driver.h, which holds it to a model of
// what lives and of how often it was misused. The first byte chooses the host and the policy that
// each input boots.
// Planted: somebody writes into a block that is not his.
#include <csignal>
#include <cstdlib>
#include <string>

#include "capi/tests/random_driver.h"
#include "fuzz/byte_source.hpp"
#include "fuzz/fuzz_target.hpp"

extern "C" {
// Of capi/tests/support.h, which is C alone.
int test_begin(void** state);
int test_end(void** state);
}

namespace modmem::fuzz {
namespace {

constexpr std::size_t kMostSteps = 300;
constexpr std::size_t kCompareEvery = 64;

std::size_t below(void* context, std::size_t bound) {
  return static_cast<ByteSource*>(context)->below(bound);
}

void say(const char* line) { show(line); }

// Runs test_begin(), which has signals end the program, as tests want it; engines handle them.
void boot() {
  constexpr int kSignals[] = {SIGABRT, SIGBUS, SIGSEGV};
  struct sigaction before[std::size(kSignals)];
  for (std::size_t i = 0; i < std::size(kSignals); ++i) {
    ::sigaction(kSignals[i], nullptr, &before[i]);
  }
  test_begin(nullptr);
  for (std::size_t i = 0; i < std::size(kSignals); ++i) {
    ::sigaction(kSignals[i], &before[i], nullptr);
  }
}

void drive(ByteSource& bytes) {
  static constexpr const char* kHosts[] = {"plain", "sim", "libc"};
  static constexpr const char* kPolicies[] = {"elastic", "module-heaps",  "single",
                                              "slots",   "slots-modules", "slots-all"};
  const char* host = kHosts[bytes.below(std::size(kHosts))];
  const char* policy = kPolicies[bytes.below(std::size(kPolicies))];
  ::setenv("MODMEM_HOST", host, 1);
  ::setenv("MODMEM_POLICY", policy, 1);
  if (shows()) {
    show(std::string("host ") + host + ", policy " + policy);
  }
  boot();
  const random_choices choices{below, &bytes, shows() ? say : nullptr};
  random_begin(&choices);
  for (std::size_t step = 1; step <= kMostSteps && !bytes.empty(); ++step) {
    random_step();
    unsigned char* const byte = is_planted() ? random_byte() : nullptr;
    if (byte != nullptr && step > 10) {
      *byte ^= 1U;
    }
    if (step % kCompareEvery == 0) {
      random_compare(false);
    }
  }
  random_end();
  test_end(nullptr);
}

}  // namespace
}  // namespace modmem::fuzz

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace modmem::fuzz;
  ::setenv("CMOCKA_TEST_ABORT", "1", 1);  // where an assertion fails
  ByteSource bytes(data, size);
  drive(bytes);
  return 0;
}
