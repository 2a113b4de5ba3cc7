#include "tools/run_report_json.hpp"

#include "tools/coherence_text.hpp"
#include "tools/findings_report.hpp"
#include "tools/hex_id.hpp"

namespace modmem::tools {

namespace {

using Json = nlohmann::ordered_json;

double seconds(std::uint64_t us) { return static_cast<double>(us) / 1e6; }

Json pool_json(const testbench::RunReport& report) {
  return {{"frames", report.frames},
          {"banks", report.banks},
          {"boot_mapped_bytes", report.boot_mapped_bytes},
          {"mapped_bytes", report.mapped_bytes},
          {"live_mapped_bytes", report.live_mapped_bytes},
          {"mapped_mean_bytes", report.mapped_mean_bytes},
          {"peak_mapped_bytes", report.peak_mapped_bytes},
          {"peak_live_bytes", report.peak_live_bytes},
          {"banks_on", report.banks_on},
          {"banks_on_peak", report.banks_on_peak},
          {"banks_on_mean", report.banks_on_mean},
          {"bank_seconds", seconds(report.energy.total_us)},
          {"idle_bank_seconds", seconds(report.energy.idle_us)},
          {"ended_bank_seconds", seconds(report.energy.ended_us)},
          {"frames_moved", report.frames_moved},
          {"metadata_bytes", report.metadata_bytes}};
}

Json bundles_json(const HeapReport& heap) {
  Json bundles = Json::array();
  for (std::uint32_t i = 0; i < heap.bundle_count; ++i) {
    const SlotBundleStats& bundle = heap.bundles[i];
    bundles.push_back({{"slot_bytes", bundle.slot_bytes},
                       {"slots", bundle.slots},
                       {"used", bundle.used},
                       {"most_used", bundle.most_used},
                       {"run_out", bundle.run_out}});
  }
  return bundles;
}

Json heaps_json(const std::vector<trace::HeapNote>& notes) {
  Json heaps = Json::array();
  for (const trace::HeapNote& heap : notes) {
    heaps.push_back({{"name", heap.name},
                     {"kind", heap.kind},
                     {"memory", heap.figures.memory},
                     {"owner", heap.owner},
                     {"live_bytes", heap.figures.live_bytes},
                     {"peak_live_bytes", heap.figures.peak_live_bytes},
                     {"mapped_bytes", heap.figures.mapped_bytes},
                     {"peak_mapped_bytes", heap.figures.peak_mapped_bytes},
                     {"ready_bytes", heap.figures.ready_bytes},
                     {"queued_bytes", heap.figures.queued_bytes},
                     {"bank_seconds", seconds(heap.figures.bank_us)},
                     {"allocations", heap.figures.allocations},
                     {"frees", heap.figures.frees},
                     {"failures", heap.figures.failures}});
    if (heap.figures.bundle_count != 0) {
      heaps.back()["bundles"] = bundles_json(heap.figures);
    }
  }
  return heaps;
}

Json pipelines_json(const testbench::RunReport& report) {
  Json pipelines = Json::array();
  for (const testbench::PipelineReport& pipeline : report.pipelines) {
    pipelines.push_back({{"id", hex_id(pipeline.id)},
                         {"name", pipeline.name},
                         {"core", pipeline.core},
                         {"peak_live_bytes", pipeline.peak_live_bytes},
                         {"peak_mapped_bytes", pipeline.peak_mapped_bytes},
                         {"bank_seconds", seconds(pipeline.bank_us)}});
  }
  return pipelines;
}

Json modules_json(const testbench::RunReport& report) {
  Json modules = Json::array();
  for (const testbench::ModuleReport& module : report.modules) {
    modules.push_back(
        {{"id", hex_id(module.id)},
         {"uuid", module.uuid},
         {"name", module.name},
         {"pipeline", hex_id(module.pipeline)},
         {"placeholder", module.placeholder},
         {"loaded_from", module.loaded_from.empty() ? Json() : Json(module.loaded_from)},
         {"process_errors", module.errors.count},
         {"live_bytes", module.live_bytes},
         {"peak_live_bytes", module.peak_live_bytes},
         {"allocations", module.allocations},
         {"failures", module.failures}});
  }
  return modules;
}

Json leaks_json(const testbench::RunReport& report) {
  Json leaks = Json::array();
  for (const testbench::LeakNote& leak : report.leaks) {
    leaks.push_back({{"owner", leak.owner},
                     {"id", hex_id(leak.owner_id)},
                     {"bytes", leak.bytes},
                     {"alignment", leak.alignment},
                     {"site", leak.site}});
  }
  return leaks;
}

Json strays_json(const std::vector<testbench::StrayNote>& strays) {
  Json json = Json::array();
  for (const testbench::StrayNote& stray : strays) {
    json.push_back({{"module", stray.module},
                    {"id", hex_id(stray.id)},
                    {"pipeline", stray.pipeline},
                    {"access", stray.write ? "write" : "read"},
                    {"address", stray.address},
                    {"place", stray.place},
                    {"site", stray.site}});
  }
  return json;
}

Json guarantees_json(const GuaranteeFigures& figures) {
  if (figures.asked == 0) {
    return nullptr;
  }
  return {{"asked_frames", figures.asked},
          {"metadata_frames", figures.metadata},
          {"guaranteed_frames", figures.guaranteed},
          {"held_frames", figures.held},
          {"total_frames", figures.total}};
}

Json admissions_json(const testbench::AdmissionFigures& figures) {
  return {{"admitted", figures.admitted},
          {"refused", figures.refused},
          {"recorded", figures.recorded},
          {"reserved_bytes", figures.reserved_bytes},
          {"returned_bytes", figures.returned_bytes},
          {"shortage", figures.shortage.empty() ? Json(nullptr) : Json(figures.shortage)}};
}

Json faults_json(const testbench::RunReport& report) {
  Json faults = Json::array();
  for (const testbench::FaultNote& fault : report.faults) {
    faults.push_back(
        {{"owner", fault.owner},
         {"id", hex_id(fault.owner_id)},
         {"heap", fault.heap},
         {"what", fault.damage.empty() ? std::string("wrong free: ") + to_string(fault.status)
                                       : fault.damage},
         {"advice", fault.advice},
         {"taken_at", fault.taken_at},
         {"freed_at", fault.freed_at}});
  }
  return faults;
}

Json failure_json(const std::optional<testbench::FailureNote>& failure) {
  if (!failure) {
    return nullptr;
  }
  Json top_owners = Json::array();
  for (const testbench::FailureNote::TopOwner& top : failure->top_owners) {
    top_owners.push_back({{"owner", top.name}, {"id", hex_id(top.id)}, {"bytes", top.bytes}});
  }
  return {{"owner", failure->owner},
          {"bytes", failure->figures.bytes},
          {"alignment", failure->figures.alignment},
          {"reason", to_string(failure->figures.reason)},
          {"guarantees", guarantees_json(failure->figures.guarantee)},
          {"free_bytes", failure->figures.free_bytes},
          {"largest_request", failure->figures.largest_request},
          {"top_owners", std::move(top_owners)}};
}

}  // namespace

Json to_json(const trace::MemoryFigures& figures) {
  return {{"frames", figures.frames},
          {"banks", figures.banks},
          {"live_bytes", figures.live_bytes},
          {"peak_live_bytes", figures.peak_live_bytes},
          {"mapped_bytes", figures.mapped_bytes},
          {"peak_mapped_bytes", figures.peak_mapped_bytes},
          {"banks_on", figures.banks_on},
          {"banks_on_peak", figures.banks_on_peak},
          {"bank_seconds", seconds(figures.energy.total_us)},
          {"idle_bank_seconds", seconds(figures.energy.idle_us)},
          {"ended_bank_seconds", seconds(figures.energy.ended_us)},
          {"frames_moved", figures.frames_moved},
          {"metadata_bytes", figures.metadata_bytes},
          {"heaps", heaps_json(figures.heaps)}};
}

Json to_json(const std::vector<trace::OwnerNote>& owners) {
  Json json = Json::array();
  for (const trace::OwnerNote& owner : owners) {
    json.push_back({{"name", owner.name},
                    {"above", owner.above},
                    {"kind", to_string(owner.kind)},
                    {"id", hex_id(owner.id)},
                    {"lives", owner.lives},
                    {"live_bytes", owner.live_bytes},
                    {"peak_live_bytes", owner.peak_live_bytes},
                    {"peak_mapped_bytes", owner.peak_mapped_bytes},
                    {"bank_seconds", seconds(owner.bank_us)},
                    {"allocations", owner.allocations},
                    {"failures", owner.failures}});
  }
  return json;
}

Json to_json(const testbench::RunReport& report) {
  Json json = {{"platform", report.platform},
               {"policy", report.policy},
               {"pool", pool_json(report)},
               {"heaps", heaps_json(report.heaps)},
               {"pipelines", pipelines_json(report)},
               {"modules", modules_json(report)},
               {"leaks", leaks_json(report)},
               {"findings", to_json(report.findings)},
               {"audio",
                {{"frames_in", report.frames_in},
                 {"frames_out", report.frames_out},
                 {"xruns", report.xruns}}},
               {"admissions", admissions_json(report.admissions)},
               {"failure", failure_json(report.failure)}};
  if (!report.faults.empty()) {
    json["faults"] = faults_json(report);
  }
  if (report.isolated) {
    json["removed"] = strays_json(report.strays);
  }
  if (report.trace) {
    json["trace"] = {{"events", report.trace->events}, {"lost", report.trace->lost}};
  }
  if (report.coherence) {
    json["coherence"] = to_json(*report.coherence);
  }
  if (report.script) {
    json["script"] = {{"commands", report.script->commands},
                      {"periods", report.periods},
                      {"streams_started", report.script->streams_started},
                      {"streams_failed", report.script->streams_failed},
                      {"failures", report.script->failures}};
  }
  return json;
}

}  // namespace modmem::tools
