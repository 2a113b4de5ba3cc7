#include "firmware/latency/measured.hpp"

namespace modmem::firmware {

namespace {

// With its call and its return.
constexpr std::uint32_t kInstructions = 1002;
[[gnu::noinline]] void run_a_thousand() { asm volatile(".rept 1000\n nop\n .endr"); }

}  // namespace

void test_count(Bench& bench) {
  bench.report.begin("clock", "instructions are counted exactly");
  for (int i = 0; i < 10; ++i) {
    Meter::begin();
    Meter::end<Part::own>();
    MODMEM_CHECK(bench.report, Meter::total(Part::own) == 0);
    Meter::begin();
    run_a_thousand();
    Meter::end<Part::own>();
    bench.add(0, Meter::total(Part::own));
    MODMEM_CHECK(bench.report, Meter::total(Part::own) == kInstructions);
    Meter::begin();
    run_a_thousand();
    run_a_thousand();
    run_a_thousand();
    run_a_thousand();
    run_a_thousand();
    run_a_thousand();
    run_a_thousand();
    run_a_thousand();
    run_a_thousand();
    run_a_thousand();
    Meter::end<Part::own>();
    bench.add(1, Meter::total(Part::own));
    MODMEM_CHECK(bench.report, Meter::total(Part::own) == 10 * kInstructions);
  }
  bench.report.end();
  write_latency(bench.numbers[0], {"clock", "1002"});
  write_latency(bench.numbers[1], {"clock", "10020"});
  bench.clear();
}

}  // namespace modmem::firmware
