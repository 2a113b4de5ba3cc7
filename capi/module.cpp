// modmem/module_resources.h on ModuleMemory.

#include <modmem/module.h>

#include <cerrno>

#include "base/bits.hpp"
#include "capi/audio_path.hpp"
#include "capi/blob.hpp"
#include "capi/fast_get.hpp"
#include "capi/module_accounts.hpp"
#include "capi/request.hpp"
#include "modmem/config.hpp"

// What a framework may define itself.
extern "C" {
__attribute__((weak)) struct module_resources* modmem_module_resources(
    struct processing_module* mod) {
  return &mod->resources;
}

__attribute__((weak)) uint32_t modmem_module_id(const struct processing_module* mod) {
  return mod->dev_id;
}

__attribute__((weak)) struct comp_dev* modmem_module_device(struct processing_module* /*mod*/) {
  return nullptr;
}
}

namespace modmem {

namespace {

// A call of a module function, as it comes in.
class Call {
 public:
  // Brings the system up, and checks the thread, before anything else is touched.
  Call(processing_module* mod, const char* function, Site site)
      : mod_(mod), function_(function), site_(site), system_(booted()) {
    if (system_ != nullptr && (!is_module() || !is_managers())) {
      system_ = nullptr;
    }
  }

  // False: nothing may be done.
  explicit operator bool() const { return system_ != nullptr; }

  CSystem& system() const { return *system_; }
  ModuleAccounts& accounts() const { return system_->modules; }
  module_resources& resources() const { return *modmem_module_resources(mod_); }
  std::uint32_t id() const { return modmem_module_id(mod_); }
  const char* function() const { return function_; }
  const Site& site() const { return site_; }

  ModuleAccounts::Use find() const { return accounts().find(resources()); }
  ModuleAccounts::Use find_or_open() const {
    return accounts().find_or_open(resources(), id(), site_);
  }

  // An error line: FUNCTION: WHAT, module ID, from SITE.
  void refuse(const char* what) const {
    Line line;
    fail(line << function_ << ": " << what);
  }
  void refuse(const char* what, std::size_t bytes, std::size_t alignment) const {
    Line line;
    fail(line << function_ << ": " << what << " " << std::uint64_t{bytes} << " bytes, alignment "
              << std::uint64_t{alignment} << " bytes");
  }
  // The same, of a line that has FUNCTION and WHAT.
  void fail(Line& line) const {
    (line << ", module ").hex(id()) << ", from " << site_;
    log_line(LogLevel::error, line);
  }

  // A misuse of the function, which has an error result.
  int misuse(modmem_fault_kind kind, const void* pointer) const {
    report(kind, pointer, 0, false);
    return -EINVAL;
  }

 private:
  bool is_module() const {
    if (mod_ == nullptr) {
      report_misuse({.function = function_, .site = site_});
    }
    return mod_ != nullptr;
  }

  bool is_managers() const {
    const module_resources& module = resources();
    const bool checked = config::kModuleMemoryApiDebug || module.check_thread != 0;
    if (!checked || module.manager == 0 || module.manager == system_->port().thread_id()) {
      return true;
    }
    report(MODMEM_FAULT_THREAD, mod_, module.manager, true);
    return false;
  }

  void report(modmem_fault_kind kind, const void* pointer, std::uintptr_t manager,
              bool fatal) const {
    Owner who;  // the module may have no account
    who.spec.id = id();
    who.spec.name = "module";
    report_misuse({.kind = kind,
                   .function = function_,
                   .pointer = pointer,
                   .site = site_,
                   .fatal = fatal,
                   .owner = &who,
                   .manager = manager});
  }

  processing_module* mod_;
  const char* function_;
  Site site_;
  CSystem* system_;
};

void* allocate(const Call& call, Flags flags, std::size_t bytes, std::size_t alignment) {
  if (!call) {
    return nullptr;
  }
  if (bytes == 0) {
    call.refuse("requested allocation of 0 bytes");
    return nullptr;
  }
  if (alignment != 0 && !is_power_of_two(alignment)) {
    call.refuse("no power of two to align", bytes, alignment);
    return nullptr;
  }
  const ModuleAccounts::Use account = call.find_or_open();
  if (!account) {
    return nullptr;
  }
  return account->allocate(
      bytes, alignment != 0 ? alignment : kNaturalAlignment,
      known_flags({call.function(), call.site(), nullptr, flags, bytes, alignment}), call.site());
}

// Ends what the module holds at `pointer` of that kind.
void release(const Call& call, ResourceKind kind, const void* pointer) {
  if (!call || pointer == nullptr) {
    return;
  }
  const ModuleAccounts::Use account = call.find();
  if (!account || !account->end_resource(kind, pointer)) {
    call.misuse(MODMEM_FAULT_FOREIGN, pointer);
  }
}

// The same, whatever it is: a block, a handler or a reference to a copy.
int release(const Call& call, const void* pointer) {
  if (!call) {
    return -EINVAL;
  }
  if (pointer == nullptr) {
    return 0;
  }
  note_audio_path_free(call.system(), call.function(), call.site());
  const ModuleAccounts::Use account = call.find();
  if (!account) {
    return call.misuse(fault_kind(call.system().memory.status(pointer)), pointer);
  }
  if (account->end_resource(ResourceKind::shared_copy, pointer) ||
      account->end_resource(ResourceKind::blob_handler, pointer)) {
    return 0;
  }
  const PointerStatus status = account->free(const_cast<void*>(pointer), call.site());
  return status == PointerStatus::live ? 0 : call.misuse(fault_kind(status), pointer);
}

void start(processing_module* mod, bool check_thread) {
  CSystem* system = mod != nullptr ? booted() : nullptr;
  if (system == nullptr) {
    return;
  }
  module_resources& module = *modmem_module_resources(mod);
  module = {};  // first: a domain that may not write it does not end what others hold
  system->modules.forget(module);
  module.manager = system->port().thread_id();
  module.check_thread = check_thread ? 1 : 0;
}

}  // namespace

}  // namespace modmem

using modmem::Call;
namespace flag = modmem::flag;

void modmem_module_init(struct processing_module* mod, bool check_thread) {
  modmem::start(mod, check_thread);
}

void mod_resource_init(struct processing_module* mod) { modmem::start(mod, false); }

int modmem_module_set_ctx(struct processing_module* mod, const struct mod_alloc_ctx* ctx) {
  const Call call(mod, "modmem_module_set_ctx", MODMEM_CALLER);
  if (!call) {
    return -EINVAL;
  }
  {
    const modmem::ModuleAccounts::Use account = call.find();
    if (account && account->held() != 0) {
      return -EBUSY;
    }
  }
  const modmem::Owner* from = modmem::owner_of(ctx);
  if (from != nullptr && !call.system().memory.is_owner(from)) {
    return call.misuse(MODMEM_FAULT_NOT_LIVE, from);
  }
  if (from != nullptr && !is_callers(call.system().memory, *from)) {
    return call.misuse(MODMEM_FAULT_FOREIGN, from);
  }
  call.accounts().end(call.resources());
  call.resources().heap = ctx != nullptr ? ctx->heap : nullptr;
  call.resources().vreg = ctx != nullptr ? ctx->vreg : nullptr;
  return 0;
}

void* mod_alloc_align(struct processing_module* mod, size_t size, size_t alignment) {
  return allocate(Call(mod, "mod_alloc_align", MODMEM_CALLER), flag::kUser, size, alignment);
}

void* mod_balloc_align(struct processing_module* mod, size_t size, size_t alignment) {
  return allocate(Call(mod, "mod_balloc_align", MODMEM_CALLER), flag::kUser | flag::kLargeBuffer,
                  size, alignment);
}

void* mod_alloc_ext(struct processing_module* mod, uint32_t flags, size_t size, size_t alignment) {
  const modmem::Flags whose = (flags & flag::kKernel) != 0 ? 0 : flag::kUser;
  return allocate(Call(mod, "mod_alloc_ext", MODMEM_CALLER), flags | whose, size, alignment);
}

int mod_free(struct processing_module* mod, const void* ptr) {
  return release(Call(mod, "mod_free", MODMEM_CALLER), ptr);
}

void mod_free_all(struct processing_module* mod) {
  const Call call(mod, "mod_free_all", MODMEM_CALLER);
  if (call) {
    call.accounts().end(call.resources());
  }
}

struct comp_data_blob_handler* mod_data_blob_handler_new(struct processing_module* mod) {
  const Call call(mod, "mod_data_blob_handler_new", MODMEM_CALLER);
  if (!call) {
    return nullptr;
  }
  const modmem::ModuleAccounts::Use account = call.find_or_open();
  if (!account) {
    return nullptr;
  }
  auto* handler = account->make_resource<comp_data_blob_handler>(
      call.site(), *account, modmem_module_device(mod), modmem::BlobMode::two_blobs,
      modmem::BlobFunctions{}, call.site());
  if (handler == nullptr) {
    call.refuse("no memory for a handler");
  }
  return handler;
}

void mod_data_blob_handler_free(struct processing_module* mod,
                                struct comp_data_blob_handler* blob_handler) {
  release(Call(mod, "mod_data_blob_handler_free", MODMEM_CALLER),
          modmem::ResourceKind::blob_handler, blob_handler);
}

const void* mod_fast_get(struct processing_module* mod, const void* dram_ptr, size_t size) {
  const Call call(mod, "mod_fast_get", MODMEM_CALLER);
  if (!call) {
    return nullptr;
  }
  const modmem::ModuleAccounts::Use account = call.find_or_open();
  if (!account) {
    return nullptr;
  }
  const modmem::CopyResult result = call.system().copies.get(*account, dram_ptr, size, call.site());
  if (result.copy == nullptr) {
    modmem::Line line;
    describe(line << call.function() << ": ", result, dram_ptr, size);
    if (result.status == modmem::CopyStatus::no_memory) {
      line << ", alignment " << uint64_t{call.system().memory.config().cache_line_bytes}
           << " bytes";
    }
    call.fail(line);
  }
  return result.copy;
}

void mod_fast_put(struct processing_module* mod, const void* sram_ptr) {
  release(Call(mod, "mod_fast_put", MODMEM_CALLER), modmem::ResourceKind::shared_copy, sram_ptr);
}

size_t module_adapter_heap_usage(struct processing_module* mod, size_t* high_water_mark) {
  const Call call(mod, "module_adapter_heap_usage", MODMEM_CALLER);
  size_t usage = 0;
  size_t most = 0;
  if (call) {
    const modmem::ModuleAccounts::Use account = call.find();
    most = call.resources().high_water_mark;
    if (account) {
      usage = account->held_bytes();
      const size_t now_most = account->high_water_mark();
      most = now_most > most ? now_most : most;
    }
  }
  if (high_water_mark != nullptr) {
    *high_water_mark = most;
  }
  return usage;
}
