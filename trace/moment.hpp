// What lay where at one moment of a trace, and why a request failed: what a History keeps of them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "memory/failure.hpp"
#include "memory/intent.hpp"

namespace modmem::trace {

// A request that failed, and why.
struct FailureNote {
  std::uint64_t event = 0;
  std::uint64_t time_us = 0;
  std::string owner;
  const char* site = "";
  std::uint32_t bytes = 0;
  std::uint32_t alignment = 0;
  Flags flags = 0;
  // What Memory said of it; where it said nothing, the request never came to be (its owner was
  // refused, or the block that it resizes).
  bool explained = false;
  FailureReason reason = FailureReason::none;
  std::uint64_t free_bytes = 0;
  std::uint64_t largest_request = 0;
  std::string guarantee;
  struct Holder {
    std::string name;
    std::uint64_t bytes = 0;
  };
  std::vector<Holder> holders;  // those that held the most, most first
};

// A page map, after an event.
struct Moment {
  struct Page {
    std::uint32_t frame = 0;
    std::uint32_t page = 0;
    std::uint32_t lane = 0;  // of the heap that it is of
    std::uint32_t name = 0;  // of that heap's owner: index in names
  };
  struct Block {
    std::uint32_t page = 0;    // in which it starts
    std::uint32_t offset = 0;  // in that
    std::uint32_t bytes = 0;
    std::uint32_t lane = 0;
    std::uint32_t name = 0;
    std::uint32_t site = 0;   // index in Accounts::sites()
    std::uint64_t event = 0;  // when it began
  };

  std::uint64_t event = 0;
  std::uint64_t time_us = 0;
  std::uint64_t live = 0;
  std::uint64_t mapped = 0;
  std::vector<std::string> names;
  std::vector<bool> powered;  // by bank
  std::vector<Page> pages;    // by frame
  std::vector<Block> blocks;  // by address; those in the pool, at most History::kMostBlocks
  std::uint64_t more_blocks = 0;
};

}  // namespace modmem::trace
