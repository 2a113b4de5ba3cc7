#include "bench/peers.hpp"

#include <dlfcn.h>
#include <malloc.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <string_view>

#include "testbench/input_error.hpp"

namespace modmem::bench {

namespace {

constexpr const char* kTunables = "GLIBC_TUNABLES";
constexpr const char* kRoom = "glibc.rtld.optional_static_tls=16384";

template <typename Function>
void find(void* library, const char* name, Function*& function) {
  // What dlsym() returns stands for a function.
  function = reinterpret_cast<Function*>(::dlsym(library, name));
  if (function == nullptr) {
    throw testbench::InputError(std::string(name) + ": the allocator has no such function");
  }
}

Peer load(const char* name, const char* library) {
  void* handle = ::dlopen(library, RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    throw testbench::InputError(std::string(library) + ": " + ::dlerror());
  }
  Peer peer;
  peer.name = name;
  find(handle, "malloc", peer.allocate);
  find(handle, "aligned_alloc", peer.allocate_aligned);
  find(handle, "realloc", peer.resize);
  find(handle, "free", peer.free);
  return peer;
}

}  // namespace

std::vector<Peer> load_peers() {
  return {{"glibc", &std::malloc, &std::aligned_alloc, &std::realloc, &std::free},
          load("mimalloc", "libmimalloc.so.2"),
          load("jemalloc", "libjemalloc.so.2")};
}

void make_room_for_peers(char** arguments) {
  const char* tunables = std::getenv(kTunables);
  if (tunables != nullptr && std::string_view(tunables).find(kRoom) != std::string_view::npos) {
    return;
  }
  const std::string wanted =
      tunables == nullptr ? std::string(kRoom) : std::string(tunables) + ':' + kRoom;
  ::setenv(kTunables, wanted.c_str(), 1);
  ::execv("/proc/self/exe", arguments);
  throw testbench::InputError("/proc/self/exe: it can't be started again");
}

}  // namespace modmem::bench
