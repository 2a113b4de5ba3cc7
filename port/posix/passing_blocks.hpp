// PassingBlocks: a view of blocks that stands before another one and passes everything on.
//
// Where there is no other one, users get the addresses of their blocks, and nobody is told of
// anything. For those who want to see some of the calls: they override these, and pass them on.
#pragma once

#include <cstddef>

#include "port/block_view.hpp"

namespace modmem {

class PassingBlocks : public BlockView {
 public:
  // The view behind it, which may be nullptr and must outlive it.
  void set_inner(BlockView* inner) { inner_ = inner; }

  void start(std::byte* window, std::size_t bytes) override {
    if (inner_ != nullptr) {
      inner_->start(window, bytes);
    }
  }
  void stop(std::byte* window, std::size_t bytes) override {
    if (inner_ != nullptr) {
      inner_->stop(window, bytes);
    }
  }
  void expose(std::byte* address, std::size_t bytes) override {
    if (inner_ != nullptr) {
      inner_->expose(address, bytes);
    }
  }
  void cover(std::byte* address, std::size_t bytes) override {
    if (inner_ != nullptr) {
      inner_->cover(address, bytes);
    }
  }
  std::byte* hand_out(std::byte* block, std::size_t bytes, std::size_t alignment) override {
    return inner_ != nullptr ? inner_->hand_out(block, bytes, alignment) : block;
  }
  bool resize(std::byte* block, std::size_t old_bytes, std::size_t bytes) override {
    return inner_ == nullptr || inner_->resize(block, old_bytes, bytes);
  }
  void take_back(std::byte* block, std::size_t bytes) override {
    if (inner_ != nullptr) {
      inner_->take_back(block, bytes);
    }
  }
  std::byte* user_of(std::byte* block) const override {
    return inner_ != nullptr ? inner_->user_of(block) : block;
  }
  const void* block_of(const void* user) const override {
    return inner_ != nullptr ? inner_->block_of(user) : user;
  }

 protected:
  PassingBlocks() = default;
  ~PassingBlocks() = default;

 private:
  BlockView* inner_ = nullptr;
};

}  // namespace modmem
