// BlobHandler: a module's configuration, which arrives in fragments while the one before is in
// force.
//
// At most two copies are in memory: the *current* one, which get() gives, and the *next* one, which
// fragments fill. The next one is current from the first get() after its last fragment on, and the
// former one is freed then: whoever works with a configuration decides when it changes. Fragments
// of another blob before that get() drop a next one, complete or not.
//
// In single-blob mode, for blobs of which two don't fit, there is one copy: the first fragment
// frees the current one before it takes memory for the next, so nothing is current until the next
// is complete, nor when it is refused or memory runs out.
//
// Invariants (check()): received <= size of the next blob; a complete one has received = size;
// single-blob: at most one of the two is there.
// Cost: O(bytes) for what is copied or summed, and at most one allocation and two frees.
// Calling context: one thread at a time, where that thread may allocate and free.
#pragma once

#include <cstddef>
#include <cstdint>

#include "memory/memory.hpp"
#include "module/module_memory.hpp"

namespace modmem {

// What became of a blob or a fragment.
enum class BlobStatus : std::uint8_t {
  good,
  invalid,       // no bytes in a fragment or blob
  out_of_order,  // not the first, and none is being received, or not at the next offset
  wrong_size,  // more bytes than the blob has left, or as many in a fragment that is not the last,
               // or fewer in the last
  no_memory,
  refused,  // by the validator: see verdict()
};

enum class BlobMode : std::uint8_t { two_blobs, single_blob };

// Functions to take memory for blobs with instead of the module's, both or neither; allocate()
// gives nullptr where it has none.
struct BlobFunctions {
  void* (*allocate)(std::size_t bytes) = nullptr;
  void (*free)(void* block) = nullptr;
};

class BlobHandler : public Resource {
 public:
  // Looks at a complete blob before it may become current, and may change its bytes; not 0 refuses
  // it. Must not call the handler.
  using Validator = int (*)(void* context, void* data, std::uint32_t bytes);

  // Blobs are blocks of `memory` for large buffers, taken from `site` and charged to the module.
  explicit BlobHandler(ModuleMemory& memory, BlobMode mode = BlobMode::two_blobs,
                       Site site = MODMEM_HERE)
      : BlobHandler(memory, mode, {}, site) {}
  // `functions`, where given, are used instead.
  BlobHandler(ModuleMemory& memory, BlobMode mode, BlobFunctions functions, Site site)
      : Resource(ResourceKind::blob_handler, this, site),
        memory_(&memory),
        functions_(functions),
        mode_(mode) {}
  explicit BlobHandler(BlobFunctions functions, BlobMode mode = BlobMode::two_blobs)
      : Resource(ResourceKind::blob_handler, this, {}), functions_(functions), mode_(mode) {}
  ~BlobHandler() { clear(); }

  // A handler that the module holds: it ends with the module, and one that is still there when the
  // module's account ends is reported as a leak of its blobs' bytes, from `site`. nullptr exactly
  // when memory ran out. `functions`, where given, are used for the blobs.
  static BlobHandler* create(ModuleMemory& memory, BlobMode mode = BlobMode::two_blobs,
                             BlobFunctions functions = {}, Site site = MODMEM_HERE);
  // Ends a handler of create() and its blobs. nullptr: nothing happens, and `live` is returned.
  // What is not a handler that this module holds changes nothing; returns `foreign`.
  static PointerStatus destroy(ModuleMemory& memory, BlobHandler* handler);

  // Makes `bytes` bytes current at once, copied from `data` (not a blob of this handler), zeros
  // where that is nullptr. The blobs before are freed; bytes 0: that is all. The validator is not
  // asked. Returns `good` or `no_memory`: then all is as before, but in single-blob mode no blob is
  // left.
  BlobStatus init(std::size_t bytes, const void* data);

  // Takes a fragment of `bytes` bytes (outside of this handler's blobs). Of the first,
  // `offset_or_size` is the size of the whole blob, of others the offset of the fragment, which
  // must be that behind the fragment before. A first fragment drops a next blob that no get() has
  // taken yet; the last one completes the blob. On `invalid`, `out_of_order` and `wrong_size`
  // nothing is changed: the right fragment may follow. On `no_memory` and `refused` there is no
  // next blob any more. None of them changes the current blob (single-blob mode: see above).
  BlobStatus set_fragment(bool first, bool last, std::uint32_t offset_or_size, const void* fragment,
                          std::size_t bytes);

  // The current blob, after a complete next one has become it; nullptr where there is none. Valid
  // until the next get(), init() or clear(), in single-blob mode until the next set_fragment() too.
  // `bytes` and `crc` may be nullptr; otherwise they are set, to 0 where there is no blob. The crc
  // is crc32() of the content as it is now.
  void* get(std::size_t* bytes = nullptr, std::uint32_t* crc = nullptr);

  // True where the next get() gives another blob than the one before.
  bool is_new_available() const { return complete_; }
  // True where fragments of the next blob are still to come.
  bool is_receiving() const { return next_.data != nullptr && !complete_; }
  // How many bytes of it.
  std::size_t missing() const { return next_.bytes - received_; }
  // True where there is a current blob.
  bool is_current_valid() const { return current_.data != nullptr; }

  // nullptr: every blob is good. `context` is handed to it.
  void set_validator(Validator validator, void* context) {
    validator_ = validator;
    context_ = context;
  }
  // What the validator said last, 0 before.
  int verdict() const { return verdict_; }

  // Frees all blobs.
  void clear();

  bool check() const;

 private:
  struct Blob {
    std::byte* data = nullptr;
    std::size_t bytes = 0;
  };

  void release() override { clear(); }
  void abandon() override { current_ = next_ = {}; }
  std::size_t bytes() const override { return current_.bytes + next_.bytes; }
  bool take(Blob& blob, std::size_t bytes);
  void give(Blob& blob);
  void drop_next();
  BlobStatus complete();

  ModuleMemory* memory_ = nullptr;
  BlobFunctions functions_;
  Validator validator_ = nullptr;
  void* context_ = nullptr;
  Blob current_;
  Blob next_;
  std::size_t received_ = 0;  // bytes of the next blob
  int verdict_ = 0;
  BlobMode mode_;
  bool complete_ = false;  // the next blob is
};

}  // namespace modmem
