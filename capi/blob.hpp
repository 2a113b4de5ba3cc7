// comp_data_blob_handler: a BlobHandler with what the C interface adds to it.
#pragma once

#include <sof/audio/data_blob.h>

#include <cstdint>

#include "module/blob_handler.hpp"

struct comp_data_blob_handler final : public modmem::BlobHandler {
  comp_data_blob_handler(modmem::ModuleMemory& memory, comp_dev* its_device, modmem::BlobMode mode,
                         modmem::BlobFunctions functions, modmem::Site site)
      : BlobHandler(memory, mode, functions, site), device(its_device) {}

  comp_dev* device;  // for the validator, not looked at
  int (*check)(comp_dev* device, void* data, std::uint32_t bytes) = nullptr;
};
