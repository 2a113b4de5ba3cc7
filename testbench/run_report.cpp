#include "testbench/run_report.hpp"

#include <algorithm>

#include "testbench/run_trace.hpp"

namespace modmem::testbench {

bool RunReport::failed() const {
  return failure.has_value() || !failed_step.empty() || !leaks.empty() || !faults.empty() ||
         !strays.empty() || audio_path_allocations != 0 || !findings.empty() ||
         mapped_bytes != boot_mapped_bytes || (coherence && !coherence->findings.empty()) ||
         std::any_of(modules.begin(), modules.end(),
                     [](const ModuleReport& module) { return module.errors.count != 0; });
}

RunReport begin_report(const System& system, const std::filesystem::path& topology) {
  const Memory& memory = system.memory();
  RunReport report;
  report.topology = topology.string();
  report.platform = memory.config().name;
  report.policy = memory.policy().name;
  report.frames = memory.pool().frames();
  report.banks = memory.pool().banks();
  report.boot_mapped_bytes = system.boot_mapped_bytes();
  return report;
}

void sample(System& system, const Session& session, RunReport& report) {
  const Memory& memory = system.memory();
  const PagePool& pool = memory.pool();
  report.largest_request = memory.largest_request({});  // first, as it ends what waits
  report.live_mapped_bytes = system.mapped_bytes();
  report.peak_mapped_bytes = std::size_t{pool.peak_taken()} * config::kPageBytes;
  report.peak_live_bytes = memory.system().tree_peak;
  report.banks_on = pool.banks_on();
  report.banks_on_peak = pool.banks_on_peak();
  report.energy = memory.energy();
  report.metadata_bytes = memory.metadata_bytes();
  report.heaps = trace::heap_notes(memory);
  report.pipelines = session.pipelines();
  report.modules = session.modules();
  report.xruns = session.xruns();
  if (RunTrace* trace = system.trace()) {
    trace->note_sample();
  }
}

void close_report(System& system, RunReport& report) {
  system.look_for_damage();
  report.mapped_bytes = system.mapped_bytes();
  report.leaks = system.leaks();
  report.faults = system.faults();
  if (const Fence* fence = system.fence()) {
    report.isolated = true;
    report.strays = fence->strays();
  }
  report.admissions = system.admissions();
}

void PeriodMeans::add(const System& system, std::uint64_t periods) {
  const auto count = static_cast<double>(periods);
  periods_ += periods;
  banks_ += count * system.memory().pool().banks_on();
  mapped_ += count * static_cast<double>(system.mapped_bytes());
}

void PeriodMeans::note(RunReport& report) const {
  const auto count = static_cast<double>(periods_);
  report.periods = periods_;
  report.banks_on_mean = periods_ != 0 ? banks_ / count : 0;
  report.mapped_mean_bytes = periods_ != 0 ? mapped_ / count : 0;
}

void note_findings(RunReport& report) {
  report.findings = findings_of(report.leaks, report.faults, CrashCatcher::notes(), report.strays,
                                audio_path_notes(), report.modules);
}

void note_trace(System& system, RunReport& report) {
  system.finish_trace();
  if (const RunTrace* trace = system.trace()) {
    report.trace = {.events = trace->events(), .lost = trace->lost()};
  }
}

}  // namespace modmem::testbench
