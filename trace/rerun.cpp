#include "trace/rerun.hpp"

#include <string>
#include <utility>

#include "port/posix/posix_port.hpp"
#include "trace/ctf_fields.hpp"
#include "trace/trace_error.hpp"

namespace modmem::trace {

using namespace field;

namespace {

constexpr std::uint32_t to_32(std::uint64_t value) { return static_cast<std::uint32_t>(value); }

Request request_of(const CtfEvent::Fields& fields, Owner* owner, const Site& site) {
  return {owner, fields[kBytes], event::alignment_of(static_cast<std::uint8_t>(fields[kAlignment])),
          to_32(fields[kIntent] << event::kFlagsShift), site};
}

}  // namespace

// Failures are explained to somebody, as in the recorded run: that takes room for a while.
struct Rerun::Quiet final : MemoryObserver {
  void on_failure(const Failure& failure) override { static_cast<void>(failure); }
  void on_fault(const Fault& fault) override { static_cast<void>(fault); }
  void on_leak(const Leak& leak) override { static_cast<void>(leak); }
};

Rerun::Rerun(const PlatformConfig& platform, const Policy& policy, const ReplayOptions& options)
    : observer_(std::make_unique<Quiet>()),
      memory_(platform, policy, options.port,
              options.observer != nullptr ? options.observer : observer_.get(), 0),
      timer_(options.time_calls) {}

Rerun::~Rerun() = default;

void Rerun::play(const CtfEvent& event) {
  if (shut_down_) {
    return;
  }
  const PlatformConfig& platform = memory_->config();
  if (event.core >= platform.cores) {
    throw TraceError(std::string("platform ") + platform.name + " has no core " +
                     std::to_string(event.core) + ", which the trace is of");
  }
  set_host_core(event.core);
  memory_.set_time(event.time_us);
  switch (event.kind) {
    case EventKind::allocate:
      allocate(event.fields);
      break;
    case EventKind::free:
      free(event.fields);
      break;
    case EventKind::resize:
      resize(event.fields);
      break;
    case EventKind::range:
      range(event.fields);
      break;
    case EventKind::owner_name:
      name_ = names_.insert(event.text).first->c_str();
      break;
    case EventKind::site_name:
      sites_[event.fields[kNumber]] =
          names_.insert(event.text + ":" + std::to_string(event.fields[kLine])).first->c_str();
      break;
    case EventKind::owner_begin:
      begin_owner(event.fields);
      break;
    case EventKind::owner_limit:
      limit_owner(event.fields);
      break;
    case EventKind::owner_end:
      end_owner(event.fields);
      break;
    case EventKind::bundle:
      bundles_.push_back({event.fields[kSlotBytes], to_32(event.fields[kSlots])});
      break;
    case EventKind::plan_entry:
      add_entry(event.fields);
      break;
    case EventKind::plan_need:
      plan_.add_need(event.fields);
      break;
    case EventKind::plan_end:
      admit(event.fields);
      break;
    case EventKind::upkeep:
      upkeep(event.fields);
      break;
    case EventKind::pipeline:
      pipelines_changed_ = true;
      break;
    case EventKind::period:
      end_period();
      break;
    default:
      break;  // what follows from the calls
  }
  figures_.peak_banks_on = memory_->pool().banks_on_peak();
  set_host_core(0);
}

ReplayFigures Rerun::figures() const {
  const MetadataUse use = memory_->metadata_use();
  ReplayFigures figures = figures_;
  figures.metadata_bytes = use.tables + use.peak;
  figures.peak_live_bytes = memory_->system().tree_peak;
  figures.peak_mapped_bytes = std::size_t{memory_->pool().peak_taken()} * config::kPageBytes;
  return figures;
}

Owner* Rerun::owner(std::uint64_t handle) const {
  const auto found = owners_.find(handle);
  return found != owners_.end() && memory_->is_owner(found->second) ? found->second : nullptr;
}

Site Rerun::site(std::uint64_t number) {
  const auto found = sites_.find(number);
  return number == event::kNone || found == sites_.end() ? Site{} : Site{found->second, 0};
}

void* Rerun::block(std::uint64_t key) const {
  const auto found = blocks_.find(key);
  return found != blocks_.end() ? found->second : nullptr;
}

// What a request for a block led to, and what the recording has of it.
void Rerun::note(const Fields& fields, void* block) {
  const bool refused = fields[kPlace] == event::kNoPlace;
  figures_.failures += block == nullptr ? 1 : 0;
  differ_ += refused != (block == nullptr) ? 1 : 0;
  if (refused) {
    if (block != nullptr) {
      memory_->free(block);  // nobody knows of it
    }
    return;
  }
  blocks_[key_of(fields[kMemory], fields[kPlace])] = block;
  if (block != nullptr && fields[kMemory] == 0) {
    const std::size_t offset = memory_->space().offset_of(block);
    differ_ += offset != fields[kPlace] * modmem::Record::kPlaceBytes ? 1 : 0;
  }
}

void Rerun::limit_owner(const Fields& fields) {
  Owner* const of = owner(fields[kLimited]);
  if (of == nullptr) {
    return;
  }
  if (fields[kInFrames] == 0) {
    memory_->set_limit(*of, fields[kNewLimit]);
  } else if (of->heap != kNoHeap) {
    memory_->set_frame_limit(*of, to_32(fields[kNewLimit]));
  }
}

void Rerun::allocate(const Fields& fields) {
  if (!owners_.contains(fields[kOwner])) {
    ++differ_;  // nobody knows of it: events are lost
    return;
  }
  ++figures_.allocations;
  Owner* const of = owner(fields[kOwner]);
  const Request request = request_of(fields, of, site(fields[kSite]));
  note(fields, of == nullptr ? nullptr : timer_(figures_.ns_per_operation, [&] {
         return memory_->allocate(request);
       }));
}

void Rerun::range(const Fields& fields) {
  if (!owners_.contains(fields[kOwner])) {
    ++differ_;
    return;
  }
  ++figures_.allocations;
  Owner* const of = owner(fields[kOwner]);
  Request request = request_of(fields, of, site(fields[kSite]));
  request.bytes = fields[kLeast];
  const Range range =
      of == nullptr ? Range{} : memory_->allocate_range(request, fields[kPreferred], fields[kStep]);
  differ_ += range.pointer != nullptr && range.bytes != fields[kBytes] ? 1 : 0;
  note(fields, range.pointer);
}

void Rerun::resize(const Fields& fields) {
  if (!blocks_.contains(key_of(fields[kOldMemory], fields[kOldPlace]))) {
    ++differ_;
    return;
  }
  ++figures_.allocations;
  void* const old = block(key_of(fields[kOldMemory], fields[kOldPlace]));
  if (old == nullptr) {
    ++figures_.failures;
    return;
  }
  const Request request = request_of(fields, nullptr, site(fields[kSite]));
  void* const moved =
      timer_(figures_.ns_per_operation, [&] { return memory_->reallocate(old, request); });
  if (moved != nullptr && fields[kPlace] == event::kNoPlace) {
    ++differ_;  // it served what was refused then
    blocks_[key_of(fields[kOldMemory], fields[kOldPlace])] = moved;
    return;
  }
  if (moved != nullptr) {
    blocks_.erase(key_of(fields[kOldMemory], fields[kOldPlace]));
  }
  if (moved == nullptr && fields[kPlace] != event::kNoPlace) {
    // It is as it was, and known by its new place from now on.
    ++figures_.failures;
    ++differ_;
    blocks_.erase(key_of(fields[kOldMemory], fields[kOldPlace]));
    blocks_[key_of(fields[kMemory], fields[kPlace])] = old;
    return;
  }
  note(fields, moved);
}

void Rerun::free(const Fields& fields) {
  void* const old = block(key_of(fields[kFreeMemory], fields[kFreePlace]));
  blocks_.erase(key_of(fields[kFreeMemory], fields[kFreePlace]));
  if (old != nullptr) {
    ++figures_.frees;
    timer_(figures_.ns_per_operation, [&] { return memory_->free(old); });
  }
}

void Rerun::begin_owner(const Fields& fields) {
  const OwnerSpec spec = owner_spec_of(fields, std::exchange(name_, ""));
  const std::vector<SlotBundle> bundles = std::exchange(bundles_, {});
  if (!is_owner(fields) ||
      (fields[kHandle] != fields[kParent] && !owners_.contains(fields[kParent]))) {
    ++differ_;
    return;
  }
  if (fields[kHandle] == fields[kParent]) {
    owners_[fields[kHandle]] = &memory_->system();
    return;
  }
  Owner* const parent = owner(fields[kParent]);
  Owner* const made = parent != nullptr
                          ? memory_->create_owner(*parent, spec, heap_spec_of(fields, bundles))
                          : nullptr;
  figures_.failures += made == nullptr ? 1 : 0;
  const bool refused = fields[kHandle] == event::kNone;
  differ_ += refused != (made == nullptr) ? 1 : 0;
  if (!refused) {
    owners_[fields[kHandle]] = made;
  } else if (made != nullptr) {
    memory_->release_owner(*made);
  }
}

void Rerun::end_owner(const Fields& fields) {
  Owner* const of = owner(fields[kEnded]);
  if (of == nullptr || of == &memory_->system()) {
    return;
  }
  owners_.erase(fields[kEnded]);
  ended_.end(*memory_, *of);
  switch (static_cast<OwnerEnd>(fields[kHow])) {
    case OwnerEnd::destroyed:
      memory_->destroy_owner(*of);
      break;
    case OwnerEnd::destroyed_empty:
      differ_ += memory_->destroy_empty_owner(*of) ? 0 : 1;
      break;
    case OwnerEnd::released:
      memory_->release_owner(*of);
      break;
  }
}

void Rerun::add_entry(const Fields& fields) {
  Owner* const known = owner(fields[fields[kCreated] != 0 ? kParent : kHandle]);
  plan_.add_entry(fields, std::exchange(name_, ""), known, std::exchange(bundles_, {}));
}

void Rerun::admit(const Fields& fields) {
  const bool same =
      plan_.admit(*memory_, fields[kAdmitted] != 0,
                  [&](std::uint64_t handle, Owner* created) { owners_[handle] = created; });
  differ_ += same ? 0 : 1;
}

void Rerun::upkeep(const Fields& fields) {
  Owner* const of = owner(fields[kUpkeepOwner]);
  void* const at = block(key_of(0, fields[kFirst]));
  switch (static_cast<Upkeep>(fields[kWhat])) {
    case Upkeep::compact:
      compact(fields);
      return;
    case Upkeep::trim:
      memory_->trim();
      return;
    case Upkeep::drain:
      memory_->drain(to_32(fields[kFirst]));
      return;
    case Upkeep::pin:
      if (at != nullptr) {
        memory_->pin(at);
      }
      return;
    case Upkeep::unpin:
      if (at != nullptr) {
        memory_->unpin(at);
      }
      return;
    case Upkeep::save_l3:
      memory_->save_l3();
      return;
    case Upkeep::restore_l3:
      return;  // of a boot that the trace does not have
    case Upkeep::sample:
      sample_ = take();
      return;
    case Upkeep::shutdown:
      shut_down_ = true;  // what is reported is what was before
      return;
    default:
      break;
  }
  if (of == nullptr) {
    return;
  }
  const bool is_region = of->spec.kind == OwnerKind::region && of->heap != kNoHeap;
  switch (static_cast<Upkeep>(fields[kWhat])) {
    case Upkeep::return_unused:
      memory_->return_unused(*of);
      break;
    case Upkeep::release_all:
      memory_->release_all(*of);
      break;
    case Upkeep::premap:
      memory_->premap(*of, to_32(fields[kFirst]), to_32(fields[kSecond]));
      break;
    case Upkeep::get_region:
      if (is_region) {
        memory_->get_region(*of, fields[kFlag] != 0);
      }
      break;
    case Upkeep::put_region:
      if (is_region) {
        put_region(*of, fields[kFlag] != 0);
      }
      break;
    case Upkeep::set_interim:
      if (is_region) {
        memory_->set_interim(*of);
      }
      break;
    case Upkeep::probe:
      static_cast<void>(
          memory_->largest_request({of, 1, fields[kSecond], to_32(fields[kFirst]), {}}));
      break;
    default:
      break;
  }
}

void Rerun::put_region(Owner& region, bool held) {
  if (memory_->region_info(region).references == 1) {
    ended_.end(*memory_, region);
  }
  memory_->put_region(region, held);
}

void Rerun::compact(const Fields& fields) {
  const std::uint32_t moved = memory_->compact(to_32(fields[kFirst])).moved;
  moved_ += moved;
  differ_ += moved != fields[kSecond] ? 1 : 0;
}

Rerun::Taken Rerun::take() const {
  Taken taken{figures_of(*memory_), ended_.with_living(*memory_)};
  taken.memory.frames_moved = moved_;
  return taken;
}

void Rerun::end_period() {
  if (!std::exchange(pipelines_changed_, false)) {
    return;
  }
  const PagePool& pool = memory_->pool();
  const std::size_t live = memory_->system().tree;
  const std::size_t bank = memory_->config().bank_bytes;
  ++figures_.boundaries;
  figures_.live_bytes_sum += live;
  figures_.mapped_bytes_sum += std::uint64_t{pool.taken()} * config::kPageBytes;
  figures_.banks_on_sum += pool.banks_on();
  figures_.banks_lower_bound_sum += (live + bank - 1) / bank;
}

}  // namespace modmem::trace
