// Summaries of traces: recordings are made again, rows are played.
#include <algorithm>
#include <filesystem>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "testbench/system.hpp"
#include "tools/interrupt.hpp"
#include "tools/interruptible_records.hpp"
#include "tools/summary.hpp"
#include "trace/accounts.hpp"
#include "trace/ctf_environment.hpp"
#include "trace/ctf_events.hpp"
#include "trace/file_source.hpp"
#include "trace/replay.hpp"
#include "trace/rerun.hpp"

namespace modmem::tools {

namespace {

constexpr std::size_t kBatch = 4096;  // events

// What owners and sites of rows asked for.
class Ledger {
 public:
  // `recorded`: streams are called NAME/ID/NUMBER, and those of one name are one owner.
  explicit Ledger(bool recorded) : recorded_(recorded) {}

  void note(const trace::Event& event, bool served) {
    if (event.kind == trace::OpKind::release) {
      end(event.owner);
    } else if (event.owner != trace::Event::kSystem && !accounts_.lives(event.owner)) {
      const char* const name = event.owner_name != nullptr ? event.owner_name : kOnlyOwner;
      accounts_.begin_owner({.place = event.owner, .name = name}, number_, event.time_us);
    }
    accounts_.note(event, number_++, served);
  }

  // Once, after the last event.
  void finish(Summary& summary) {
    for (std::uint32_t place = 0; place < accounts_.places(); ++place) {
      end(place);
    }
    if (accounts_.owner(trace::Event::kSystem).allocations != 0) {
      end(trace::Event::kSystem);
    }
    for (const auto& [name, usage] : owners_) {
      summary.owners[name].add(usage);
    }
    summary.sites.emplace();
    for (const trace::SiteAccount& site : accounts_.sites()) {
      (*summary.sites)[*site.name != '\0' ? site.name : "(unknown)"].add(usage_of(site));
      Usage churn;
      churn[Figure::churn_bytes] = site.churn;
      summary.total.add(churn);
    }
  }

 private:
  static Usage usage_of(const trace::Account& account) {
    Usage usage;
    usage[Figure::peak_live_bytes] = account.peak;
    usage[Figure::failures] = account.failures;
    usage[Figure::allocations] = account.allocations;
    usage[Figure::churn_bytes] = account.churn;
    return usage;
  }

  // The life of an owner ends.
  void end(std::uint32_t place) {
    if (!accounts_.lives(place)) {
      return;
    }
    const trace::OwnerAccount& account = accounts_.owner(place);
    std::string name = place == trace::Event::kSystem ? "(system)" : account.name;
    Usage usage = usage_of(account);
    if (recorded_ && place != trace::Event::kSystem) {
      name.erase(std::min(name.rfind('/', name.rfind('/') - 1), name.size()));
      // The rest of it is known better: with what is below, and of all heaps.
      usage = {};
      usage[Figure::churn_bytes] = account.churn;
    }
    owners_[name].add(usage);
  }

  static constexpr const char* kOnlyOwner = "stream";  // of rows that name none

  bool recorded_;
  trace::Accounts accounts_;
  std::uint64_t number_ = 0;
  Usages owners_;
};

template <typename Note>
void for_each_row(trace::FileSource& file, Note note) {
  std::vector<trace::Event> events(kBatch);
  while (const std::size_t count = file.read(events)) {
    InterruptGuard::check();
    for (const trace::Event& event : std::span(events).first(count)) {
      note(event);
    }
  }
}

void add_totals(Summary& summary, const trace::MemoryFigures& figures) {
  summary.total[Figure::peak_live_bytes] = figures.peak_live_bytes;
  summary.total[Figure::peak_mapped_bytes] = figures.peak_mapped_bytes;
  for (const trace::HeapNote& heap : figures.heaps) {
    Usage usage;
    usage[Figure::failures] = heap.figures.failures;
    usage[Figure::allocations] = heap.figures.allocations;
    summary.total.add(usage);
  }
}

Summary summary_of_recording(const std::string& path) {
  Summary summary;
  trace::CtfEvents events(path);
  summary.name = path;
  summary.platform = events.platform().name;
  summary.policy = events.policy();
  trace::Rerun rerun(events.platform(), testbench::find_policy_named(events.policy()),
                     {.time_calls = false});
  trace::CtfEvent event;
  for (std::uint64_t count = 0; events.next(event); ++count) {
    rerun.play(event);
    if (count % kBatch == 0) {
      InterruptGuard::check();
    }
  }
  const trace::Rerun::Taken taken = rerun.taken();
  add_totals(summary, taken.memory);
  for (const trace::OwnerNote& owner : taken.owners) {
    Usage usage;
    usage[Figure::peak_live_bytes] = owner.peak_live_bytes;
    if (owner.kind == OwnerKind::pipeline) {
      usage[Figure::peak_mapped_bytes] = owner.peak_mapped_bytes;
    }
    usage[Figure::failures] = owner.failures;
    usage[Figure::allocations] = owner.allocations;
    summary.owners[owner.above.empty() ? owner.name : owner.above + "/" + owner.name].add(usage);
  }
  Ledger ledger(true);
  trace::FileSource rows(std::make_unique<InterruptibleRecords>(path));
  for_each_row(rows, [&](const trace::Event& row) { ledger.note(row, !row.refused); });
  ledger.finish(summary);
  summary.problems = events.problems();
  return summary;
}

Summary summary_of_rows(const std::string& path, const SummaryOptions& options) {
  Summary summary;
  summary.name = path;
  summary.platform = options.platform->name;
  summary.policy = options.policy->name;
  Ledger ledger(false);
  trace::Replay replay(*options.platform, *options.policy,
                       {.check_payload = false, .time_calls = false});
  trace::FileSource rows(std::make_unique<InterruptibleRecords>(path));
  for_each_row(rows, [&](const trace::Event& row) {
    const std::uint64_t failures = replay.figures().failures;
    replay.play({&row, 1});
    ledger.note(row, replay.figures().failures == failures);
  });
  ledger.finish(summary);
  const trace::ReplayFigures& figures = replay.figures();
  summary.total[Figure::peak_live_bytes] = figures.peak_live_bytes;
  summary.total[Figure::peak_mapped_bytes] = figures.peak_mapped_bytes;
  summary.total[Figure::failures] = figures.failures;
  summary.total[Figure::allocations] = figures.allocations;
  summary.problems = rows.problems();
  return summary;
}

}  // namespace

Summary summary_of_trace(const std::string& path, const SummaryOptions& options) {
  const bool is_recorded =
      std::filesystem::is_directory(path) && !trace::CtfEnvironment(path).is_converted();
  return is_recorded ? summary_of_recording(path) : summary_of_rows(path, options);
}

}  // namespace modmem::tools
