#include "testbench/fence.hpp"

#include <sys/mman.h>

#include <cstdio>
#include <cstdlib>

#include "capi/system.hpp"
#include "testbench/audio_path_guard.hpp"
#include "testbench/modules/call_site.hpp"
#include "testbench/system.hpp"

namespace modmem::testbench {

namespace {

thread_local StrayAccess last_access;
thread_local const void* last_site;
thread_local bool looks_for_site = false;
thread_local char last_place[160];
thread_local ModulePhase last_phase;

}  // namespace

thread_local Fence::Entry* Fence::innermost = nullptr;

Fence::Fence(System& system, std::span<std::byte> arena)
    : system_(system), memory_(system.memory()), arena_(arena) {
  system_.port().set_lock_watch(this);
}

Fence::~Fence() { system_.port().set_lock_watch(nullptr); }

void Fence::end_domain(Owner& domain, bool stopped) {
  CSystem* functions = current_system();
  // Handlers may have functions of the module's.
  if (!stopped && functions != nullptr &&
      !run(domain, [&] { functions->modules.close_below(domain); })) {
    note(describe_last(domain.spec, domain.spec.id >> 16));
    stopped = true;
  }
  if (stopped) {
    abandon(domain);
    memory_.release_owner(domain);
  } else {
    memory_.destroy_owner(domain);
  }
}

void Fence::abandon(const Owner& domain) {
  if (CSystem* functions = current_system()) {
    functions->modules.abandon_below(domain);
  }
}

// Under the lock, which opens what it closes.
void Fence::set_guard(bool on) {
  const LockGuard guard(system_.port());
  guards_ = on;
}

void Fence::on_lock() {
  if (guards_) {
    protect(Access::open);
  }
}

void Fence::on_unlock() {
  if (guards_) {
    protect(Access::read_only);
  }
}

void Fence::protect(Access access) {
  const int protection = access == Access::open ? PROT_READ | PROT_WRITE : PROT_READ;
  if (mprotect(arena_.data(), arena_.size(), protection) != 0) {
    std::perror("modmem: guarding the library's notes");
    std::abort();
  }
  // Which pages are metadata changes under the lock only.
  if (access == Access::read_only) {
    const AddressSpace& space = memory_.space();
    const std::uint32_t end = space.window_pages();
    guarded_pages_.clear();
    for (std::uint32_t page = space.next_mapped(0, end); page < end;
         page = space.next_mapped(page + 1, end)) {
      if (space.heap_of(page) == kMetadata) {
        guarded_pages_.push_back(page);
      }
    }
  }
  for (const std::uint32_t page : guarded_pages_) {
    system_.port().set_access(Page{static_cast<std::uint16_t>(page)}, access);
  }
}

Fence::Entry::Entry(Fence& its_fence, Owner& domain)
    : fence(its_fence), entry_before(innermost), place_before(ModuleCall::current()) {
  const AudioPathPause pause;  // what is locked here no module locks
  domain_before = fence.memory_.enter_domain(&domain);
  innermost = this;
  fence.set_guard(true);
}

Fence::Entry::~Entry() {
  const AudioPathPause pause;
  ModuleCall::restore(place_before);
  innermost = entry_before;
  fence.set_guard(innermost != nullptr);
  fence.memory_.enter_domain(domain_before);
}

void Fence::escape(void* fence, const StrayAccess& access) {
  const Fence& self = *static_cast<const Fence*>(fence);
  if (innermost != nullptr && !self.system_.port().holds_lock()) {
    // Unless the stack that is looked at is broken as well.
    if (!looks_for_site) {
      // As long as the domain is entered, whose pages are not open to it can be told.
      last_access = access;
      last_site = access.pc;
      last_phase = ModuleCall::current().phase;
      self.system_.describe(access.address, last_place, sizeof last_place);
      // What a loaded module has others do for it is the module's doing.
      if (is_code(access.pc) && !is_module_code(access.pc)) {
        looks_for_site = true;
        const void* site = module_call_site().site;
        last_site = site != nullptr ? site : access.pc;
      }
    }
    looks_for_site = false;
    siglongjmp(innermost->jump, 1);
  }
}

StrayNote Fence::describe_last(const OwnerSpec& module, std::uint32_t pipeline) {
  return {.module = module.name,
          .id = module.id,
          .pipeline = pipeline,
          .address = reinterpret_cast<std::uintptr_t>(last_access.address),
          .write = last_access.is_write,
          .place = last_place,
          .site = to_text(Site{last_site, 0}),
          .phase = last_phase};
}

}  // namespace modmem::testbench
