// Allocators of others, as they come: the C library's malloc, mimalloc and jemalloc.
#pragma once

#include <cstddef>
#include <vector>

namespace modmem::bench {

struct Peer {
  const char* name = "";
  void* (*allocate)(std::size_t bytes) = nullptr;
  void* (*allocate_aligned)(std::size_t alignment, std::size_t bytes) = nullptr;
  void* (*resize)(void* block, std::size_t bytes) = nullptr;
  void (*free)(void* block) = nullptr;
};

// Each in this process, beside the others: their libraries are loaded without taking the place of
// the C library's functions. Throws InputError where one is not installed. Requires
// room_for_peers().
std::vector<Peer> load_peers();

// jemalloc has thread-local variables for which the loader sets too little room aside unless it is
// told at the start. So this starts the program again where it has not been: call it first. Returns
// where there is room. `arguments` are those of main().
void make_room_for_peers(char** arguments);

}  // namespace modmem::bench
