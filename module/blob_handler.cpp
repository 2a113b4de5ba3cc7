#include "module/blob_handler.hpp"

#include <cstring>
#include <new>

#include "base/check.hpp"
#include "base/crc32.hpp"

namespace modmem {

BlobHandler* BlobHandler::create(ModuleMemory& memory, BlobMode mode, BlobFunctions functions,
                                 Site site) {
  return memory.make_resource<BlobHandler>(site, memory, mode, functions, site);
}

PointerStatus BlobHandler::destroy(ModuleMemory& memory, BlobHandler* handler) {
  if (handler == nullptr) {
    return PointerStatus::live;
  }
  // Ended by its address alone: what is no handler of the module is not looked at.
  return memory.end_resource(ResourceKind::blob_handler, handler) ? PointerStatus::live
                                                                  : PointerStatus::foreign;
}

bool BlobHandler::take(Blob& blob, std::size_t bytes) {
  void* data = functions_.allocate != nullptr
                   ? functions_.allocate(bytes)
                   : memory_->allocate(bytes, 0, flag::kUser | flag::kLargeBuffer, site());
  if (data == nullptr) {
    return false;
  }
  blob = {static_cast<std::byte*>(data), bytes};
  return true;
}

void BlobHandler::give(Blob& blob) {
  if (blob.data == nullptr) {
    return;
  }
  if (functions_.free != nullptr) {
    functions_.free(blob.data);
  } else {
    memory_->free(blob.data);
  }
  blob = {};
}

void BlobHandler::drop_next() {
  give(next_);
  received_ = 0;
  complete_ = false;
}

void BlobHandler::clear() {
  drop_next();
  give(current_);
}

BlobStatus BlobHandler::init(std::size_t bytes, const void* data) {
  if (mode_ == BlobMode::single_blob || bytes == 0) {
    clear();
  }
  if (bytes == 0) {
    return BlobStatus::good;
  }
  Blob blob;
  if (!take(blob, bytes)) {
    return BlobStatus::no_memory;
  }
  if (data != nullptr) {
    std::memcpy(blob.data, data, bytes);
  } else {
    std::memset(blob.data, 0, bytes);
  }
  clear();
  current_ = blob;
  return BlobStatus::good;
}

BlobStatus BlobHandler::set_fragment(bool first, bool last, std::uint32_t offset_or_size,
                                     const void* fragment, std::size_t bytes) {
  if (fragment == nullptr || bytes == 0 || (first && offset_or_size == 0)) {
    return BlobStatus::invalid;
  }
  if (!first && (next_.data == nullptr || complete_ || offset_or_size != received_)) {
    return BlobStatus::out_of_order;
  }
  const std::size_t left = first ? offset_or_size : next_.bytes - received_;
  if (bytes > left || last != (bytes == left)) {
    return BlobStatus::wrong_size;
  }
  if (first) {
    drop_next();
    if (mode_ == BlobMode::single_blob) {
      give(current_);
    }
    if (!take(next_, offset_or_size)) {
      return BlobStatus::no_memory;
    }
  }
  std::memcpy(next_.data + received_, fragment, bytes);
  received_ += bytes;
  MODMEM_ASSERT(check());
  return last ? complete() : BlobStatus::good;
}

BlobStatus BlobHandler::complete() {
  if (validator_ != nullptr) {
    verdict_ = validator_(context_, next_.data, static_cast<std::uint32_t>(next_.bytes));
    if (verdict_ != 0) {
      drop_next();
      return BlobStatus::refused;
    }
  }
  complete_ = true;
  return BlobStatus::good;
}

void* BlobHandler::get(std::size_t* bytes, std::uint32_t* crc) {
  if (complete_) {
    give(current_);
    current_ = next_;
    next_ = {};
    received_ = 0;
    complete_ = false;
  }
  if (bytes != nullptr) {
    *bytes = current_.bytes;
  }
  if (crc != nullptr) {
    *crc = crc32(current_.data, current_.bytes);
  }
  return current_.data;
}

bool BlobHandler::check() const {
  return received_ <= next_.bytes && (!complete_ || received_ == next_.bytes) &&
         (mode_ != BlobMode::single_blob || current_.data == nullptr || next_.data == nullptr);
}

}  // namespace modmem
