#include "testbench/stream_buffer.hpp"

#include <cstring>

namespace modmem::testbench {

bool StreamBuffer::open(Memory& memory, Owner& pipeline, Fence* fence) {
  bound_ = true;
  fence_ = fence;
  if (fence != nullptr) {
    domain_ = fence->make_domain(pipeline, edge_.id, edge_.name.c_str());
    if (domain_ == nullptr) {
      return false;
    }
  }
  if (!memory_.open(memory, domain_ != nullptr ? *domain_ : pipeline,
                    {.kind = OwnerKind::buffer, .id = edge_.id, .name = edge_.name.c_str()})) {
    return false;
  }
  within([this] { data_ = memory_.make_array<std::byte>(edge_.bytes, flags(), MODMEM_HERE); });
  return static_cast<bool>(data_);
}

Flags StreamBuffer::flags() const {
  // No core sees what another one's cache holds.
  return flag::kLargeBuffer | (edge_.between_cores ? flag::kShared | flag::kCoherent : 0);
}

void StreamBuffer::close() {
  set_live(false);
  data_.reset();
  memory_.close();
  if (domain_ != nullptr) {
    fence_->end_domain(*domain_);
    domain_ = nullptr;
  }
  bound_ = false;
}

void StreamBuffer::set_live(bool live) {
  if (live == live_) {
    return;
  }
  live_ = live;
  own_pace_ = false;
  wrote_own_pace_ = false;
  taken_ = 0;
  written_ = 0;
  frames_ = live ? edge_.silence : 0;
  if (frames_ != 0) {
    within([this] { std::memset(data_.data(), 0, frames_ * frame_bytes()); });
  }
}

std::byte* StreamBuffer::space() const {
  return edge_.decoupled && live_ ? data_.data() + frames_ * frame_bytes() : data_.data();
}

std::size_t StreamBuffer::room() const {
  if (!live_) {
    return 0;
  }
  return edge_.decoupled ? edge_.bytes / frame_bytes() - frames_ : edge_.room;
}

void StreamBuffer::wrote(std::size_t frames, bool own_pace) {
  if (edge_.decoupled) {
    written_ = frames;
    wrote_own_pace_ = wrote_own_pace_ || own_pace;
  } else {
    frames_ = frames;
    own_pace_ = own_pace_ || own_pace;
  }
}

void StreamBuffer::settle() {
  if (taken_ + written_ != 0) {
    frames_ += written_ - taken_;
    within([this] {
      std::memmove(data_.data(), data_.data() + taken_ * frame_bytes(), frames_ * frame_bytes());
    });
  }
  taken_ = 0;
  written_ = 0;
  own_pace_ = wrote_own_pace_;
}

}  // namespace modmem::testbench
