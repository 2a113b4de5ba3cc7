#include "testbench/findings.hpp"

#include <algorithm>
#include <array>
#include <cinttypes>
#include <cstring>
#include <utility>

#include "testbench/modules/call_site.hpp"

namespace modmem::testbench {

namespace {

struct Words {
  FindingKind kind;
  const char* name;
  const char* text;  // where nothing more exact is known
  const char* advice;
};

// One row for each kind, in their order.
constexpr std::array<Words, kFindingKinds> kWords = {{
    {FindingKind::leak, "leak", "was still allocated when its module had ended",
     "free in free() what init() took, and in reset() what prepare() took; mod_free_all() frees "
     "all"},
    {FindingKind::double_free, "double free", "freed what was freed before, or never allocated",
     "free each block once, and set its pointer to NULL then"},
    {FindingKind::foreign_free, "free of another's memory",
     "freed what is not its own, or no block of modmem's",
     "free only what this module took, with the function that belongs to the one that gave it"},
    {FindingKind::interior_free, "free inside of a block",
     "freed an address inside of a block, not its start",
     "keep the pointer that the allocation returned, and free that"},
    {FindingKind::damaged_block, "damaged block",
     "used a block of L3 whose content was damaged while the power was off",
     "ask modmem_l3_check() before a pointer is followed that was kept over a power cycle"},
    {FindingKind::overrun, "overrun", "wrote beyond the end of a block",
     "write within the block, or ask for more: what was asked for is what there is"},
    {FindingKind::use_after_free, "use after free", "wrote to a block that had been freed",
     "free a block last, and set all pointers to it to NULL then"},
    {FindingKind::stray_access, "stray access", "accessed memory that it does not have",
     "look at the code at this site: an index beyond the end of a block, or a pointer to a block "
     "that was freed"},
    {FindingKind::crash, "crash", "crashed",
     "look at the code at this site: a pointer that was never set, or NULL as an allocation "
     "failed"},
    {FindingKind::audio_allocation, "allocation in process()",
     "allocated while audio was processed",
     "take in init() or prepare() what process() needs, and keep it"},
    {FindingKind::audio_free, "free in process()", "freed while audio was processed",
     "free in reset() or free(), not in process()"},
    {FindingKind::audio_lock, "lock in process()",
     "took a lock while audio was processed, which may wait for others",
     "share by atomics or by queues without locks what process() needs of others"},
}};

const Words& words_of(FindingKind kind) { return kWords[static_cast<std::size_t>(kind)]; }

// Looks the module up by its component.
struct Names {
  std::span<const ModuleReport> modules;

  std::string of(std::uint32_t id) const {
    const auto found = std::find_if(modules.begin(), modules.end(),
                                    [&](const ModuleReport& module) { return module.id == id; });
    return found != modules.end() ? found->name : "";
  }
};

// Adds the finding, or its times to the one that is there.
void add(std::vector<Finding>& findings, Finding finding) {
  if (finding.text.empty()) {
    finding.text = words_of(finding.kind).text;
  }
  for (Finding& known : findings) {
    if (known.kind == finding.kind && known.id == finding.id && known.site == finding.site &&
        known.allocation_site == finding.allocation_site && known.function == finding.function &&
        known.phase == finding.phase) {
      known.count += finding.count;
      known.bytes += finding.bytes;
      return;
    }
  }
  findings.push_back(std::move(finding));
}

FindingKind kind_of(const FaultNote& fault) {
  switch (fault.kind) {
    case FaultKind::overrun:
      return FindingKind::overrun;
    case FaultKind::write_after_free:
      return FindingKind::use_after_free;
    default:
      break;
  }
  switch (fault.status) {
    case PointerStatus::not_live:
      return FindingKind::double_free;
    case PointerStatus::interior:
      return FindingKind::interior_free;
    case PointerStatus::damaged:
      return FindingKind::damaged_block;
    default:
      return FindingKind::foreign_free;
  }
}

// Of a call of modmem on the audio path only the function's name says what it was.
FindingKind kind_of(const AudioPathNote& note) {
  const auto has = [&](const char* part) { return note.function.find(part) != std::string::npos; };
  switch (note.kind) {
    case AudioPathKind::lock:
      return FindingKind::audio_lock;
    case AudioPathKind::release:
      return FindingKind::audio_free;
    case AudioPathKind::memory:
      return has("free") || has("put") ? FindingKind::audio_free : FindingKind::audio_allocation;
    default:
      return FindingKind::audio_allocation;
  }
}

std::string text_of(const AudioPathNote& note) {
  if (note.kind == AudioPathKind::lock && !note.function.starts_with("pthread")) {
    return "called " + note.function + "(), which takes modmem's lock, while audio was processed";
  }
  return note.function.empty() ? "" : "called " + note.function + "() while audio was processed";
}

Finding found_stray(const StrayNote& stray) {
  Finding finding;
  finding.kind = FindingKind::stray_access;
  finding.module = stray.module;
  finding.id = stray.id;
  finding.phase = to_string(stray.phase);
  finding.site = stray.site;
  char address[32];
  std::snprintf(address, sizeof address, "%#" PRIxPTR, stray.address);
  finding.text = (stray.write ? "wrote to " : "read from ") + std::string(address) + ", " +
                 stray.place + "; it was removed";
  return finding;
}

Finding found_crash(const CrashNote& crash, const Names& names) {
  const bool stray = !crash.what.empty();
  Finding finding;
  finding.kind = stray ? FindingKind::stray_access : FindingKind::crash;
  finding.module = names.of(crash.place.id);
  finding.id = crash.place.id;
  finding.phase = to_string(crash.place.phase);
  finding.site = to_text(Site{crash.site, 0});
  char address[32];
  std::snprintf(address, sizeof address, "%p", crash.address);
  finding.text = (stray ? std::string("accessed ") + address + ", " + crash.what
                        : std::string("crashed: ") + strsignal(crash.signal) + " at " +
                              (crash.address != nullptr ? address : "address 0")) +
                 "; it was not called again";
  return finding;
}

}  // namespace

const char* to_string(FindingKind kind) { return words_of(kind).name; }
const char* advice(FindingKind kind) { return words_of(kind).advice; }

std::vector<Finding> findings_of(std::span<const LeakNote> leaks, std::span<const FaultNote> faults,
                                 std::span<const CrashNote> crashes,
                                 std::span<const StrayNote> strays,
                                 std::span<const AudioPathNote> audio,
                                 std::span<const ModuleReport> modules) {
  const Names names{modules};
  std::vector<Finding> findings;
  for (const CrashNote& crash : crashes) {
    add(findings, found_crash(crash, names));
  }
  for (const StrayNote& stray : strays) {
    add(findings, found_stray(stray));
  }
  for (const FaultNote& fault : faults) {
    Finding finding;
    finding.kind = kind_of(fault);
    // Damage is found later than it was done, by whoever is at work then: it is told of the owner.
    const bool damage = !fault.damage.empty();
    finding.id = fault.place.in_module && !damage ? fault.place.id : fault.owner_id;
    finding.module = names.of(finding.id);
    finding.phase = fault.place.in_module && !damage ? to_string(fault.place.phase) : "";
    finding.function = damage ? "" : fault.function;
    finding.site = damage ? fault.freed_at : fault.site;
    finding.allocation_site = fault.taken_at;
    finding.bytes = fault.bytes;
    finding.text = fault.damage;
    add(findings, std::move(finding));
  }
  for (const AudioPathNote& note : audio) {
    Finding finding;
    finding.kind = kind_of(note);
    finding.module = names.of(note.place.id);
    finding.id = note.place.id;
    finding.phase = note.place.in_module ? to_string(note.place.phase) : "";
    finding.function = note.function;
    finding.site = note.site;
    finding.text = text_of(note);
    finding.bytes = note.bytes;
    finding.count = note.count;
    add(findings, std::move(finding));
  }
  for (const LeakNote& leak : leaks) {
    Finding finding;
    finding.kind = FindingKind::leak;
    finding.id = leak.owner_id;
    finding.module = names.of(leak.owner_id);
    finding.allocation_site = leak.site;
    finding.bytes = leak.bytes;
    add(findings, std::move(finding));
  }
  return findings;
}

}  // namespace modmem::testbench
