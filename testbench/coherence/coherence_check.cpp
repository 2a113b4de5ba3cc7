#include "testbench/coherence/coherence_check.hpp"

#include <algorithm>
#include <bit>

#include "base/check.hpp"
#include "modmem/config.hpp"
#include "port/forwarding_port.hpp"
#include "port/posix/passing_blocks.hpp"
#include "testbench/input_error.hpp"

namespace modmem::testbench {

namespace {

constexpr std::size_t kPage = config::kPageBytes;

}  // namespace

// --- between the library and the simulator ---

class CoherenceCheck::CachePort final : public ForwardingPort {
 public:
  CachePort(Port& port, CoherenceCheck& check) : ForwardingPort(&port), check_(check) {}

  bool map(modmem::Page page, Frame frame) override {
    if (!ForwardingPort::map(page, frame)) {
      return false;
    }
    if (!check_.window_->lay(number(page))) {
      ForwardingPort::unmap(page);
      return false;
    }
    check_.map(number(page));
    return true;
  }
  void unmap(modmem::Page page) override {
    check_.unmap(number(page));
    ForwardingPort::unmap(page);
  }
  bool remap(modmem::Page page, Frame from, Frame to) override {
    check_.move(number(page));
    const bool done = ForwardingPort::remap(page, from, to);
    if (!check_.window_->lay(number(page))) {
      check_failed("a page that was laid out can be laid out again", __FILE__, __LINE__);
    }
    return done;
  }
  void set_access(modmem::Page page, Access access) override {
    ForwardingPort::set_access(page, access);
    check_.set_access(number(page), access);
  }
  void cache_writeback(std::byte* address, std::size_t bytes) override {
    check_.write_back(static_cast<std::size_t>(address - window()), bytes);
    ForwardingPort::cache_writeback(address, bytes);
  }
  void cache_invalidate(std::byte* address, std::size_t bytes) override {
    check_.invalidate(static_cast<std::size_t>(address - window()), bytes);
    ForwardingPort::cache_invalidate(address, bytes);
  }
  void lock() override {
    ForwardingPort::lock();
    check_.is_locked_ = true;
  }
  void unlock() override {
    check_.is_locked_ = false;
    ForwardingPort::unlock();
  }

 private:
  CoherenceCheck& check_;
};

class CoherenceCheck::SeenBlocks final : public PassingBlocks {
 public:
  SeenBlocks(HostPort& port, CoherenceCheck& check)
      : check_(check), window_(port.window()), bytes_(port.window_bytes()) {
    set_inner(port.blocks());
  }

  void expose(std::byte* address, std::size_t bytes) override {
    PassingBlocks::expose(address, bytes);
    if (is_ours(address)) {
      check_.set_metadata(at(address), bytes, true);
    }
  }
  void cover(std::byte* address, std::size_t bytes) override {
    if (is_ours(address)) {
      check_.set_metadata(at(address), bytes, false);
    }
    PassingBlocks::cover(address, bytes);
  }
  std::byte* hand_out(std::byte* block, std::size_t bytes, std::size_t alignment) override {
    std::byte* const user = PassingBlocks::hand_out(block, bytes, alignment);
    if (user != nullptr && is_ours(block)) {
      check_.hand_out(at(block), bytes);
    }
    return user;
  }
  bool resize(std::byte* block, std::size_t old_bytes, std::size_t bytes) override {
    if (!PassingBlocks::resize(block, old_bytes, bytes)) {
      return false;
    }
    if (is_ours(block)) {
      check_.users_->resize(at(block), bytes);
    }
    return true;
  }
  void take_back(std::byte* block, std::size_t bytes) override {
    if (is_ours(block)) {
      check_.users_->take_back(at(block));
    }
    PassingBlocks::take_back(block, bytes);
  }

 private:
  std::size_t at(const std::byte* address) const {
    return static_cast<std::size_t>(address - window_);
  }
  bool is_ours(const std::byte* address) const {
    return reinterpret_cast<std::uintptr_t>(address) - reinterpret_cast<std::uintptr_t>(window_) <
           bytes_;
  }

  CoherenceCheck& check_;
  std::byte* window_;
  std::size_t bytes_;
};

CoherenceCheck::CoherenceCheck(std::uint64_t seed) : seed_(seed) {
  findings_.reserve(kMostFindings);
  figures_.seed = seed;
}

CoherenceCheck::~CoherenceCheck() { end(); }

Port& CoherenceCheck::stand_before(HostPort& port, const PlatformConfig& platform) {
  if (port.alias_offset() == 0) {
    throw InputError(std::string("platform ") + platform.name +
                     ": it has no uncached alias, so its caches can't be checked");
  }
  host_ = &port;
  const std::size_t bytes = port.window_bytes();
  const std::size_t line = platform.cache_line_bytes;
  lines_in_page_ = kPage / line;
  window_ = std::make_unique<CachedWindow>(port.window(), bytes);
  caches_ = std::make_unique<CoreCaches>(port.window() + port.alias_offset(), bytes, line,
                                         platform.cores, seed_);
  users_ = std::make_unique<LineUsers>(bytes, line);
  pages_.resize(bytes / kPage);
  suspect_.resize(bytes / line);
  last_writer_.resize(bytes / line);
  loaded_.reserve(pages_.size());
  port_ = std::make_unique<CachePort>(port, *this);
  blocks_ = std::make_unique<SeenBlocks>(port, *this);
  port.set_block_view(blocks_.get());
  return *port_;
}

void CoherenceCheck::note(const Request& request) { users_->note(request, host_->core_id()); }

// --- what the port is asked ---

void CoherenceCheck::map(std::size_t page) {
  pages_[page].mode = PageMode::shut;
  pages_[page].access = Access::open;
}

// What the calling core has of the page goes with it. Clean lines of others stay in their caches:
// the core that gives a page back does not reach them.
void CoherenceCheck::unmap(std::size_t page) {
  if (is_loaded(page)) {
    unload(page);
  }
  for (std::size_t line = line_of(page); line < line_of(page + 1); ++line) {
    drop_dirty_of_others(line, "dirty in a cache when another core gave its page back",
                         users_->last(line));
    caches_->invalidate(current_, line);
  }
  pages_[page].mode = PageMode::unmapped;
}

// The page gets another frame. What it holds stays, so clean lines are as good as before.
void CoherenceCheck::move(std::size_t page) {
  if (is_loaded(page)) {
    unload(page);
  }
  for (std::size_t line = line_of(page); line < line_of(page + 1); ++line) {
    drop_dirty_of_others(line, "dirty in a cache when another core moved its page",
                         users_->last(line));
  }
}

void CoherenceCheck::set_access(std::size_t page, Access access) {
  if (is_loaded(page)) {
    unload(page);
  }
  pages_[page].access = access;
  window_->set_access(page, Access::closed);
}

void CoherenceCheck::write_back(std::size_t at, std::size_t bytes) {
  const std::size_t line_bytes = caches_->line_bytes();
  for (std::size_t line = at / line_bytes; line * line_bytes < at + bytes; ++line) {
    if (pages_[page_of_line(line)].mode != PageMode::unmapped) {
      absorb(line, false);
      figures_.written_back += caches_->state(current_, line) == CoreCaches::State::dirty ? 1 : 0;
      write_line(current_, line);
    }
  }
}

void CoherenceCheck::invalidate(std::size_t at, std::size_t bytes) {
  const std::size_t line_bytes = caches_->line_bytes();
  for (std::size_t line = at / line_bytes; line * line_bytes < at + bytes; ++line) {
    if (is_loaded(page_of_line(line))) {
      unload(page_of_line(line));
    }
    // The library knows which lines others use; whoever else invalidates can only hope so.
    if (is_on() && !is_locked_ && users_->live(line) > 1 &&
        caches_->state(current_, line) == CoreCaches::State::dirty) {
      const LineUsers::User other = users_->second_owner(line);
      if (other != LineUsers::kNobody) {
        find(CoherenceKind::shared_line, "invalidated, with what two owners wrote to it", line,
             current_, std::nullopt, users_->first_owner(line), other);
      }
    }
    caches_->invalidate(current_, line);
  }
}

// --- what becomes of blocks ---

void CoherenceCheck::set_metadata(std::size_t at, std::size_t bytes, bool metadata) {
  for (std::size_t page = at / kPage; page * kPage < at + bytes; ++page) {
    pages_[page].metadata = metadata;
    // What is dirty there was found when it was accessed.
    for (std::size_t line = line_of(page); !metadata && line < line_of(page + 1); ++line) {
      for (std::uint32_t core = 0; core < caches_->cores(); ++core) {
        caches_->invalidate(core, line);
      }
    }
  }
}

// The block's content is undefined, so nobody minds what the calling core's cache has of it; what
// is dirty in others will be written over it.
void CoherenceCheck::hand_out(std::size_t at, std::size_t bytes) {
  const std::size_t line_bytes = caches_->line_bytes();
  const std::size_t first = at / line_bytes;
  const std::size_t last = (at + bytes - 1) / line_bytes;
  for (std::size_t line = first; line <= last; ++line) {
    pages_[page_of_line(line)].patience = kMostSteps;
    if (users_->live(line) != 0 || pages_[page_of_line(line)].access == Access::closed) {
      continue;
    }
    drop_dirty_of_others(line, "dirty in another core's cache when its memory was taken anew",
                         users_->last(line));
    if (caches_->is_stale(current_, line)) {
      if (is_loaded(page_of_line(line))) {
        unload(page_of_line(line));
      }
      if (caches_->is_stale(current_, line)) {  // not written by this core in this turn
        caches_->invalidate(current_, line);
      }
    }
  }
  const auto lives_before = [this](std::size_t line) { return users_->live(line) != 0; };
  const bool shares_first = lives_before(first);
  const bool shares_last = last != first && lives_before(last);
  const LineUsers::User in_first = shares_first ? users_->last(first) : LineUsers::kNobody;
  const LineUsers::User in_last = shares_last ? users_->last(last) : LineUsers::kNobody;
  users_->hand_out(at, bytes);
  const auto compare = [this](std::size_t line, LineUsers::User neighbour) {
    const LineUsers::User mine = users_->last(line);
    const LineUsers::UserNote& one = users_->user(mine);
    const LineUsers::UserNote& other = users_->user(neighbour);
    if (one.core != other.core) {
      find(CoherenceKind::shared_line, "holds blocks of two cores", line, one.core, other.core,
           mine, neighbour);
    } else if (one.coherent != other.coherent) {
      find(CoherenceKind::shared_line, "holds a coherent block and one that is cached", line,
           one.core, std::nullopt, mine, neighbour);
    }
  };
  if (shares_first) {
    compare(first, in_first);
  }
  if (shares_last) {
    compare(last, in_last);
  }
}

// --- findings ---

void CoherenceCheck::find(CoherenceKind kind, const char* what, std::size_t line,
                          std::uint32_t core, std::optional<std::uint32_t> other_core,
                          LineUsers::User user, LineUsers::User other_user) {
  if (!is_on()) {
    return;
  }
  const auto known = std::find_if(findings_.begin(), findings_.end(), [&](const Finding& other) {
    return other.kind == kind && other.what == what && other.core == core &&
           other.other_core == other_core && other.user == user && other.other_user == other_user;
  });
  if (known != findings_.end()) {
    ++known->count;
  } else if (findings_.size() < kMostFindings) {
    findings_.push_back({kind, what, line, core, other_core, user, other_user, 1});
  } else {
    figures_.more = true;
  }
}

CoherenceReport CoherenceCheck::report() const {
  CoherenceReport report = figures_;
  for (const Finding& finding : findings_) {
    const LineUsers::UserNote& user = users_->user(finding.user);
    const LineUsers::UserNote& other = users_->user(finding.other_user);
    CoherenceFinding told;
    told.kind = finding.kind;
    told.what = finding.what;
    told.line = finding.line * caches_->line_bytes();
    told.core = finding.core;
    told.other_core = finding.other_core;
    told.owner = user.owner;
    told.owner_id = user.owner_id;
    told.site = user.site;
    told.other_owner = other.owner;
    told.other_site = other.site;
    told.count = finding.count;
    report.findings.push_back(std::move(told));
  }
  return report;
}

}  // namespace modmem::testbench
