// sof/audio/data_blob.h on BlobHandler.

#include "capi/blob.hpp"

#include <cerrno>
#include <utility>

#include "capi/module_accounts.hpp"
#include "capi/request.hpp"

using modmem::BlobMode;
using modmem::BlobStatus;
using modmem::CSystem;

namespace {

int result_of(const comp_data_blob_handler& handler, BlobStatus status) {
  switch (status) {
    case BlobStatus::good:
      return 0;
    case BlobStatus::no_memory:
      return -ENOMEM;
    case BlobStatus::refused:
      return handler.verdict();
    case BlobStatus::invalid:
    case BlobStatus::out_of_order:
    case BlobStatus::wrong_size:
      break;
  }
  return -EINVAL;
}

// Only a negative result refuses.
int ask(void* context, void* data, std::uint32_t bytes) {
  auto* handler = static_cast<comp_data_blob_handler*>(context);
  const int verdict = handler->check(handler->device, data, bytes);
  return verdict < 0 ? verdict : 0;
}

}  // namespace

struct comp_data_blob_handler* comp_data_blob_handler_new_ext(struct comp_dev* dev,
                                                              bool single_blob,
                                                              void* (*alloc)(size_t size),
                                                              void (*free)(void* buf)) {
  const modmem::Site site = MODMEM_CALLER;
  CSystem* system = modmem::booted();
  if (system == nullptr) {
    return nullptr;
  }
  modmem::ModuleAccounts::Use account = system->modules.find_or_open_common(site);
  const BlobMode mode = single_blob ? BlobMode::single_blob : BlobMode::two_blobs;
  // What one function gave must not come to the other's heap.
  const modmem::BlobFunctions functions = alloc != nullptr && free != nullptr
                                              ? modmem::BlobFunctions{alloc, free}
                                              : modmem::BlobFunctions{};
  if (!account) {
    return nullptr;
  }
  auto* handler =
      account->make_resource<comp_data_blob_handler>(site, *account, dev, mode, functions, site);
  if (handler == nullptr) {
    modmem::report_refusal("comp_data_blob_handler_new_ext", "no memory for a handler", site);
  } else {
    modmem::ModuleAccounts::keep(std::move(account));
  }
  return handler;
}

void comp_data_blob_handler_free(struct comp_data_blob_handler* blob_handler) {
  const modmem::Site site = MODMEM_CALLER;
  CSystem* system = blob_handler != nullptr ? modmem::booted() : nullptr;
  // Found by its address alone: what is no handler is not looked at.
  if (system == nullptr || system->modules.end_handler(blob_handler)) {
    return;
  }
  if (!is_in_callers_heap(*system, blob_handler)) {
    report_strange(*system, "comp_data_blob_handler_free", blob_handler, site, true);
    return;
  }
  modmem::report_misuse({.kind = modmem::fault_kind(system->memory.status(blob_handler)),
                         .function = "comp_data_blob_handler_free",
                         .pointer = blob_handler,
                         .site = site,
                         .fatal = true});
}

void* comp_get_data_blob(struct comp_data_blob_handler* blob_handler, size_t* size, uint32_t* crc) {
  if (blob_handler != nullptr) {
    return blob_handler->get(size, crc);
  }
  if (size != nullptr) {
    *size = 0;
  }
  if (crc != nullptr) {
    *crc = 0;
  }
  return nullptr;
}

bool comp_is_new_data_blob_available(struct comp_data_blob_handler* blob_handler) {
  return blob_handler != nullptr && blob_handler->is_new_available();
}

bool comp_is_current_data_blob_valid(struct comp_data_blob_handler* blob_handler) {
  return blob_handler != nullptr && blob_handler->is_current_valid();
}

int comp_init_data_blob(struct comp_data_blob_handler* blob_handler, uint32_t size,
                        const void* init_data) {
  return blob_handler != nullptr ? result_of(*blob_handler, blob_handler->init(size, init_data))
                                 : -EINVAL;
}

int modmem_data_blob_set(struct comp_data_blob_handler* blob_handler, bool first_block,
                         bool last_block, uint32_t data_offset_or_size, const char* data,
                         size_t fragment_bytes) {
  if (blob_handler == nullptr) {
    return -EINVAL;
  }
  if (first_block && data_offset_or_size == 0) {
    return 0;
  }
  if (!first_block && !blob_handler->is_receiving() && !blob_handler->is_new_available()) {
    return -ENOMEM;  // that for the blob was taken by no first fragment
  }
  size_t bytes = fragment_bytes;
  if (last_block) {
    bytes = first_block ? data_offset_or_size : blob_handler->missing();
  }
  return result_of(*blob_handler, blob_handler->set_fragment(first_block, last_block,
                                                             data_offset_or_size, data, bytes));
}

int ipc4_comp_data_blob_set(struct comp_data_blob_handler* blob_handler, bool first_block,
                            bool last_block, uint32_t data_offset_or_size, const char* data) {
  const CSystem* system = modmem::current_system();
  return modmem_data_blob_set(
      blob_handler, first_block, last_block, data_offset_or_size, data,
      system != nullptr ? system->ipc_fragment_bytes : CSystem::kIpcFragmentBytes);
}

void comp_data_blob_set_validator(struct comp_data_blob_handler* blob_handler,
                                  int (*validator)(struct comp_dev* dev, void* new_data,
                                                   uint32_t new_data_size)) {
  if (blob_handler != nullptr) {
    blob_handler->check = validator;
    blob_handler->set_validator(validator != nullptr ? ask : nullptr, blob_handler);
  }
}
