#include "module/shared_copies.hpp"

#include <new>

#include "base/bits.hpp"
#include "base/check.hpp"

namespace modmem {

namespace {

// What only the library writes, and any core reads.
constexpr Flags kBookkeeping = flag::kKernel | flag::kCoherent | flag::kKept;

// Touches every page: a source that its caller can't read faults here.
void read_through(const void* source, std::size_t bytes) {
  const auto* begin = static_cast<const volatile unsigned char*>(source);
  for (std::size_t at = 0; at < bytes; at += config::kPageBytes) {
    static_cast<void>(begin[at]);
  }
  static_cast<void>(begin[bytes - 1]);
}

}  // namespace

// A module's reference to a copy.
class SharedCopies::Reference final : public Resource {
 public:
  Reference(SharedCopies& copies, const void* copy, std::size_t bytes, Site site)
      : Resource(ResourceKind::shared_copy, copy, site),
        copies_(copies),
        copy_(copy),
        bytes_(bytes) {}

 private:
  void release() override { copies_.put(copy_); }
  std::size_t bytes() const override { return bytes_; }

  SharedCopies& copies_;
  const void* copy_;
  std::size_t bytes_;
};

std::size_t SharedCopies::whole_lines(std::size_t bytes) const {
  const std::size_t line = memory_.config().cache_line_bytes;
  // What can't be rounded is more than any heap has: Memory refuses it, and explains.
  return bytes <= SIZE_MAX - line ? align_up(bytes, line) : bytes;
}

// The lock is held.
SharedCopies::Entry* SharedCopies::find(const void* source) const {
  Entry* entry = first_;
  while (entry != nullptr && entry->source != source) {
    entry = entry->next;
  }
  return entry;
}

// One more reference. The lock is held.
CopyResult SharedCopies::refer(Entry& entry, std::size_t bytes) {
  if (entry.bytes != bytes) {
    return {nullptr, CopyStatus::other_size, entry.bytes};
  }
  ++entry.references;
  return {entry.copy, CopyStatus::good, bytes};
}

// `referred` for the calling core, without the lock: the copy stays, as there is a reference now.
CopyResult SharedCopies::hand_out(const CopyResult& referred) {
  if (referred.copy != nullptr) {
    memory_.invalidate(const_cast<void*>(referred.copy), referred.known_bytes);
  }
  return referred;
}

// `silence` is kSilent where Memory's observer is not to be told of a failure, else 0.
CopyResult SharedCopies::get(const void* source, std::size_t bytes, Flags silence, Site site) {
  if (source == nullptr || bytes == 0) {
    return {nullptr, CopyStatus::invalid, 0};
  }
  CopyResult result;
  {
    const LockGuard guard(port());
    if (Entry* known = find(source)) {
      result = refer(*known, bytes);
    }
  }
  if (result.known_bytes != 0) {
    return hand_out(result);
  }
  Entry* made = make(source, bytes, silence, site);
  if (made == nullptr) {
    return {nullptr, CopyStatus::no_memory, 0};
  }
  {
    const LockGuard guard(port());
    Entry* known = find(source);  // another thread may have been first
    if (known == nullptr) {
      made->next = first_;
      first_ = made;
      known = made;
      made = nullptr;
    }
    result = refer(*known, bytes);
  }
  if (made != nullptr) {
    end(*made);
  }
  return hand_out(result);
}

// An entry with a copy of the source, not listed yet; nullptr where memory ran out.
SharedCopies::Entry* SharedCopies::make(const void* source, std::size_t bytes, Flags silence,
                                        Site site) {
  const std::size_t line = memory_.config().cache_line_bytes;
  const Request wanted{owner_, whole_lines(bytes), line, flag::kUser | flag::kKept | silence, site};
  // A domain may be stopped where it faults, and what was taken by then would be nobody's. What is
  // larger than the memory is refused without a look at it.
  const std::size_t most = std::size_t{memory_.pool().frames()} * config::kPageBytes;
  if (memory_.entered_domain() != nullptr && bytes <= most) {
    read_through(source, bytes);
  }
  void* place =
      memory_.allocate({owner_, sizeof(Entry), alignof(Entry), kBookkeeping | silence, site});
  if (place == nullptr) {
    return nullptr;
  }
  void* copy = memory_.allocate(wanted);
  if (copy == nullptr) {
    memory_.free(place, &owner());
    return nullptr;
  }
  memory_.copy_to(copy, source, bytes);
  auto* entry = new (place) Entry();
  entry->source = source;
  entry->copy = static_cast<std::byte*>(copy);
  entry->bytes = bytes;
  entry->site = site;
  return entry;
}

// Frees an entry that is not listed, and its copy.
void SharedCopies::end(Entry& entry) {
  memory_.free(entry.copy, &owner());
  memory_.free(&entry, &owner());
}

PointerStatus SharedCopies::put(const void* copy) {
  if (copy == nullptr) {
    return PointerStatus::live;
  }
  const auto address = reinterpret_cast<std::uintptr_t>(copy);
  Entry* last = nullptr;
  PointerStatus status = PointerStatus::foreign;
  {
    const LockGuard guard(port());
    for (Entry** link = &first_; *link != nullptr; link = &(*link)->next) {
      Entry& entry = **link;
      const auto start = reinterpret_cast<std::uintptr_t>(entry.copy);
      if (address - start >= entry.bytes) {
        continue;
      }
      if (address != start) {
        status = PointerStatus::interior;
        break;
      }
      status = PointerStatus::live;
      if (--entry.references == 0) {
        last = &entry;
        *link = entry.next;
      }
      break;
    }
  }
  if (last != nullptr) {
    end(*last);
  }
  return status;
}

CopyResult SharedCopies::get(ModuleMemory& module, const void* source, std::size_t bytes,
                             Site site) {
  if (module.owner() == nullptr) {
    return {nullptr, CopyStatus::no_memory, 0};
  }
  const CopyResult result = get(source, bytes, flag::kSilent, site);
  if (result.copy != nullptr &&
      module.make_resource<Reference>(site, *this, result.copy, bytes, site) == nullptr) {
    put(result.copy);
    return {nullptr, CopyStatus::no_memory, 0};
  }
  return result;
}

PointerStatus SharedCopies::put(ModuleMemory& module, const void* copy) {
  if (copy == nullptr) {
    return PointerStatus::live;
  }
  return module.end_resource(ResourceKind::shared_copy, copy) ? PointerStatus::live
                                                              : PointerStatus::foreign;
}

std::size_t SharedCopies::close() {
  std::size_t count = 0;
  for (; first_ != nullptr; ++count) {
    Entry* entry = first_;
    first_ = entry->next;
    const OwnerSpec& spec = owner().spec;
    memory_.report_leak({spec.kind, spec.id, spec.name, entry->bytes,
                         memory_.config().cache_line_bytes, entry->site});
    end(*entry);
  }
  return count;
}

std::size_t SharedCopies::copies() const {
  const LockGuard guard(port());
  std::size_t count = 0;
  for (const Entry* entry = first_; entry != nullptr; entry = entry->next) {
    ++count;
  }
  return count;
}

std::size_t SharedCopies::references(const void* source) const {
  const LockGuard guard(port());
  const Entry* entry = find(source);
  return entry != nullptr ? entry->references : 0;
}

bool SharedCopies::check() const {
  const LockGuard guard(port());
  for (const Entry* entry = first_; entry != nullptr; entry = entry->next) {
    if (entry->references == 0) {
      return false;
    }
    for (const Entry* other = entry->next; other != nullptr; other = other->next) {
      if (other->source == entry->source || other->copy == entry->copy) {
        return false;
      }
    }
  }
  return true;
}

}  // namespace modmem
