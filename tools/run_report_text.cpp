#include "tools/run_report_text.hpp"

#include <algorithm>
#include <cstdarg>
#include <cstdio>

#include "tools/coherence_text.hpp"
#include "tools/findings_report.hpp"
#include "tools/hex_id.hpp"

namespace modmem::tools {

namespace {

using testbench::RunReport;

constexpr std::size_t kColumns = 100;

__attribute__((format(printf, 2, 3))) void add(std::string& text, const char* format, ...) {
  char line[512];
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(line, sizeof line, format, arguments);
  va_end(arguments);
  text += line;
}

// A file's name as one line that does nothing to a terminal.
std::string printable(const std::filesystem::path& file) {
  std::string name = file.string();
  std::replace_if(
      name.begin(), name.end(),
      [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7f'; }, '?');
  return name;
}

// `name` in at most `width` columns, its middle left out where it is longer.
std::string fit(const std::string& name, std::size_t width) {
  if (name.size() <= width) {
    return name;
  }
  const std::size_t head = (width - 2) / 2;
  return name.substr(0, head) + ".." + name.substr(name.size() - (width - 2 - head));
}

// A number with its thousands apart, as sizes here have up to seven digits.
std::string count(std::uint64_t number) {
  std::string digits = std::to_string(number);
  for (std::size_t at = digits.size(); at > 3;) {
    at -= 3;
    digits.insert(at, ",");
  }
  return digits;
}

std::string bytes(std::uint64_t number) { return count(number) + " B"; }

void add_pool(std::string& text, const RunReport& report) {
  const std::size_t pool = std::size_t{report.frames} * config::kPageBytes;
  add(text, "Pool: %s in %u frames of %s, %u banks\n", bytes(pool).c_str(), report.frames,
      bytes(config::kPageBytes).c_str(), report.banks);
  add(text, "  %-22s %16s %16s %16s\n", "", "now", "peak", "mean");
  add(text, "  %-22s %16s %16s %16s\n", "mapped", bytes(report.live_mapped_bytes).c_str(),
      bytes(report.peak_mapped_bytes).c_str(),
      bytes(static_cast<std::uint64_t>(report.mapped_mean_bytes)).c_str());
  add(text, "  %-22s %16u %16u %16.2f\n", "banks on", report.banks_on, report.banks_on_peak,
      report.banks_on_mean);
  add(text, "  %-22s %16.3f %16.3f (held, idle; %s frames moved)\n", "bank seconds",
      static_cast<double>(report.energy.total_us - report.energy.idle_us) / 1e6,
      static_cast<double>(report.energy.idle_us) / 1e6, count(report.frames_moved).c_str());
  add(text, "  %-22s %16s\n", "largest request", bytes(report.largest_request).c_str());
  add(text, "  %-22s %16s\n", "metadata", bytes(report.metadata_bytes).c_str());
  add(text, "  %-22s %16s  (at boot %s)\n\n", "after tear-down", bytes(report.mapped_bytes).c_str(),
      bytes(report.boot_mapped_bytes).c_str());
}

void add_heaps(std::string& text, const RunReport& report) {
  add(text, "%-26s %-8s %11s %11s %11s %11s %7s %6s\n", "Heaps", "kind", "live B", "peak B",
      "mapped B", "peak map B", "allocs", "fails");
  for (const testbench::HeapNote& heap : report.heaps) {
    add(text, "  %-24s %-8s %11s %11s %11s %11s %7s %6s\n", fit(heap.name, 24).c_str(),
        heap.kind.c_str(), count(heap.figures.live_bytes).c_str(),
        count(heap.figures.peak_live_bytes).c_str(), count(heap.figures.mapped_bytes).c_str(),
        count(heap.figures.peak_mapped_bytes).c_str(), count(heap.figures.allocations).c_str(),
        count(heap.figures.failures).c_str());
  }
  for (const testbench::HeapNote& heap : report.heaps) {
    if (heap.figures.queued_bytes != 0) {
      add(text, "  %s: %s that other cores freed wait for its own\n", fit(heap.name, 24).c_str(),
          bytes(heap.figures.queued_bytes).c_str());
    }
  }
  text += '\n';
}

// The bundles of heaps of slots, where there are such heaps.
void add_slots(std::string& text, const RunReport& report) {
  for (const testbench::HeapNote& heap : report.heaps) {
    const HeapReport& figures = heap.figures;
    if (figures.bundle_count == 0) {
      continue;
    }
    const std::string title = "Slots of " + fit(heap.name, 18);
    add(text, "%-26s %11s %11s %11s %11s\n", title.c_str(), "slots", "used", "most used",
        "run out");
    for (std::uint32_t i = 0; i < figures.bundle_count; ++i) {
      const SlotBundleStats& bundle = figures.bundles[i];
      add(text, "  %-24s %11s %11s %11s %11s\n", bytes(bundle.slot_bytes).c_str(),
          count(bundle.slots).c_str(), count(bundle.used).c_str(), count(bundle.most_used).c_str(),
          count(bundle.run_out).c_str());
    }
    text += '\n';
  }
}

void add_pipelines(std::string& text, const RunReport& report) {
  add(text, "%-31s %4s %11s %11s %11s %11s %7s %6s\n", "Pipelines", "core", "live B", "peak B",
      "mapped B", "peak map B", "allocs", "fails");
  for (const testbench::PipelineReport& pipeline : report.pipelines) {
    add(text, "  %4u %-24s %4u %11s %11s %11s %11s %7s %6s\n", pipeline.id,
        fit(pipeline.name, 24).c_str(), pipeline.core, count(pipeline.live_bytes).c_str(),
        count(pipeline.peak_live_bytes).c_str(), count(pipeline.mapped_bytes).c_str(),
        count(pipeline.peak_mapped_bytes).c_str(), count(pipeline.allocations).c_str(),
        count(pipeline.failures).c_str());
  }
  text += '\n';
}

void add_modules(std::string& text, const RunReport& report) {
  bool placeholders = false;
  add(text, "%-57s %11s %11s %8s %8s\n", "Modules", "live B", "peak B", "allocs", "fails");
  for (const testbench::ModuleReport& module : report.modules) {
    add(text, "  %s %s %-42s %11s %11s %8s %8s\n", hex_id(module.id).c_str(),
        module.placeholder ? "*" : " ", fit(module.name, 42).c_str(),
        count(module.live_bytes).c_str(), count(module.peak_live_bytes).c_str(),
        count(module.allocations).c_str(), count(module.failures).c_str());
    placeholders = placeholders || module.placeholder;
  }
  for (const testbench::ModuleReport& module : report.modules) {
    if (module.declared_heap_bytes) {
      add(text, "  %s declares a heap of %s\n", fit(module.name, 42).c_str(),
          bytes(*module.declared_heap_bytes).c_str());
    }
  }
  for (const testbench::ModuleReport& module : report.modules) {
    if (!module.loaded_from.empty()) {
      add(text, "  %s is loaded from %s\n", fit(module.name, 42).c_str(),
          fit(printable(module.loaded_from), 42).c_str());
    }
  }
  if (placeholders) {
    text +=
        "  * placeholder: passes audio through and holds the memory that the topology declares\n";
  }
  text += '\n';
}

void add_failure(std::string& text, const RunReport& report) {
  const bool more = report.script && report.script->failures > 1;
  add(text, "Out of memory: %s\n", fit(report.failed_step, 80).c_str());
  if (more) {
    add(text, "  and %s more of the script's commands\n",
        count(report.script->failures - 1).c_str());
  }
  if (!report.failure) {
    return;
  }
  const testbench::FailureNote& failure = *report.failure;
  const Failure& figures = failure.figures;
  add(text, "  asked for         %s, aligned to %s, flags %#x\n", bytes(figures.bytes).c_str(),
      bytes(figures.alignment).c_str(), static_cast<unsigned>(figures.flags));
  add(text, "  by                %s %s (%s)\n", to_string(figures.owner_kind),
      fit(failure.owner, 50).c_str(), hex_id(failure.owner_id).c_str());
  add(text, "  reason            %s\n", to_string(figures.reason));
  if (!failure.guarantee.empty()) {
    add(text, "  guarantees        %s\n", fit(failure.guarantee, 100).c_str());
  }
  add(text, "  free for it       %s\n", bytes(figures.free_bytes).c_str());
  add(text, "  would succeed     %s at most\n", bytes(figures.largest_request).c_str());
  for (const testbench::FailureNote::TopOwner& top : failure.top_owners) {
    add(text, "  held by           %s (%s): %s\n", fit(top.name, 50).c_str(),
        hex_id(top.id).c_str(), bytes(top.bytes).c_str());
  }
}

void add_verdict(std::string& text, const RunReport& report) {
  add(text, "Audio: %s periods of 1 ms, %s frames in, %s frames out, %s xruns\n",
      count(report.periods).c_str(), count(report.frames_in).c_str(),
      count(report.frames_out).c_str(), count(report.xruns).c_str());
  for (const std::filesystem::path& file : report.files) {
    text += "  written: " + printable(file) + "\n";
  }
  if (report.trace) {
    add(text, "Trace: %s events, %s lost\n", count(report.trace->events).c_str(),
        count(report.trace->lost).c_str());
  }
  if (report.script) {
    const testbench::ScriptFigures& script = *report.script;
    add(text, "Script: %s commands, %s streams started, %s failed; %.0f times real time\n",
        count(script.commands).c_str(), count(script.streams_started).c_str(),
        count(script.streams_failed).c_str(), script.speed);
  }
  if (report.admissions.admitted + report.admissions.refused != 0) {
    const testbench::AdmissionFigures& admissions = report.admissions;
    add(text, "Admissions: %s, %s refused; at most %s reserved, %s returned in all\n",
        count(admissions.admitted).c_str(), count(admissions.refused).c_str(),
        bytes(admissions.reserved_bytes).c_str(), bytes(admissions.returned_bytes).c_str());
  }
  if (!report.failed_step.empty()) {
    add_failure(text, report);
  }
  add(text, "Leaks: %s\n", report.leaks.empty() ? "none" : count(report.leaks.size()).c_str());
  for (const testbench::LeakNote& leak : report.leaks) {
    add(text, "  %s (%s)\n    %s, aligned to %s, from %s\n", fit(leak.owner, 80).c_str(),
        hex_id(leak.owner_id).c_str(), bytes(leak.bytes).c_str(), bytes(leak.alignment).c_str(),
        fit(leak.site, 50).c_str());
  }
  for (const testbench::FaultNote& fault : report.faults) {
    if (!fault.damage.empty()) {
      add(text, "Damage: %s\n", fit(fault.damage, kColumns - 8).c_str());
      add(text, "  taken at %s\n", fit(fault.taken_at, kColumns - 11).c_str());
      if (!fault.freed_at.empty()) {
        add(text, "  freed at %s\n", fit(fault.freed_at, kColumns - 11).c_str());
      }
      add(text, "  %s\n", fault.advice.c_str());
      continue;
    }
    add(text, "Wrong free: %s\n  heap %s, %s (%s)\n", to_string(fault.status),
        fit(fault.heap, 35).c_str(), fit(fault.owner, 35).c_str(), hex_id(fault.owner_id).c_str());
  }
  if (report.isolated && report.strays.empty()) {
    add(text, "Isolation: no module reached for what is not its own\n");
  }
  for (const testbench::StrayNote& stray : report.strays) {
    add(text, "Removed: %s (%s), with pipeline %u, as it %s what is not its own\n",
        fit(stray.module, 50).c_str(), hex_id(stray.id).c_str(), stray.pipeline,
        stray.write ? "wrote to" : "read");
    add(text, "  at 0x%llx, %s\n  by code at %s\n", static_cast<unsigned long long>(stray.address),
        stray.place.c_str(), fit(stray.site, 60).c_str());
  }
  for (const testbench::ModuleReport& module : report.modules) {
    if (module.errors.count != 0) {
      add(text, "Failed to process: %s (%s)\n  %s times, first with error %d\n",
          fit(module.name, 60).c_str(), hex_id(module.id).c_str(),
          count(module.errors.count).c_str(), module.errors.first);
    }
  }
  if (report.coherence) {
    text += to_text(*report.coherence);
  }
  if (report.audio_path_allocations != 0) {
    add(text, "The audio path allocated: %s calls\n", count(report.audio_path_allocations).c_str());
  }
  text += to_text(report.findings);
  if (report.mapped_bytes != report.boot_mapped_bytes) {
    add(text, "The pool is not as it was at boot: %s mapped, %s then\n",
        bytes(report.mapped_bytes).c_str(), bytes(report.boot_mapped_bytes).c_str());
  }
}

}  // namespace

std::string to_text(const RunReport& report) {
  std::string text;
  const std::string what =
      report.script
          ? "as " + fit(printable(std::filesystem::path(report.script->script).filename()), 40) +
                " says"
          : (report.cycles == 1 ? "once" : count(report.cycles) + " times") +
                " set up and torn down";
  const std::string how =
      " on " + report.platform + ", policy " + report.policy + ", " + what + "\n\n";
  text += fit(printable(std::filesystem::path(report.topology).filename()), kColumns - how.size()) +
          how;
  add_pool(text, report);
  add_heaps(text, report);
  add_slots(text, report);
  add_pipelines(text, report);
  add_modules(text, report);
  add_verdict(text, report);
  return text;
}

}  // namespace modmem::tools
