// What cores access in their turns, and what their caches have of it.
#include <algorithm>

#include "base/check.hpp"
#include "modmem/config.hpp"
#include "port/host/single_step.hpp"
#include "testbench/coherence/coherence_check.hpp"

namespace modmem::testbench {

namespace {

CoherenceCheck* active = nullptr;

constexpr std::uint16_t kFewestSteps = 16;

// Hands a signal on to who had it before.
void pass_on(const struct sigaction& previous, int signal, siginfo_t* info, void* context) {
  if ((previous.sa_flags & SA_SIGINFO) != 0) {
    previous.sa_sigaction(signal, info, context);
  } else if (previous.sa_handler == SIG_DFL || previous.sa_handler == SIG_IGN) {
    sigaction(signal, &previous, nullptr);  // what happened happens again, and meets that
  } else {
    previous.sa_handler(signal);
  }
}

}  // namespace

void CoherenceCheck::start() {
  MODMEM_ASSERT(active == nullptr && !started_);
  active = this;
  started_ = true;
  struct sigaction action {};
  action.sa_flags = SA_SIGINFO;
  action.sa_sigaction = &CoherenceCheck::on_fault_signal;
  sigaction(SIGSEGV, &action, &previous_segv_);
  action.sa_sigaction = &CoherenceCheck::on_trap_signal;
  sigaction(SIGTRAP, &action, &previous_trap_);
}

void CoherenceCheck::end() {
  if (!is_on()) {
    return;
  }
  end_turn();
  for (std::size_t page = 0; page < pages_.size(); ++page) {
    if (pages_[page].mode != PageMode::unmapped && pages_[page].access == Access::open) {
      for (std::size_t line = line_of(page); line < line_of(page + 1); ++line) {
        for (std::uint32_t core = 0; core < caches_->cores(); ++core) {
          write_line(core, line);
        }
      }
    }
  }
  ended_ = true;
  sigaction(SIGSEGV, &previous_segv_, nullptr);
  sigaction(SIGTRAP, &previous_trap_, nullptr);
  active = nullptr;
}

std::byte* CoherenceCheck::view_of(std::size_t line) const {
  return window_->content(page_of_line(line)) + (line % lines_in_page_) * caches_->line_bytes();
}

bool CoherenceCheck::is_loaded(std::size_t page) const {
  return pages_[page].mode == PageMode::watched || pages_[page].mode == PageMode::open;
}

// --- turns ---

void CoherenceCheck::begin_turn(std::uint32_t core) {
  if (!is_on()) {
    return;
  }
  end_turn();
  evict();
  current_ = core;
  ++figures_.turns;
}

// Closes all loaded pages, in runs, as each costs a call of the system.
void CoherenceCheck::end_turn() {
  std::sort(loaded_.begin(), loaded_.end());
  for (std::size_t first = 0; first < loaded_.size();) {
    std::size_t end = first;
    while (end < loaded_.size() && loaded_[end] == loaded_[first] + (end - first)) {
      take_in(loaded_[end++]);
    }
    window_->set_access(loaded_[first], Access::closed, end - first);
    first = end;
  }
  loaded_.clear();
}

// Closes a loaded page.
void CoherenceCheck::unload(std::size_t page) {
  take_in(page);
  window_->set_access(page, Access::closed);
  loaded_.erase(std::find(loaded_.begin(), loaded_.end(), page));
}

// Has the core's cache know what the core left in a loaded page, which counts as closed.
void CoherenceCheck::take_in(std::size_t page) {
  for (std::size_t line = line_of(page); line < line_of(page + 1); ++line) {
    absorb(line, true);
    clear_suspect(line);
  }
  pages_[page].mode = PageMode::shut;
}

// Has the cache of the core whose turn it is know what it wrote to a line. `for_long`: it leaves
// the line like that, and does not write it back now.
void CoherenceCheck::absorb(std::size_t line, bool for_long) {
  if (!is_loaded(page_of_line(line)) || !caches_->store(current_, line, view_of(line)) ||
      users_->live(line) == 0) {
    return;
  }
  if (const auto other = caches_->dirty_elsewhere(current_, line)) {
    find(CoherenceKind::shared_line, "written by two cores", line, current_, other,
         users_->last(line));
  } else if (for_long && users_->is_coherent(line)) {
    find(CoherenceKind::missing_write_back,
         "a coherent block, written through the cached alias and not written back", line, current_,
         std::nullopt, users_->last(line));
  }
}

// Evicts lines of all caches at random. No page is loaded.
void CoherenceCheck::evict() {
  const std::uint32_t first = caches_->below(caches_->cores());
  for (std::size_t page = 0; page < pages_.size(); ++page) {
    if (pages_[page].mode == PageMode::unmapped || pages_[page].access != Access::open) {
      continue;
    }
    for (std::size_t line = line_of(page); line < line_of(page + 1); ++line) {
      for (std::uint32_t i = 0; i < caches_->cores(); ++i) {
        const std::uint32_t core = (first + i) % caches_->cores();
        const CoreCaches::State state = caches_->state(core, line);
        if (state != CoreCaches::State::absent && caches_->chance(kEviction)) {
          figures_.evicted += state == CoreCaches::State::dirty ? 1 : 0;
          write_line(core, line);
          caches_->invalidate(core, line);
        }
      }
    }
  }
}

// Writes a line to memory where that core's cache has it dirty.
void CoherenceCheck::write_line(std::uint32_t core, std::size_t line) {
  if (caches_->state(core, line) != CoreCaches::State::dirty) {
    return;
  }
  if (pages_[page_of_line(line)].metadata) {
    // Found already, when it was accessed. The run is to go on.
    caches_->invalidate(core, line);
    return;
  }
  const CoreCaches::Written written = caches_->write_back(core, line);
  if (written == CoreCaches::Written::over_others && users_->live(line) != 0) {
    const std::uint32_t writer = last_writer_[line];
    find(CoherenceKind::shared_line, "written back over what others wrote meanwhile", line, core,
         writer != 0 && writer - 1 != core ? std::optional(writer - 1) : std::nullopt,
         users_->last(line));
  }
  last_writer_[line] = static_cast<std::uint8_t>(core + 1);
}

// Finds that other cores' caches have the line dirty, which is of `user`, and has them forget it.
void CoherenceCheck::drop_dirty_of_others(std::size_t line, const char* what,
                                          LineUsers::User user) {
  while (const auto other = caches_->dirty_elsewhere(current_, line)) {
    find(CoherenceKind::missing_write_back, what, line, *other, current_, user);
    caches_->invalidate(*other, line);
  }
}

// --- accesses ---

// Lets the core whose turn it is see the page.
void CoherenceCheck::load(std::size_t page) {
  Page& what = pages_[page];
  what.suspects = 0;
  for (std::size_t line = line_of(page); line < line_of(page + 1); ++line) {
    const bool in_use = users_->live(line) != 0;
    bool suspect = false;
    if (caches_->is_stale(current_, line)) {
      suspect = in_use;
      if (!in_use) {
        caches_->invalidate(current_, line);
      }
    }
    suspect = suspect || (in_use && caches_->dirty_elsewhere(current_, line).has_value() &&
                          caches_->state(current_, line) != CoreCaches::State::dirty);
    copy_words(view_of(line), caches_->load(current_, line), caches_->line_bytes());
    suspect_[line] = suspect;
    what.suspects = static_cast<std::uint16_t>(what.suspects + (suspect ? 1 : 0));
  }
  what.mode = PageMode::watched;
  what.steps = what.patience;
  loaded_.push_back(page);
}

void CoherenceCheck::clear_suspect(std::size_t line) {
  if (suspect_[line]) {
    suspect_[line] = false;
    --pages_[page_of_line(line)].suspects;
  }
}

// The core whose turn it is accesses the line. One that it writes to is its own from now on: what
// others wrote there is lost, and found when it is written back.
void CoherenceCheck::look_at(std::size_t line, bool is_store) {
  if (!suspect_[line]) {
    return;
  }
  clear_suspect(line);
  if (is_store) {
    return;
  }
  if (const auto other = caches_->dirty_elsewhere(current_, line)) {
    find(CoherenceKind::missing_write_back, "dirty in a cache when another core read it", line,
         *other, current_, users_->last(line));
  } else {
    const std::uint32_t writer = last_writer_[line];
    find(CoherenceKind::stale_read, "read from a cache, and memory has something newer", line,
         current_, writer != 0 && writer - 1 != current_ ? std::optional(writer - 1) : std::nullopt,
         users_->last(line));
  }
}

// An access to a page of the window that is closed. False where it is to stay so.
bool CoherenceCheck::on_access(std::size_t at, bool is_store, void* context) {
  const std::size_t page = at / config::kPageBytes;
  Page& what = pages_[page];
  if (what.mode == PageMode::unmapped || what.mode == PageMode::open ||
      what.access == Access::closed || (is_store && what.access != Access::open)) {
    return false;
  }
  if (host_->core_id() != current_) {
    check_failed("a core accesses simulated memory in its own turn", __FILE__, __LINE__);
  }
  if (what.mode == PageMode::shut) {
    if (what.metadata) {
      find(CoherenceKind::allocator_state, "accessed through the cached alias",
           at / caches_->line_bytes(), current_, std::nullopt, LineUsers::kNobody);
    }
    load(page);
  }
  look_at(at / caches_->line_bytes(), is_store);
  if (what.suspects == 0 || !kCanSingleStep) {
    what.mode = PageMode::open;
  } else if (what.steps == 0 || stepping_count_ == kMostStepping) {
    // Nobody seems to read them: as good as evicted.
    for (std::size_t line = line_of(page); line < line_of(page + 1); ++line) {
      if (suspect_[line]) {
        clear_suspect(line);
        if (caches_->state(current_, line) == CoreCaches::State::clean) {
          caches_->invalidate(current_, line);
          copy_words(view_of(line), caches_->load(current_, line), caches_->line_bytes());
        }
      }
    }
    what.patience = std::max<std::uint16_t>(what.patience / 2, kFewestSteps);
    what.mode = PageMode::open;
  } else {
    --what.steps;
    ++figures_.watched;
    stepping_[stepping_count_++] = page;
    set_single_step(context, true);
  }
  window_->set_access(page, what.access);
  return true;
}

// The one instruction is done.
bool CoherenceCheck::on_trap(void* context) {
  if (stepping_count_ == 0) {
    return false;
  }
  while (stepping_count_ != 0) {
    const std::size_t page = stepping_[--stepping_count_];
    if (pages_[page].mode == PageMode::watched) {
      window_->set_access(page, Access::closed);
    }
  }
  set_single_step(context, false);
  return true;
}

void CoherenceCheck::on_fault_signal(int signal, siginfo_t* info, void* context) {
  CoherenceCheck& self = *active;
  const auto at = reinterpret_cast<std::uintptr_t>(info->si_addr) -
                  reinterpret_cast<std::uintptr_t>(self.host_->window());
  if (at >= self.host_->window_bytes() || !self.on_access(at, is_store(context), context)) {
    pass_on(self.previous_segv_, signal, info, context);
  }
}

void CoherenceCheck::on_trap_signal(int signal, siginfo_t* info, void* context) {
  CoherenceCheck& self = *active;
  if (!self.on_trap(context)) {
    pass_on(self.previous_trap_, signal, info, context);
  }
}

}  // namespace modmem::testbench
