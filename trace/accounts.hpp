// Accounts: what owners and call sites asked for, held and left, over a whole trace.
//
// Every block that a request got is noted with its owner, its site and when it began, so that sums
// are exact:
//   sum over owners of live = sum over sites of live = bytes that live
//   sum over owners of churn = sum over sites of churn = bytes of all requests served
//   tree of an owner = its live + sum of tree over the owners below it
// Owners that have ended are kept by name: those that were called alike, and were below owners that
// were, have one account. The kMostEnded of these with the highest peaks are kept; the others are
// added up in one account. Memory: O(owners that live + sites + live blocks). Cost: O(depth of
// the tree) an event, O(blocks) for an owner's end.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "memory/owner.hpp"
#include "trace/event.hpp"

namespace modmem::trace {

// What an owner or a site has in common.
struct Account {
  std::uint64_t allocations = 0;  // requests, resizes among them
  std::uint64_t failures = 0;
  std::uint64_t ended = 0;  // blocks that were freed, or ended with their owner
  std::uint64_t churn = 0;  // bytes of all requests that were served
  std::uint64_t live = 0;
  std::uint64_t live_blocks = 0;
  std::uint64_t peak = 0;
  // How long the blocks that ended had lived, in all.
  std::uint64_t lived_us = 0;
  std::uint64_t lived_events = 0;
  // Blocks that were never freed and ended with their owner.
  std::uint64_t left_blocks = 0;
  std::uint64_t left_bytes = 0;

  // Adds what `other` counted; of peaks, the higher one.
  void add(const Account& other);
};

struct OwnerAccount : Account {
  static constexpr std::uint64_t kLives = UINT64_MAX;

  std::string name;
  OwnerKind kind = OwnerKind::pipeline;
  std::string within;        // the name of the owner that it is below; "": the system
  std::uint32_t number = 0;  // of its first start, from 1; 0: the system
  std::uint32_t times = 1;   // that it began
  std::uint32_t place = Event::kSystem;
  std::uint32_t parent = Event::kSystem;  // a place
  std::uint64_t tree = 0;                 // live bytes of it and all below it
  std::uint64_t tree_peak = 0;
  std::uint64_t begin_event = 0;
  std::uint64_t begin_us = 0;
  std::uint64_t end_event = kLives;
  std::uint64_t end_us = kLives;
};

struct SiteAccount : Account {
  const char* name = "";
  std::uint32_t largest = 0;  // bytes of its largest request
  // Requests for a page or more without the flag for large buffers.
  std::uint64_t disguised = 0;
  std::uint64_t disguised_bytes = 0;
};

class Accounts {
 public:
  static constexpr std::size_t kMostEnded = 256;

  // A block that lives.
  struct Block {
    bool lives = false;
    std::uint32_t bytes = 0;
    std::uint32_t owner = Event::kSystem;  // place
    std::uint32_t site = 0;                // index in sites()
    std::uint64_t event = 0;               // when it began
    std::uint64_t time_us = 0;
    std::uint32_t next = UINT32_MAX;  // in the list of its owner's
    std::uint32_t previous = UINT32_MAX;
  };

  // An owner that begins.
  struct Begin {
    std::uint32_t place = 0;
    std::string name;
    OwnerKind kind = OwnerKind::pipeline;
    std::uint32_t parent = Event::kSystem;  // a place; lives
  };

  // Blocks of one owner from one site that live, and so were never freed.
  struct Leftover {
    std::uint32_t owner = Event::kSystem;
    std::uint32_t site = 0;
    std::uint64_t blocks = 0;
    std::uint64_t bytes = 0;
  };

  Accounts();

  // An owner begins at event `number`, at a place where none lives.
  void begin_owner(const Begin& owner, std::uint64_t number, std::uint64_t time_us);

  // Event number `number` was played, and `served` says with what success. Its owner lives. Nothing
  // happens to a block that does not live.
  void note(const Event& event, std::uint64_t number, bool served);

  // All blocks of the owner at a place end. O(blocks).
  void end_blocks(std::uint32_t place, std::uint64_t number, std::uint64_t time_us);

  // The owner at a place: that lives, or has lived last. Requires that there was one.
  const OwnerAccount& owner(std::uint32_t place) const { return stream(place).account; }
  // Calls `function` with the place of each live block of the owner at a place.
  template <typename Function>
  void for_each_block(std::uint32_t place, Function function) const {
    for (std::uint32_t at = stream(place).first; at != kNone; at = blocks_[at].next) {
      function(at);
    }
  }
  // Whether there is one now.
  bool lives(std::uint32_t place) const {
    return place == Event::kSystem || (place < owners_.size() && owners_[place].lives);
  }
  std::uint32_t places() const { return static_cast<std::uint32_t>(owners_.size()); }

  // The system, those that live one by one, and those with the highest peaks that have ended.
  std::vector<OwnerAccount> owners() const;
  // The sums of all others, and how many those are.
  const Account& others() const { return others_; }
  std::uint64_t other_owners() const { return other_owners_; }
  std::uint32_t owners_begun() const { return begun_; }

  const std::vector<SiteAccount>& sites() const { return sites_; }
  const std::vector<Block>& blocks() const { return blocks_; }  // by place; not all live
  std::vector<Leftover> leftovers() const;                      // most bytes first

 private:
  static constexpr std::uint32_t kNone = UINT32_MAX;

  struct Stream {
    OwnerAccount account;
    std::uint32_t first = kNone;  // newest block
    bool lives = false;
  };

  const Stream& stream(std::uint32_t place) const {
    return place == Event::kSystem ? system_ : owners_[place];
  }
  Stream& stream(std::uint32_t place) { return place == Event::kSystem ? system_ : owners_[place]; }
  OwnerAccount& account_at(std::uint32_t place) { return stream(place).account; }
  void charge_tree(std::uint32_t place, std::uint32_t less, std::uint32_t more);
  void end_owner(const Event& event, std::uint64_t number);
  void add(const Event& event, std::uint64_t number);
  void resize(const Event& event, std::uint32_t site);
  void end(Block& block, std::uint64_t number, std::uint64_t time_us, bool left);
  std::uint32_t site_of(const char* name);
  void keep(const OwnerAccount& account);

  Stream system_;
  std::vector<Stream> owners_;       // by place
  std::vector<OwnerAccount> ended_;  // a heap, the lowest peak first
  Account others_;
  std::uint64_t other_owners_ = 0;
  std::uint32_t begun_ = 0;
  std::vector<SiteAccount> sites_;
  std::unordered_map<const char*, std::uint32_t> site_numbers_;
  std::vector<Block> blocks_;
};

}  // namespace modmem::trace
