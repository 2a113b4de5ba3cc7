#include "testbench/audio_path_guard.hpp"

#include <dlfcn.h>
#include <pthread.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "memory/memory.hpp"
#include "port/host/host_port.hpp"
#include "testbench/modules/call_site.hpp"

#ifndef __has_feature
#define __has_feature(feature) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) ||       \
    __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || \
    __has_feature(memory_sanitizer)
#define MODMEM_SANITIZED 1
#else
#define MODMEM_SANITIZED 0
#endif

namespace modmem::testbench {

namespace {

struct Entry {
  AudioPathKind kind = AudioPathKind::memory;
  ModulePlace place;
  const void* site = nullptr;
  const void* function = nullptr;  // an address in it; nullptr where a module's frame is not known
  std::uint64_t count = 0;
  std::uint64_t bytes = 0;
};

constexpr std::size_t kMostEntries = 256;

// In places that no allocator gave.
std::array<Entry, kMostEntries> entries;
std::size_t entry_count = 0;
std::atomic_flag entries_busy = ATOMIC_FLAG_INIT;
std::atomic<std::uint64_t> host_calls{0};

// Noting must not be noted, nor wait for itself.
thread_local int paused = 0;
thread_local Entry* last_memory_call = nullptr;

class EntriesGuard {
 public:
  EntriesGuard() {
    while (entries_busy.test_and_set(std::memory_order_acquire)) {
    }
  }
  ~EntriesGuard() { entries_busy.clear(std::memory_order_release); }
  EntriesGuard(const EntriesGuard&) = delete;
  EntriesGuard& operator=(const EntriesGuard&) = delete;
};

bool is_host_function(const void* function);

// The entry of these calls, with one more; nullptr where there is no room for another.
Entry* count_call(AudioPathKind kind, const CallSite& from, std::size_t bytes) {
  const ModulePlace& place = ModuleCall::current();
  const EntriesGuard guard;
  for (std::size_t i = 0; i < entry_count; ++i) {
    Entry& entry = entries[i];
    if (entry.kind == kind && entry.site == from.site && entry.place.id == place.id) {
      ++entry.count;
      entry.bytes += bytes;
      return &entry;
    }
  }
  if (entry_count == kMostEntries) {
    return nullptr;
  }
  Entry& entry = entries[entry_count++];
  entry = {kind, place, from.site, from.function, 1, bytes};
  return &entry;
}

// What a loaded module has modmem do is a call of modmem, whatever that does in turn.
void note_host_call(AudioPathKind kind, const void* caller, std::size_t bytes) {
  ++paused;
  const CallSite from = module_call_site();
  const bool by_modmem = from.site != nullptr && !is_host_function(from.function);
  if (!by_modmem) {
    host_calls.fetch_add(kind != AudioPathKind::lock ? 1 : 0, std::memory_order_relaxed);
    count_call(kind, from.site != nullptr ? from : CallSite{caller, nullptr}, bytes);
  } else if (kind == AudioPathKind::lock) {
    count_call(kind, from, bytes);
  }
  --paused;
}

inline void note(AudioPathKind kind, const void* caller, std::size_t bytes) {
  if (AudioPathScope::active() && paused == 0) {
    note_host_call(kind, caller, bytes);
  }
}

// Asked by Memory for each call that allocates or frees, on the audio path.
void note_memory_call() {
  if (paused == 0) {
    ++paused;
    last_memory_call = count_call(AudioPathKind::memory, module_call_site(), 0);
    --paused;
  }
}

}  // namespace

const char* to_string(AudioPathKind kind) {
  switch (kind) {
    case AudioPathKind::memory:
      return "call of modmem";
    case AudioPathKind::allocation:
      return "host allocation";
    case AudioPathKind::resize:
      return "host reallocation";
    case AudioPathKind::release:
      return "host free";
    case AudioPathKind::lock:
      return "lock";
  }
  return "";
}

std::uint64_t host_allocations_on_audio_path() {
  return host_calls.load(std::memory_order_relaxed);
}

std::vector<AudioPathNote> audio_path_notes() {
  std::vector<AudioPathNote> notes;
  notes.reserve(entry_count);
  for (std::size_t i = 0; i < entry_count; ++i) {
    const Entry& entry = entries[i];
    bool known = false;  // as a call of modmem, which takes the lock as well
    for (std::size_t j = 0; j < entry_count && entry.kind == AudioPathKind::lock; ++j) {
      known = known || (entries[j].kind == AudioPathKind::memory && entries[j].site == entry.site);
    }
    if (!known) {
      notes.push_back({entry.kind, entry.place, name_of(entry.function),
                       entry.site != nullptr ? to_text(Site{entry.site, 0}) : "", entry.count,
                       entry.bytes});
    }
  }
  return notes;
}

void forget_audio_path_notes() {
  const EntriesGuard guard;
  entry_count = 0;
  last_memory_call = nullptr;
}

AudioPathWatch::AudioPathWatch() { PosixPort::set_audio_path_hook(note_memory_call); }
AudioPathWatch::~AudioPathWatch() { PosixPort::set_audio_path_hook(nullptr); }

void AudioPathWatch::add_bytes(std::size_t bytes) {
  if (AudioPathScope::active() && last_memory_call != nullptr) {
    const EntriesGuard guard;
    last_memory_call->bytes += bytes;
  }
}

AudioPathPause::AudioPathPause() { ++paused; }
AudioPathPause::~AudioPathPause() { --paused; }

}  // namespace modmem::testbench

using modmem::testbench::AudioPathKind;
using modmem::testbench::note;

#if MODMEM_SANITIZED

// As in <sanitizer/allocator_interface.h>, which not every compiler has beside its sanitizers.
// NOLINTNEXTLINE(bugprone-reserved-identifier,readability-identifier-naming): as they have it
extern "C" int __sanitizer_install_malloc_and_free_hooks(
    void (*on_malloc)(const volatile void* block, std::size_t bytes),
    void (*on_free)(const volatile void* block));

namespace modmem::testbench {
namespace {

// All that is not the program's is the sanitizer's, which stands in front of the C library.
bool is_host_function(const void* function) { return !is_program_code(function); }

void on_malloc(const volatile void* /*block*/, std::size_t bytes) {
  note(AudioPathKind::allocation, nullptr, bytes);
}
void on_free(const volatile void* block) {
  if (block != nullptr) {
    note(AudioPathKind::release, nullptr, 0);
  }
}

[[maybe_unused]] const int installed =
    __sanitizer_install_malloc_and_free_hooks(on_malloc, on_free);

}  // namespace
}  // namespace modmem::testbench

#else

// What glibc's own functions of these names do.
// NOLINTBEGIN(bugprone-reserved-identifier,readability-identifier-naming): as glibc has them
extern "C" {
void* __libc_malloc(std::size_t bytes);
void* __libc_calloc(std::size_t count, std::size_t bytes);
void* __libc_realloc(void* block, std::size_t bytes);
void* __libc_memalign(std::size_t alignment, std::size_t bytes);
void __libc_free(void* block);
}
// NOLINTEND(bugprone-reserved-identifier,readability-identifier-naming)

// The caller's address, which is of interest where it is in no module.
#define MODMEM_HOST_CALLER __builtin_return_address(0)

extern "C" {

void* malloc(std::size_t bytes) {
  note(AudioPathKind::allocation, MODMEM_HOST_CALLER, bytes);
  return __libc_malloc(bytes);
}

void* calloc(std::size_t count, std::size_t bytes) {
  note(AudioPathKind::allocation, MODMEM_HOST_CALLER, count * bytes);
  return __libc_calloc(count, bytes);
}

void* realloc(void* block, std::size_t bytes) {
  note(AudioPathKind::resize, MODMEM_HOST_CALLER, bytes);
  return __libc_realloc(block, bytes);
}

void free(void* block) {
  if (block != nullptr) {
    note(AudioPathKind::release, MODMEM_HOST_CALLER, 0);
  }
  __libc_free(block);
}

void* memalign(std::size_t alignment, std::size_t bytes) {
  note(AudioPathKind::allocation, MODMEM_HOST_CALLER, bytes);
  return __libc_memalign(alignment, bytes);
}

void* aligned_alloc(std::size_t alignment, std::size_t bytes) {
  note(AudioPathKind::allocation, MODMEM_HOST_CALLER, bytes);
  return __libc_memalign(alignment, bytes);
}

int posix_memalign(void** block, std::size_t alignment, std::size_t bytes) {
  note(AudioPathKind::allocation, MODMEM_HOST_CALLER, bytes);
  if (alignment % sizeof(void*) != 0 || !modmem::is_power_of_two(alignment)) {
    return EINVAL;
  }
  const int before = errno;
  void* got = __libc_memalign(alignment, bytes);
  errno = before;
  if (got == nullptr) {
    return ENOMEM;
  }
  *block = got;
  return 0;
}

}  // extern "C"

namespace modmem::testbench {
namespace {

// The C library's function that the program's own of that name stands before.
template <typename Function>
Function* real(std::atomic<Function*>& known, const char* name) {
  Function* function = known.load(std::memory_order_relaxed);
  if (function == nullptr) {
    function = reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
    known.store(function, std::memory_order_relaxed);
  }
  return function;
}

using MutexFunction = int(pthread_mutex_t*);
using RwlockFunction = int(pthread_rwlock_t*);

std::atomic<MutexFunction*> real_mutex_lock{nullptr};
std::atomic<RwlockFunction*> real_rdlock{nullptr};
std::atomic<RwlockFunction*> real_wrlock{nullptr};

}  // namespace
}  // namespace modmem::testbench

extern "C" {

int pthread_mutex_lock(pthread_mutex_t* mutex) {
  note(AudioPathKind::lock, MODMEM_HOST_CALLER, 0);
  return modmem::testbench::real(modmem::testbench::real_mutex_lock, "pthread_mutex_lock")(mutex);
}

int pthread_rwlock_rdlock(pthread_rwlock_t* lock) {
  note(AudioPathKind::lock, MODMEM_HOST_CALLER, 0);
  return modmem::testbench::real(modmem::testbench::real_rdlock, "pthread_rwlock_rdlock")(lock);
}

int pthread_rwlock_wrlock(pthread_rwlock_t* lock) {
  note(AudioPathKind::lock, MODMEM_HOST_CALLER, 0);
  return modmem::testbench::real(modmem::testbench::real_wrlock, "pthread_rwlock_wrlock")(lock);
}

}  // extern "C"

namespace modmem::testbench {
namespace {

bool is_host_function(const void* function) {
  static constexpr const char* kOwn[] = {"malloc",
                                         "calloc",
                                         "realloc",
                                         "free",
                                         "memalign",
                                         "aligned_alloc",
                                         "posix_memalign",
                                         "pthread_mutex_lock",
                                         "pthread_rwlock_rdlock",
                                         "pthread_rwlock_wrlock"};
  if (!is_program_code(function)) {
    return true;
  }
  Dl_info info{};
  if (dladdr(function, &info) == 0 || info.dli_sname == nullptr) {
    return false;
  }
  for (const char* name : kOwn) {
    if (std::strcmp(info.dli_sname, name) == 0) {
      return true;
    }
  }
  return false;
}

}  // namespace
}  // namespace modmem::testbench

#endif
