#include "trace/accounts.hpp"

#include <algorithm>
#include <cctype>
#include <map>
#include <string_view>
#include <utility>

#include "modmem/config.hpp"

namespace modmem::trace {

namespace {

bool is_higher(const OwnerAccount& a, const OwnerAccount& b) {
  return std::pair(a.tree_peak, b.number) > std::pair(b.tree_peak, a.number);
}

void charge(Account& account, std::uint32_t bytes) {
  account.live += bytes;
  account.peak = std::max(account.peak, account.live);
}

}  // namespace

void Account::add(const Account& other) {
  allocations += other.allocations;
  failures += other.failures;
  ended += other.ended;
  churn += other.churn;
  live += other.live;
  live_blocks += other.live_blocks;
  peak = std::max(peak, other.peak);
  lived_us += other.lived_us;
  lived_events += other.lived_events;
  left_blocks += other.left_blocks;
  left_bytes += other.left_bytes;
}

Accounts::Accounts() {
  system_.account.name = "system";
  system_.account.kind = OwnerKind::system;
  system_.lives = true;
}

void Accounts::note(const Event& event, std::uint64_t number, bool served) {
  if (event.kind == OpKind::release) {
    end_owner(event, number);
    return;
  }
  if (event.kind == OpKind::free) {
    Block& block = blocks_[event.block];
    if (block.lives) {
      end(block, number, event.time_us, false);
    }
    return;
  }
  if (event.kind == OpKind::allocate) {
    blocks_.resize(std::max<std::size_t>(blocks_.size(), std::size_t{event.block} + 1));
    blocks_[event.block].lives = false;
  }
  const std::uint32_t site = site_of(event.site);
  SiteAccount& account = sites_[site];
  OwnerAccount& owner = account_at(event.owner);
  for (Account* charged : {static_cast<Account*>(&account), static_cast<Account*>(&owner)}) {
    ++charged->allocations;
    charged->failures += served ? 0 : 1;
    charged->churn += served ? event.bytes : 0;
  }
  account.largest = std::max(account.largest, event.bytes);
  if (event.bytes >= config::kPageBytes && (event.flags & flag::kLargeBuffer) == 0) {
    ++account.disguised;
    account.disguised_bytes += event.bytes;
  }
  if (served) {
    if (event.kind == OpKind::allocate) {
      add(event, number);
    } else {
      resize(event, site);
    }
  }
}

void Accounts::begin_owner(const Begin& owner, std::uint64_t number, std::uint64_t time_us) {
  owners_.resize(std::max<std::size_t>(owners_.size(), std::size_t{owner.place} + 1));
  Stream& stream = owners_[owner.place];
  stream = {};
  stream.lives = true;
  stream.account.number = ++begun_;
  stream.account.name = owner.name;
  stream.account.kind = owner.kind;
  stream.account.place = owner.place;
  stream.account.parent = owner.parent;
  stream.account.within = owner.parent == Event::kSystem ? "" : account_at(owner.parent).name;
  stream.account.begin_event = number;
  stream.account.begin_us = time_us;
}

void Accounts::end_owner(const Event& event, std::uint64_t number) {
  if (event.owner >= owners_.size() || !owners_[event.owner].lives) {
    return;
  }
  end_blocks(event.owner, number, event.time_us);
  Stream& stream = owners_[event.owner];
  stream.lives = false;
  stream.account.end_event = number;
  stream.account.end_us = event.time_us;
  keep(stream.account);
}

void Accounts::end_blocks(std::uint32_t place, std::uint64_t number, std::uint64_t time_us) {
  for (const Stream& of = stream(place); of.first != kNone;) {
    end(blocks_[of.first], number, time_us, true);
  }
}

// `less` bytes end, and `more` begin, of an owner and all that it is below.
void Accounts::charge_tree(std::uint32_t place, std::uint32_t less, std::uint32_t more) {
  for (;;) {
    OwnerAccount& account = account_at(place);
    account.tree += more;
    account.tree -= less;
    account.tree_peak = std::max(account.tree_peak, account.tree);
    if (place == Event::kSystem) {
      return;
    }
    place = account.parent;
  }
}

void Accounts::keep(const OwnerAccount& account) {
  const auto same = std::find_if(ended_.begin(), ended_.end(), [&](const OwnerAccount& other) {
    return other.name == account.name && other.within == account.within &&
           other.kind == account.kind;
  });
  if (same != ended_.end()) {
    same->add(account);
    same->times += account.times;
    same->tree_peak = std::max(same->tree_peak, account.tree_peak);
    same->end_event = account.end_event;
    same->end_us = account.end_us;
    std::make_heap(ended_.begin(), ended_.end(), is_higher);
    return;
  }
  ended_.push_back(account);
  std::push_heap(ended_.begin(), ended_.end(), is_higher);
  if (ended_.size() > kMostEnded) {
    std::pop_heap(ended_.begin(), ended_.end(), is_higher);
    others_.add(ended_.back());
    other_owners_ += ended_.back().times;
    ended_.pop_back();
  }
}

void Accounts::add(const Event& event, std::uint64_t number) {
  Block& block = blocks_[event.block];
  block = {};
  block.lives = true;
  block.bytes = event.bytes;
  block.owner = event.owner;
  block.site = site_of(event.site);
  block.event = number;
  block.time_us = event.time_us;
  for (Account* charged : {static_cast<Account*>(&sites_[block.site]),
                           static_cast<Account*>(&account_at(block.owner))}) {
    charge(*charged, block.bytes);
    ++charged->live_blocks;
  }
  charge_tree(block.owner, 0, block.bytes);
  std::uint32_t& first = stream(block.owner).first;
  block.next = first;
  if (first != kNone) {
    blocks_[first].previous = event.block;
  }
  first = event.block;
}

// The block is its new site's from now on.
void Accounts::resize(const Event& event, std::uint32_t site) {
  Block& block = blocks_[event.block];
  SiteAccount& before = sites_[block.site];
  before.live -= block.bytes;
  --before.live_blocks;
  ++sites_[site].live_blocks;
  charge(sites_[site], event.bytes);
  OwnerAccount& owner = account_at(block.owner);
  owner.live -= block.bytes;
  charge(owner, event.bytes);
  charge_tree(block.owner, block.bytes, event.bytes);
  block.site = site;
  block.bytes = event.bytes;
}

void Accounts::end(Block& block, std::uint64_t number, std::uint64_t time_us, bool left) {
  for (Account* charged : {static_cast<Account*>(&sites_[block.site]),
                           static_cast<Account*>(&account_at(block.owner))}) {
    ++charged->ended;
    charged->live -= block.bytes;
    --charged->live_blocks;
    charged->lived_us += time_us - std::min(time_us, block.time_us);
    charged->lived_events += number - block.event;
    charged->left_blocks += left ? 1 : 0;
    charged->left_bytes += left ? block.bytes : 0;
  }
  charge_tree(block.owner, block.bytes, 0);
  if (block.next != kNone) {
    blocks_[block.next].previous = block.previous;
  }
  (block.previous != kNone ? blocks_[block.previous].next : stream(block.owner).first) = block.next;
  block.lives = false;
}

std::uint32_t Accounts::site_of(const char* name) {
  const auto [found, is_new] =
      site_numbers_.emplace(name, static_cast<std::uint32_t>(sites_.size()));
  if (is_new) {
    sites_.emplace_back();
    sites_.back().name = name == nullptr ? "" : name;
  }
  return found->second;
}

std::vector<OwnerAccount> Accounts::owners() const {
  std::vector<OwnerAccount> all;
  all.push_back(system_.account);
  for (const Stream& stream : owners_) {
    if (stream.lives) {
      all.push_back(stream.account);
    }
  }
  all.insert(all.end(), ended_.begin(), ended_.end());
  std::sort(all.begin() + 1, all.end(), is_higher);
  return all;
}

std::vector<Accounts::Leftover> Accounts::leftovers() const {
  std::map<std::pair<std::uint32_t, std::uint32_t>, Leftover> found;
  for (const Block& block : blocks_) {
    if (block.lives) {
      Leftover& leftover = found[{block.owner, block.site}];
      leftover.owner = block.owner;
      leftover.site = block.site;
      ++leftover.blocks;
      leftover.bytes += block.bytes;
    }
  }
  std::vector<Leftover> all;
  all.reserve(found.size());
  for (const auto& [key, leftover] : found) {
    all.push_back(leftover);
  }
  std::stable_sort(all.begin(), all.end(),
                   [](const Leftover& a, const Leftover& b) { return a.bytes > b.bytes; });
  return all;
}

}  // namespace modmem::trace
